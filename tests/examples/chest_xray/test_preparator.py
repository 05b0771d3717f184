"""Every format becomes one form; what is wrong is named with case and file, all of it, and mending it is enough."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import yaml
from PIL import Image, ImageOps
from pydicom.data import get_testdata_file

from medperf_git.runner.report import read_report

from .conftest import PILOT, SITES, Done, load_program, prepare, run_program

drawing = load_program("make_data.py")
preparator = load_program("preparator/prepare.py")
PARAMETERS = PILOT / "preparator/parameters.yaml"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

TABLE = "CheXpert-v1.0/valid.csv"
VALID = "CheXpert-v1.0/valid"


def check(task: str, folder: Path, *more: str | Path) -> Done:
    places = ("--data", folder / "data", "--labels", folder / "labels", "--parameters", PARAMETERS)
    return run_program(PILOT / "preparator/prepare.py", task, *places, *more)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of four PNG cases that a test may spoil; patients 1 to 4."""
    site = drawing.Site("spoilt", 4, 4, drawing.Device(suffix="png"))
    raw = tmp_path / "raw"
    for name, content in drawing.iter_files(site, 4, first=1, plan=drawing.plan_findings(site, 4)):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content)
    return raw


def image_of(raw: Path, patient: int) -> Path:
    return raw / VALID / f"patient{patient}" / "study1" / "view1_frontal.png"


