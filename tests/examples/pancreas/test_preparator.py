"""NIfTI and DICOM become one form with their geometry; a person's mending is taken up where it was left."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import yaml
from pydicom.data import get_testdata_file

from medperf_git.runner.report import read_report

from .conftest import loaded, run_main, run_prepare, same, write

volumes = loaded("volumes")


def load(path: Path) -> Any:
    return nib.load(path)


@pytest.fixture(scope="module")
def both(maker: ModuleType, patient: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same patient prepared from NIfTI (case 0001) and from DICOM (case 0002)."""
    raw = tmp_path_factory.mktemp("both")
    for number, dicom in ((1, False), (2, True)):
        write(raw / "raw", maker.render_case(number, patient, dicom=dicom, seed=77))
    write(raw / "raw", {"data/LICENSE": b"terms", "labels/readme.txt": b"which is which"})
    done = run_prepare(raw / "raw", raw / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 of 2 cases prepared, 0 of them earlier\n"
    return raw / "out"


def test_a_dicom_series_becomes_the_same_volume_as_the_nifti_of_the_same_patient(both: Path, patient: Any) -> None:
    nifti, dicom = (load(both / "data" / f"{case}.nii.gz") for case in ("0001", "0002"))
    assert same(np.asanyarray(nifti.dataobj), np.asanyarray(dicom.dataobj))
    assert np.allclose(nifti.affine, dicom.affine, atol=1e-4)
    labels = [np.asanyarray(load(both / "labels" / f"{case}.nii.gz").dataobj) for case in ("0001", "0002")]
    assert same(*labels)
    # and both are what the patient is, whose axes run to the right, the front and the head
    assert same(np.asanyarray(nifti.dataobj), patient.hu)
    assert same(labels[0], (patient.labels == 11).astype(np.uint8))
    assert np.allclose(nifti.affine, patient.affine, atol=1e-4)


def test_prepared_files_keep_spacing_and_orientation_in_their_headers(both: Path, patient: Any) -> None:
    for case in ("0001", "0002"):
        for folder, kind in (("data", np.int16), ("labels", np.uint8)):
            image = load(both / folder / f"{case}.nii.gz")
            assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
            assert image.header.get_zooms() == pytest.approx(patient.spacing, abs=1e-4)
            assert image.get_data_dtype() == kind
            assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 1)


def test_where_a_voxel_lies_is_what_dicom_says_of_it(maker: ModuleType, patient: Any, tmp_path: Path) -> None:
    """By the definition of PS3.3 C.7.6.2.1.1, worked out here for one voxel apart from the program."""
    files = maker.render_series(patient, name="one")
    folder = write(tmp_path / "PANCREAS_0001", files)
    found = volumes.read_series(folder)
    item = pydicom.dcmread(io.BytesIO(files["1-009.dcm"]))
    row, column = 20, 31
    origin, along = (
        np.array([float(v) for v in item[k].value]) for k in ("ImagePositionPatient", "ImageOrientationPatient")
    )
    lps = origin + along[:3] * float(item.PixelSpacing[1]) * column + along[3:] * float(item.PixelSpacing[0]) * row
    place = np.linalg.inv(found.affine) @ np.array([-lps[0], -lps[1], lps[2], 1])
    index = tuple(np.rint(place[:3]).astype(int))
    assert np.allclose(place[:3], index, atol=1e-4)
    assert found.voxels[index] == int(item.pixel_array[row, column]) - 1024


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_real_ct_slice_is_read_in_hounsfield_units_at_its_place(tmp_path: Path) -> None:
    """The one real slice that pydicom ships (CT_small.dcm), three times over at neighbouring places."""
    folder = tmp_path / "PANCREAS_0001"
    folder.mkdir()
    stored = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    pixels = stored.pixel_array.astype(int)
    for number in range(3):
        item = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        item.InstanceNumber = number + 1
        item.ImagePositionPatient[2] = float(stored.ImagePositionPatient[2]) + 5 * number
        item.save_as(folder / f"{3 - number}.dcm")
    found = volumes.read_series(folder)
    hu = volumes.check_hounsfield(found)
    assert hu.shape == (128, 128, 3)
    # rows run to the back and columns to the left, so both axes are turned
    assert same(hu[:, :, 1], (pixels.T[::-1, ::-1] - 1024).astype(np.int16))
    corner = found.affine @ [127, 127, 0, 1]
    assert corner[:3] == pytest.approx([158.135803, 179.035797, -75.699997], abs=1e-5)
    assert np.diag(found.affine)[:3] == pytest.approx([0.661468, 0.661468, 5.0], abs=1e-6)


def test_a_label_is_taken_as_stored_where_the_committee_says_so(
    maker: ModuleType, patient: Any, tmp_path: Path
) -> None:
    raw = write(tmp_path / "raw", maker.render_case(1, patient, dicom=True, seed=77))
    stored = (maker.dicom_order(patient.labels) == 11).astype(np.uint8)
    place = raw / "labels" / "label0001.nii.gz"
    place.write_bytes(maker.render_nifti(stored, np.diag([1.0, 1, 1, 1])))
    refused = run_prepare(raw, tmp_path / "header")
    assert "case 0001: label0001.nii.gz lies elsewhere or is turned against its image" in refused.stderr
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("dicom_labels: stored\n", encoding="utf-8")
    done = run_prepare(raw, tmp_path / "stored", "--parameters", parameters)
    assert done.returncode == 0, done.stderr
    found = np.asanyarray(load(tmp_path / "stored" / "labels" / "0001.nii.gz").dataobj)
    assert same(found, (patient.labels == 11).astype(np.uint8))
    parameters.write_text("dicom_labels: guess\n", encoding="utf-8")
    refused = run_prepare(raw, tmp_path / "guess", "--parameters", parameters)
    assert refused.stderr == "refused: parameters.yaml: dicom_labels must be header or stored, not 'guess'\n"