def change_table(raw: Path, change: Callable[[list[list[str]]], object]) -> None:
    """Read the table into rows, the header first, let them be changed, and write them again."""
    rows = list(csv.reader(io.StringIO((raw / TABLE).read_text(encoding="utf-8"))))
    change(rows)
    with (raw / TABLE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def put(row: int, column: str, cell: str) -> Callable[[list[list[str]]], object]:
    def change(rows: list[list[str]]) -> None:
        rows[row - 1][rows[0].index(column)] = cell

    return change


def test_four_formats_become_one_form(xray_prepared: Path):
    for site, cases in zip(SITES, (26, 25, 25, 25), strict=True):
        folder = xray_prepared / site
        told = rows_of(folder / "data/cases.csv")
        assert [row["case"] for row in told] == [row["case"] for row in rows_of(folder / "labels/labels.csv")]
        assert len(told) == len(list((folder / "data/images").iterdir())) == cases
        for row in told:
            with Image.open(folder / "data" / row["image"]) as picture:
                assert (picture.mode, picture.size, picture.format) == ("L", (64, 64), "PNG")
        assert check("sanity_check", folder).code == 0


def test_dicom_of_the_same_drawing_gives_nearly_the_same_picture():
    plain = drawing.Device(noise=0.01, suffix="png")
    for case in range(3):
        stream = drawing.draw_from("formats", case)
        grey = drawing.expose(drawing.draw_frontal({}, stream, 96, 96), plain, stream)
        read = preparator.read_dicom(io.BytesIO(drawing.encode_dicom(grey, drawing.Device(bits=12), "same")))
        both = [np.asarray(preparator.shrink(one, 64), dtype=float) for one in (np.round(grey * 255), read)]
        assert np.corrcoef(both[0].ravel(), both[1].ravel())[0, 1] > 0.995
        assert read[48, 20] < read[90, 48]  # the lung is darker than the belly: white was 0, and was turned round


def dicom(pixels: np.ndarray, **values: object) -> io.BytesIO:
    """Return a radiograph of these pixels with some of its values changed."""
    device = drawing.Device(suffix="dcm", bits=12)
    image = pydicom.dcmread(io.BytesIO(drawing.encode_dicom(np.zeros(pixels.shape), device, "made")))
    image.PixelData = pixels.astype("<u2").tobytes()
    for name, value in values.items():
        if value is None:
            delattr(image, name)
        else:
            setattr(image, name, value)
    out = io.BytesIO()
    image.save_as(out)
    out.seek(0)
    return out


NO_WINDOW = {"WindowCenter": None, "WindowWidth": None}
RAMP = np.arange(0, 4096, 16).reshape(16, 16)


def test_white_is_turned_round_where_it_is_0_and_only_there():
    assert (preparator.read_dicom(dicom(RAMP, PhotometricInterpretation="MONOCHROME2", **NO_WINDOW)) == RAMP).all()
    turned = preparator.read_dicom(dicom(RAMP, PhotometricInterpretation="MONOCHROME1", **NO_WINDOW))
    assert (turned == RAMP.max() - RAMP).all()


def test_a_window_is_the_linear_function_of_the_standard():
    centre, width = 1000.0, 801.0
    found = preparator.read_dicom(
        dicom(RAMP, PhotometricInterpretation="MONOCHROME2", WindowCenter="1000", WindowWidth="801")
    )
    # PS3.3 C.11.2.1.2.1 by hand: below the window the least output, above it the largest, a straight line between.
    wanted = np.clip(((RAMP - (centre - 0.5)) / (width - 1) + 0.5) * 4095, 0, 4095)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert found[0, 0] == 0
    assert found[-1, -1] == 4095


def test_a_real_computed_radiograph_is_read_as_it_is_meant_to_be_seen():
    # pydicom ships real radiographs of a neck, made 16 by 16 pixels small: MONOCHROME1, 12 bits, with a window.
    path = get_testdata_file("dicomdirtests/77654033/CR1/6154", download=False)
    raw = pydicom.dcmread(path)
    assert (raw.Modality, raw.PhotometricInterpretation, raw.BitsStored) == ("CR", "MONOCHROME1", 12)
    rescaled = raw.pixel_array * float(raw.RescaleSlope) + float(raw.RescaleIntercept)
    low, high = raw.WindowCenter - 0.5 - (raw.WindowWidth - 1) / 2, raw.WindowCenter - 0.5 + (raw.WindowWidth - 1) / 2
    shown = np.clip(rescaled, low, high).max() - np.clip(rescaled, low, high)
    found = preparator.read_dicom(Path(path))
    assert found / found.max() == pytest.approx(shown / shown.max(), abs=1e-9)
    picture = np.asarray(preparator.shrink(found, 16))
    assert picture == pytest.approx(shown / shown.max() * 255, abs=0.5001)
    assert picture.dtype == np.uint8


def test_a_real_slice_of_a_computed_tomography_is_no_radiograph():
    with pytest.raises(preparator.Malformed, match="has the modality CT, and a radiograph is CR, DX, RG"):
        preparator.read_dicom(Path(get_testdata_file("CT_small.dcm", download=False)))


@pytest.mark.parametrize(("name", "kind"), [("RLE", None), ("jp2klossless", None), ("jpeg_ls_lossless", "JPEG-LS")])
def test_compressed_dicom_is_read_or_refused_by_the_name_of_its_compression(name: str, kind: str | None):
    # A real slice that pydicom ships in several compressions; called a radiograph here, so that it is read at all.
    images = [pydicom.dcmread(get_testdata_file(f"MR_small{end}.dcm", download=False)) for end in ("", f"_{name}")]
    plain, packed = io.BytesIO(), io.BytesIO()
    for image, out in zip(images, (plain, packed), strict=True):
        image.Modality = "CR"
        image.save_as(out)
        out.seek(0)
    if kind is None:
        assert (preparator.read_dicom(packed) == preparator.read_dicom(plain)).all()
    else:
        with pytest.raises(preparator.Malformed, match=rf"holds no pixels that can be read \({kind} Lossless"):
            preparator.read_dicom(packed)


def test_grey_stored_as_colour_and_16_bits_are_taken(export: Path, tmp_path: Path):
    plain = np.asarray(Image.open(image_of(export, 1)))
    prepare(export, tmp_path / "first")
    Image.fromarray(np.stack([plain] * 3, axis=-1)).save(image_of(export, 1))
    Image.fromarray(np.asarray(Image.open(image_of(export, 2))).astype(np.uint16) * 257).save(image_of(export, 2))
    assert prepare(export, tmp_path / "second").code == 0
    images = [sorted((tmp_path / name / "data/images").iterdir()) for name in ("first", "second")]
    assert [path.read_bytes() for path in images[0]] == [path.read_bytes() for path in images[1]]


def test_an_image_is_filled_up_and_not_stretched_out_of_shape():
    tall = np.zeros((80, 40))
    tall[10:70, 5:35] = 1
    picture = np.asarray(preparator.shrink(tall, 64))
    assert (picture[:, :16] == 0).all()
    assert (picture[:, 48:] == 0).all()
    assert (picture[10:54, 22:42] == 255).all()


def test_blank_and_uncertain_labels_mean_what_the_parameters_say(xray_raw: Path, xray_prepared: Path, tmp_path: Path):
    raw = rows_of(xray_raw / "cloud-sydney/data" / TABLE)
    unsure = [
        (f"{Path(row['Path']).parts[2]}-study1-view1", name) for row in raw for name in row if row[name] == "-1.0"
    ]
    found = {row["case"]: row for row in rows_of(xray_prepared / "cloud-sydney/labels/labels.csv")}
    assert {name: found[case][name] for case, name in unsure} == {"Cardiomegaly": "", "Edema": "1"}
    blank = rows_of(xray_prepared / "cloud-frankfurt/labels/labels.csv")
    assert {cell for row in blank for name, cell in row.items() if name != "case"} == {"0", "1"}
    other = tmp_path / "parameters.yaml"
    other.write_text("size: 64\nblank: {default: left-out}\nuncertain: {default: negative}\n", encoding="utf-8")
    assert prepare(xray_raw / "cloud-sydney/data", tmp_path / "sydney", parameters=other).code == 0
    found = {row["case"]: row for row in rows_of(tmp_path / "sydney/labels/labels.csv")}
    assert {found[case][name] for case, name in unsure} == {"0"}


def test_lateral_views_are_left_out_where_a_study_has_a_frontal_one(xray_raw: Path, xray_prepared: Path):
    views = [row["Frontal/Lateral"] for row in rows_of(xray_raw / "cloud-oregon/data" / TABLE)]
    assert views.count("Lateral") == 5
    assert len(rows_of(xray_prepared / "cloud-oregon/data/cases.csv")) == views.count("Frontal") == 26


def test_statistics_count_cases_and_findings(xray_prepared: Path, tmp_path: Path):
    out = tmp_path / "statistics.yaml"
    assert check("statistics", xray_prepared / "cloud-sydney", "--out-statistics", out).code == 0
    found = yaml.safe_load(out.read_text(encoding="utf-8"))
    assert (found["num_cases"], found["num_consolidation"], found["num_edema"]) == (25, 0, 4)
    assert len(found) == 15


def spoil_colour(raw: Path) -> None:
    picture = np.asarray(Image.open(image_of(raw, 2)))
    Image.fromarray(np.stack([picture, picture // 2, picture], axis=-1)).save(image_of(raw, 2))


def spoil_depth(raw: Path) -> None:
    Image.open(image_of(raw, 2)).convert("1").save(image_of(raw, 2))


def spoil_palette(raw: Path) -> None:
    Image.open(image_of(raw, 2)).convert("P").save(image_of(raw, 2))


def spoil_evenness(raw: Path) -> None:
    Image.new("L", (96, 96), 7).save(image_of(raw, 2))


def cut_image(raw: Path) -> None:
    image_of(raw, 2).write_bytes(image_of(raw, 2).read_bytes()[:900])


def as_dicom(content: Callable[[], bytes]) -> Callable[[Path], object]:
    def spoil(raw: Path) -> None:
        image_of(raw, 2).with_suffix(".dcm").write_bytes(content())
        change_table(raw, put(3, "Path", f"{VALID}/patient2/study1/view1_frontal.dcm"))

    return spoil


def lateral_only(rows: list[list[str]]) -> None:
    rows[2][0] = rows[2][0].replace("frontal", "lateral")
    rows[2][rows[0].index("Frontal/Lateral")] = "Lateral"


CASE = "case patient2-study1-view1"
FILE = f"{VALID}/patient2/study1/view1_frontal.png"
DICOM = FILE.replace("png", "dcm")


def in_table(change: Callable[[list[list[str]]], object]) -> Callable[[Path], object]:
    return lambda raw: change_table(raw, change)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (cut_image, f"{CASE}: {FILE} cannot be read as JPEG or PNG"),
        (lambda raw: image_of(raw, 2).write_text("no image"), f"{CASE}: {FILE} cannot be read as JPEG or PNG"),
        (lambda raw: image_of(raw, 2).unlink(), f"{CASE}: the image {FILE}, named in valid.csv, row 3, is missing"),
        (spoil_colour, f"{CASE}: {FILE} is a colour image, and a radiograph is grey"),
        (spoil_depth, f"{CASE}: {FILE} has 1 bit a pixel, and 8 to 16 are needed"),
        (spoil_palette, f"{CASE}: {FILE} has pixels of the kind 'P', and grey ones of 8 or 16 bits are needed"),
        (spoil_evenness, f"{CASE}: {FILE} shows nothing: all its pixels have one value"),
        (
            in_table(put(3, "Edema", "2.0")),
            f"{CASE}, valid.csv, row 3: Edema is '2.0', which is none of 1.0, 0.0, -1.0",
        ),
        (in_table(put(3, "Frontal/Lateral", "Lateral")), f"{CASE}, valid.csv, row 3: the view is 'Lateral', but"),
        (
            in_table(put(3, "Path", "../secret.png")),
            "valid.csv, row 3: the path '../secret.png' does not end in patient",
        ),
        (in_table(lambda rows: rows.append(rows[2])), f"{CASE}, valid.csv, row 6: {FILE} stands in row 3 already"),
        (in_table(lateral_only), f"{CASE}, valid.csv, row 3: study patient2-study1 has lateral views only"),
        (in_table(lambda rows: rows[2].pop()), "valid.csv, row 3: 18 cells, but the header has 19"),
        (in_table(put(1, "Edema", "Oedema")), "valid.csv, row 1: no column 'Edema'"),
        (in_table(lambda rows: rows[0].append("Pipe")), "valid.csv, row 1: column 'Pipe' is not known"),
        (in_table(lambda rows: rows[0].__setitem__(slice(1, 3), ["Age", "Sex"])), "the columns stand in another order"),
        (lambda raw: (raw / TABLE).unlink(), "valid.csv: 0 such files in the folder that was given"),
        (in_table(lambda rows: rows.__delitem__(slice(1, None))), "valid.csv: holds no cases"),
        (as_dicom(lambda: b"no image"), f"{CASE}: {DICOM} cannot be read as DICOM"),
        (
            as_dicom(lambda: dicom(RAMP, PixelData=b"\0" * 8).getvalue()),
            f"{CASE}: {DICOM} holds no pixels that can be read (Explicit VR Little Endian)",
        ),
        (
            as_dicom(lambda: dicom(RAMP, PhotometricInterpretation="RGB").getvalue()),
            f"{CASE}: {DICOM} is a colour image (RGB), and a radiograph is grey",
        ),
        (
            as_dicom(lambda: dicom(RAMP, Modality="MR").getvalue()),
            f"{CASE}: {DICOM} has the modality MR, and a radiograph is CR, DX, RG",
        ),
        (
            as_dicom(lambda: dicom(RAMP, BitsStored=6, HighBit=5).getvalue()),
            f"{CASE}: {DICOM} has 6 bits a pixel, and 8 to 16 are needed",
        ),
        (
            as_dicom(lambda: dicom(RAMP, NumberOfFrames=2).getvalue()),
            f"{CASE}: {DICOM} holds 2 frames, and a radiograph is one",
        ),
        (
            as_dicom(lambda: dicom(RAMP).getvalue().replace(b"\x28\0\1\1US\2\0", b"\x28\0\1\1U?\2\0")),
            f"{CASE}: {DICOM} cannot be read as DICOM",
        ),
        (
            as_dicom(lambda: dicom(RAMP, RescaleSlope="1.5", RescaleIntercept=0).getvalue().replace(b"1.5 ", b"nan ")),
            f"{CASE}: {DICOM} holds values that are no finite numbers",
        ),
    ],
)
def test_malformed_input_is_refused_with_case_and_file(
    export: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
):
    spoil(export)
    done = prepare(export, tmp_path / "out")
    assert done.code == 1
    assert f"refused: {sentence}" in done.err or sentence in done.err
    assert done.err.count("refused: ") == 1
    assert "Traceback" not in done.err
    assert not (tmp_path / "out/data/cases.csv").exists()
    assert not (tmp_path / "out/labels/labels.csv").exists()


def test_an_image_that_may_not_be_read_is_refused_with_case_and_file(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def forbidden(path: Path) -> bytes:
        if "patient2" in path.parts:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert (
        f"refused: {CASE}: {FILE} cannot be read (Permission denied)\n3 cases" in prepare(export, tmp_path / "out").err
    )


def test_all_that_is_wrong_is_said_at_once_and_mending_it_is_enough(export: Path, tmp_path: Path):
    kept, out = tmp_path / "kept", tmp_path / "out"
    shutil.copytree(export, kept)
    image_of(export, 1).unlink()
    cut_image(export)
    change_table(export, put(4, "Atelectasis", "yes"))
    done = prepare(export, out)
    assert done.code == 1
    assert [line.partition(",")[0].partition(":")[0] for line in done.err.splitlines()] == ["refused"] * 3 + [
        "1 cases are prepared and stay; mend the others and repeat the command".partition(",")[0]
    ]
    report = read_report(out / "report.yaml")
    assert [case.case for case in report.waiting] == [f"patient{number}-study1-view1" for number in (3, 1, 2)]
    assert report.done == 1
    assert all(case.case in case.comment for case in report.waiting)

    untouched = out / "data/images/patient4-study1-view1.png"
    before = untouched.stat().st_mtime_ns
    shutil.copy(image_of(kept, 1), image_of(export, 1))
    done = prepare(export, out)  # one of three is mended
    assert len(read_report(out / "report.yaml").waiting) == 2
    assert done.code == 1
    shutil.copy(image_of(kept, 2), image_of(export, 2))
    shutil.copy(kept / TABLE, export / TABLE)
    done = prepare(export, out)
    assert (done.code, done.out) == (0, "4 cases prepared\n")
    assert untouched.stat().st_mtime_ns == before  # what was prepared before was not made again
    report = read_report(out / "report.yaml")
    assert (report.done, report.waiting) == (4, ())
    assert check("sanity_check", out).code == 0
    prepare(kept, tmp_path / "anew")
    made = []
    for folder in (out, tmp_path / "anew"):
        files = [path for part in ("data", "labels") for path in sorted((folder / part).rglob("*")) if path.is_file()]
        made.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert len(made[0]) == 4 + 2
    assert made[0] == made[1]


def test_an_image_that_changed_is_prepared_again_and_one_that_went_is_removed(export: Path, tmp_path: Path):
    out = tmp_path / "out"
    prepare(export, out)
    first = (out / "data/images/patient1-study1-view1.png").read_bytes()
    shutil.copy(image_of(export, 3), image_of(export, 1))
    change_table(export, lambda rows: rows.pop(2))
    assert prepare(export, out).code == 0
    assert (out / "data/images/patient1-study1-view1.png").read_bytes() != first
    assert not (out / "data/images/patient2-study1-view1.png").exists()


def test_pictures_of_a_run_that_was_stopped_are_not_taken_for_those_of_another_file(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    prepare(export, tmp_path / "out")
    made, source = tmp_path / "out/data/images/patient2-study1-view1.png", image_of(export, 2)
    good, picture = source.read_bytes(), made.read_bytes()

    def stopped(*words: object, **named: object) -> object:
        made.write_bytes(b"of the other file")
        raise KeyboardInterrupt

    shutil.copy(image_of(export, 1), source)
    with monkeypatch.context() as patch:
        patch.setattr(ImageOps, "pad", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare(export, tmp_path / "out")
    source.write_bytes(good)
    assert prepare(export, tmp_path / "out").code == 0
    assert made.read_bytes() == picture


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ("blank: {default: negative}\nuncertain: {default: negative}\n", "it must say `size:`"),
        ("size: 64\nuncertain: {default: negative}\n", "`blank:` must say what such a label means"),
        ("size: 64\nblank: {default: negative}\n", "`uncertain:` must say what such a label means"),
        ("size: 64\nblank: {default: negative}\nuncertain: {default: maybe}\n", "`uncertain:` says default: maybe"),
        ("size: 64\nblank: {default: negative, Oedema: positive}\nuncertain: {default: negative}\n", "says Oedema"),
    ],
)
def test_what_labels_mean_has_no_default(export: Path, tmp_path: Path, parameters: str, sentence: str):
    path = tmp_path / "parameters.yaml"
    path.write_text(parameters, encoding="utf-8")
    done = prepare(export, tmp_path / "out", parameters=path)
    assert done.code == 1
    assert sentence in done.err


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda out: (out / "data/images/patient2-study1-view1.png").unlink(),
            "images/patient2-study1-view1.png cannot",
        ),
        (
            lambda out: Image.new("L", (32, 32)).save(out / "data/images/patient2-study1-view1.png"),
            "images/patient2-study1-view1.png is not a grey image of 64 × 64 pixels and 8 bits",
        ),
        (lambda out: change_prepared(out, ",0", ",3"), "labels.csv, row 2: case patient1-study1-view1 has a label"),
        (
            lambda out: change_prepared(out, "patient1-", "patient9-"),
            "labels.csv: its cases are not those of cases.csv",
        ),
    ],
)
def test_the_sanity_check_refuses_what_was_spoilt_after_it_was_prepared(
    export: Path, tmp_path: Path, spoil: Callable[[Path], object], sentence: str
):
    prepare(export, tmp_path / "out")
    spoil(tmp_path / "out")
    done = check("sanity_check", tmp_path / "out")
    assert done.code == 1
    assert sentence in done.err


def change_prepared(out: Path, old: str, new: str) -> None:
    path = out / "labels/labels.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def test_the_page_about_real_data_divides_the_table_so_that_each_part_can_be_prepared(xray_raw: Path, tmp_path: Path):
    whole = tmp_path / "CheXpert-v1.0 batch 1 (validate & csv)"  # what CheXpert's own archive is called
    shutil.copytree(xray_raw / "cloud-oregon/data/CheXpert-v1.0", whole)
    page = (PILOT / "REAL_DATA.md").read_text(encoding="utf-8")
    commands = next(part for part in page.split("```") if part.startswith("console\ncd ")).removeprefix("console\n")
    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True)
    cases = []
    for part in range(4):
        done = prepare(whole, tmp_path / f"out-{part}", labels=tmp_path / f"site-{part}")
        assert done.code == 0, done.err
        cases += [row["case"] for row in rows_of(tmp_path / f"out-{part}" / "data/cases.csv")]
    assert len(cases) == len(set(cases)) == 26