def test_what_was_mended_is_prepared_and_what_was_done_stays(maker: ModuleType, patient: Any, tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    for number in (1, 2, 3):
        write(raw, maker.render_case(number, patient, dicom=number == 3, seed=77))
    good = {path: path.read_bytes() for path in raw.rglob("*.*") if path.is_file()}
    image, label = raw / "data" / "img0002.nii.gz", raw / "labels" / "label0003.nii.gz"
    image.write_bytes(good[image][:1000])
    label.unlink()

    first = run_prepare(raw, out)
    assert first.returncode == 1
    assert first.stderr.splitlines()[1:] == [
        "refused: case 0003: label0003.nii.gz is not there",
        "refused: mend these cases and start again: the others are done",
    ]
    assert first.stderr.startswith("refused: case 0002: img0002.nii.gz cannot be read as NIfTI (")
    report = read_report(out / "report.yaml")
    assert report is not None
    assert [(case.case, case.stage, case.waits) for case in report.cases] == [
        ("0001", "DONE", False), ("0002", "IMAGE_REFUSED", True), ("0003", "LABEL_REFUSED", True),
    ]  # fmt: skip
    assert report.waiting[1].comment == "label0003.nii.gz is not there"
    checked = ("--data", out / "data", "--labels", out / "labels", "--report", out / "report.yaml")
    assert "case 0002: img0002.nii.gz cannot" in run_main(loaded("prepare"), "sanity_check", *checked).stderr
    assert sorted(path.name for path in (out / "data").iterdir()) == ["0001.nii.gz"]
    untouched = (out / "data" / "0001.nii.gz").stat().st_mtime_ns

    image.write_bytes(good[image])
    second = run_prepare(raw, out)
    assert second.returncode == 1
    assert second.stdout == "2 of 3 cases prepared, 1 of them earlier\n"
    label.write_bytes(good[label])
    third = run_prepare(raw, out)
    assert (third.returncode, third.stdout) == (0, "3 of 3 cases prepared, 2 of them earlier\n")
    assert (out / "data" / "0001.nii.gz").stat().st_mtime_ns == untouched
    assert run_main(loaded("prepare"), "sanity_check", *checked).returncode == 0

    # a torn report means to begin anew; a patient who is gone is gone here too; the bytes are those of a first run
    (out / "report.yaml").write_text("status: {'0001'", encoding="utf-8")
    image.unlink()
    (raw / "labels" / "label0002.nii.gz").unlink()
    fourth = run_prepare(raw, out)
    assert (fourth.returncode, fourth.stdout) == (0, "2 of 2 cases prepared, 0 of them earlier\n")
    run_prepare(raw, tmp_path / "anew")
    for folder in ("data", "labels"):
        kept = {path.name: path.read_bytes() for path in (out / folder).iterdir()}
        assert kept == {path.name: path.read_bytes() for path in (tmp_path / "anew" / folder).iterdir()}
        assert sorted(kept) == ["0001.nii.gz", "0003.nii.gz"]


def test_statistics_are_aggregates_with_the_number_of_cases(both: Path, patient: Any, tmp_path: Path) -> None:
    done = run_main(
        loaded("prepare"),
        "statistics",
        *("--data", both / "data", "--labels", both / "labels", "--out-statistics", tmp_path / "statistics.yaml"),
    )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((tmp_path / "statistics.yaml").read_text(encoding="utf-8"))
    millilitres = float((patient.labels == 11).sum() * np.prod(patient.spacing) / 1000)
    assert found == {
        "num_cases": 2,
        "num_without_pancreas": 0,
        "pixel_spacing_mm_mean": round(patient.spacing[0], 2),
        "slice_distance_mm_mean": round(patient.spacing[2], 2),
        "slices_mean": 32.0,
        "pancreas_ml_mean": round(millilitres, 0),
    }


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("label", "case 0001: 0001.nii.gz has no label"),
        ("axes", "case 0001: 0001.nii.gz has axes to LAS in place of RAS"),
        ("values", "case 0001: 0001.nii.gz holds the value 2, which is not one of 0, 1"),
        ("empty", "no case has a pancreas, so there is nothing to find"),
    ],
)
def test_the_sanity_check_refuses_what_the_preparator_would_not_write(
    maker: ModuleType, patient: Any, tmp_path: Path, spoil: str, sentence: str
) -> None:
    mask = (patient.labels == 11).astype(np.uint8)
    image, label = maker.render_nifti(patient.hu, patient.affine), maker.render_nifti(mask, patient.affine)
    if spoil == "axes":
        image, _ = maker.render_btcv(patient)
    elif spoil == "values":
        label = maker.render_nifti(mask * 2, patient.affine)
    elif spoil == "empty":
        label = maker.render_nifti(mask * 0, patient.affine)
    write(tmp_path, {"data/0001.nii.gz": image, "labels/0001.nii.gz": label})
    if spoil == "label":
        (tmp_path / "labels" / "0001.nii.gz").unlink()
    prepare = loaded("prepare")
    args = {"data": tmp_path / "data", "labels": tmp_path / "labels", "report": None}
    with pytest.raises(prepare.Malformed) as refused:
        prepare.sanity_check(type("Arguments", (), args))
    assert str(refused.value) == sentence
