"""The preparator writes one form, names every fault of every patient, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
import yaml

from medperf_git.runner.report import read_report

from .conftest import AFFINE, SHAPE, load_program, read_voxels, run_program, write_case, write_volume

PROGRAM = "preparator/prepare.py"


@dataclass(frozen=True)
class Bench:
    """A hospital's raw folder and the folders that its preparator writes to."""

    preparator: ModuleType
    root: Path

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def labels(self) -> Path:
        return self.root / "labels"

    @property
    def report(self) -> Path:
        return self.root / "report" / "report.yaml"

    def prepare(self) -> tuple[str, ...]:
        """Prepare as the container does, in this process; return the sentences of all faults."""
        places = self.preparator.Places(self.raw, self.raw, self.data, self.labels)
        try:
            self.preparator.prepare(places, self.root / "metadata", self.preparator.Report(self.report, {}))
        except self.preparator.Malformed as fault:
            return fault.sentences
        return ()

    def check(self) -> tuple[str, ...]:
        """Do the sanity check; return the sentences of all faults."""
        try:
            self.preparator.prepared_cases(self.data, self.labels)
        except self.preparator.Malformed as fault:
            return fault.sentences
        return ()


@pytest.fixture(scope="module")
def preparator() -> ModuleType:
    return load_program(PROGRAM, "brain_tumour_prepare")


@pytest.fixture
def bench(preparator: ModuleType, tmp_path: Path) -> Bench:
    for name in ("raw", "data", "labels", "metadata", "report"):
        (tmp_path / name).mkdir()
    (tmp_path / "report" / "report.yaml").touch()
    return Bench(preparator, tmp_path)


@pytest.mark.parametrize(("style", "enhancing"), [("2020", 4), ("2020", 3), ("2023", 3)])
def test_both_namings_and_both_labels_become_one_form(bench: Bench, style: str, enhancing: int):
    write_case(bench.raw, "P-1", style=style, enhancing=enhancing)
    assert bench.prepare() == ()
    files = {str(path.relative_to(bench.root)) for path in (*bench.data.rglob("*.*"), *bench.labels.rglob("*.*"))}
    assert files == {f"data/P-1/P-1_{name}.nii.gz" for name in ("t1", "t1ce", "t2", "flair")} | {
        "labels/P-1_seg.nii.gz"
    }
    assert np.unique(read_voxels(bench.labels / "P-1_seg.nii.gz")).tolist() == [0, 1, 2, 4]
    source = {"2020": "P-1_t2", "2023": "P-1-t2w"}[style]
    raw, prepared = nib.load(bench.raw / "P-1" / f"{source}.nii.gz"), nib.load(bench.data / "P-1" / "P-1_t2.nii.gz")
    assert np.array_equal(np.asanyarray(raw.dataobj), np.asanyarray(prepared.dataobj))
    assert np.array_equal(raw.affine, prepared.affine)
    assert bench.check() == ()


def test_of_the_raw_header_nothing_but_the_grid_is_kept(bench: Bench):
    write_case(bench.raw, "P1")
    path = bench.raw / "P1" / "P1_t1.nii.gz"
    image = nib.load(path)
    image = nib.Nifti1Image(np.asanyarray(image.dataobj), image.affine)
    image.header["descrip"] = b"Jane Doe 1961-05-04"
    image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"Jane Doe"))
    nib.save(image, path)
    assert bench.prepare() == ()
    prepared = nib.load(bench.data / "P1" / "P1_t1.nii.gz")
    assert b"Jane" not in prepared.to_bytes()
    assert prepared.header.get_zooms() == (1, 1, 1)


def volume(*, shape: tuple[int, ...] = SHAPE, label: float | None = None, shift: float = 0) -> np.ndarray:
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + shift
    return voxels if label is None else np.where(voxels < 5, label, 0).astype(np.float32)


def scan(name: str, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Callable[[Path], None]:
    return lambda folder: write_volume(folder / name, voxels, affine)


def moved(millimetres: float) -> np.ndarray:
    return AFFINE + np.array([[0, 0, 0, millimetres], [0] * 4, [0] * 4, [0] * 4])


def oblique() -> np.ndarray:
    turned = AFFINE.copy()
    turned[0, 1], turned[1, 0] = 0.1, -0.1
    return turned


def cut_short(folder: Path) -> None:
    path = folder / "B_flair.nii.gz"
    path.write_bytes(path.read_bytes()[:-400])


def not_finite(folder: Path) -> None:
    voxels = volume()
    voxels[3, 3, 3] = np.nan
    write_volume(folder / "B_t2.nii.gz", voxels)


REFUSED = {
    "missing sequence": (lambda f: (f / "B_t1ce.nii.gz").unlink(), "B_t1ce.nii.gz (or B-t1c.nii.gz) is missing"),
    "missing segmentation": (lambda f: (f / "B_seg.nii.gz").unlink(), "B_seg.nii.gz (or B-seg.nii.gz) is missing"),
    "two of one": (scan("B-t1n.nii.gz", volume()), "B_t1.nii.gz and B-t1n.nii.gz are both there; it is not clear"),
    "shape of a sequence": (
        scan("B_t2.nii.gz", volume(shape=(12, 11, 9))),
        "B_t2.nii.gz has 12x11x9 voxels, but B_t1.nii.gz has 12x11x10",
    ),
    "shape of the segmentation": (
        scan("B_seg.nii.gz", volume(shape=(12, 11, 9), label=1)),
        "B_seg.nii.gz has 12x11x9 voxels, but B_t1.nii.gz has 12x11x10",
    ),
    "four dimensions": (scan("B_t2.nii.gz", volume(shape=(*SHAPE, 2))), "B_t2.nii.gz has 4 dimensions, not 3"),
    "orientation": (
        scan("B_t1.nii.gz", volume(), np.diag([1.0, 1, 1, 1])),
        "B_t1.nii.gz is oriented RAS, not LPS as was agreed",
    ),
    "oblique": (scan("B_flair.nii.gz", volume(), oblique()), "B_flair.nii.gz lies oblique in space"),
    "affine": (
        scan("B_t1ce.nii.gz", volume(), moved(1)),
        "B_t1ce.nii.gz lies elsewhere in space than B_t1.nii.gz: their affines differ",
    ),
    "label": (
        scan("B_seg.nii.gz", volume(label=7)),
        "B_seg.nii.gz has the label 7, which is none of 0, 1, 2 and 4 (or 3)",
    ),
    "half a label": (scan("B_seg.nii.gz", volume(label=1.5)), "B_seg.nii.gz has the label 1.5, which is none of"),
    "3 and 4": (
        scan("B_seg.nii.gz", np.where(volume() < 9, 3, 4).astype(np.uint8)),
        "B_seg.nii.gz has both 3 and 4, so it is not clear which is enhancing tumour",
    ),
    "no tumour": (scan("B_seg.nii.gz", volume(label=0)), "B_seg.nii.gz marks no tumour at all"),
    "no signal": (scan("B_t2.nii.gz", np.zeros(SHAPE, np.int16)), "B_t2.nii.gz has the same value everywhere"),
    "not finite": (not_finite, "B_t2.nii.gz holds values that are no finite numbers"),
    "no NIfTI": (
        lambda f: (f / "B_t2.nii.gz").write_bytes(b"no image"),
        "B_t2.nii.gz cannot be read as NIfTI (ImageFileError)",
    ),
    "cut short": (cut_short, "B_flair.nii.gz cannot be read as NIfTI (EOFError)"),
}


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_a_fault_is_refused_with_patient_and_file_and_the_others_are_prepared(bench: Bench, fault: str):
    spoil, sentence = REFUSED[fault]
    for case in ("A", "B"):
        write_case(bench.raw, case)
    spoil(bench.raw / "B")
    (found,) = bench.prepare()
    assert found.startswith(f"case B: {sentence}")
    assert {path.name for path in bench.data.iterdir()} == {"A"}
    assert [path.name for path in bench.labels.iterdir()] == ["A_seg.nii.gz"]


def test_all_bad_patients_are_named_at_once_and_the_report_says_who_waits(bench: Bench):
    for case in ("A", "B", "C", "D"):
        write_case(bench.raw, case)
    (bench.raw / "B" / "B_t2.nii.gz").unlink()
    (bench.raw / "B" / "B_t1.nii.gz").unlink()
    write_volume(bench.raw / "D" / "D_seg.nii.gz", volume(label=9))
    sentences = bench.prepare()
    assert [sentence.split(" (")[0] for sentence in sentences] == [
        "case B: B_t1.nii.gz",
        "case B: B_t2.nii.gz",
        "case D: D_seg.nii.gz has the label 9, which is none of 0, 1, 2 and 4",
    ]
    report = read_report(bench.report)
    assert report is not None
    assert [case.case for case in report.waiting] == ["B", "D"]
    assert report.waiting[1].comment == sentences[2]
    assert report.waiting[0].data_path == "/input/data/B"
    assert report.done == 2


def test_it_resumes_after_the_person_mended_it_and_prepares_the_mended_alone(bench: Bench):
    for case in ("A", "B", "C"):
        write_case(bench.raw, case)
    (bench.raw / "B" / "B_t2.nii.gz").unlink()
    assert len(bench.prepare()) == 1
    kept = {
        path: path.stat().st_mtime_ns for path in bench.root.rglob("[AC]_*.nii.gz") if bench.raw not in path.parents
    }
    assert len(kept) == 10
    write_case(bench.raw, "B")
    assert bench.prepare() == ()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert (bench.labels / "B_seg.nii.gz").is_file()
    report = read_report(bench.report)
    assert report is not None
    assert (report.done, report.waiting) == (3, ())


def test_a_patient_whose_files_changed_is_prepared_anew_and_one_who_left_is_taken_away(bench: Bench):
    for case in ("A", "B"):
        write_case(bench.raw, case)
    assert bench.prepare() == ()
    write_volume(bench.raw / "A" / "A_t1.nii.gz", volume(shift=5).astype(np.int16))
    for path in (bench.raw / "B").iterdir():
        path.unlink()
    (bench.raw / "B").rmdir()
    assert bench.prepare() == ()
    assert read_voxels(bench.data / "A" / "A_t1.nii.gz")[0, 0, 0] == 5
    assert not (bench.data / "B").exists()
    assert not (bench.labels / "B_seg.nii.gz").exists()


def test_files_of_a_run_that_was_stopped_are_not_taken_for_those_of_other_scans(bench: Bench, monkeypatch):
    write_case(bench.raw, "A")
    assert bench.prepare() == ()
    path = bench.raw / "A" / "A_t1.nii.gz"
    good, prepared = path.read_bytes(), (bench.data / "A" / "A_t1.nii.gz").read_bytes()
    write = bench.preparator.write_scan

    def stopped(path: Path, *words: object) -> None:
        if path.name == "A_t2.nii.gz":
            raise KeyboardInterrupt
        write(path, *words)

    write_volume(path, volume(shift=7))
    with monkeypatch.context() as patch:
        patch.setattr(bench.preparator, "write_scan", stopped)
        with pytest.raises(KeyboardInterrupt):
            bench.prepare()
    path.write_bytes(good)
    assert bench.prepare() == ()
    assert (bench.data / "A" / "A_t1.nii.gz").read_bytes() == prepared


def test_the_sanity_check_names_what_is_missing_and_what_belongs_to_nobody(bench: Bench):
    for case in ("A", "B"):
        write_case(bench.raw, case)
    bench.prepare()
    (bench.data / "A" / "A_flair.nii.gz").unlink()
    write_volume(bench.labels / "Z_seg.nii.gz", volume(label=1))
    assert bench.check() == (
        "Z_seg.nii.gz: this segmentation belongs to no patient",
        "case A: A_flair.nii.gz is missing",
    )


def test_the_program_says_each_fault_on_a_line_without_a_traceback(bench: Bench, tmp_path: Path):
    write_case(bench.raw, "A")
    write_volume(bench.raw / "A" / "A_seg.nii.gz", volume(label=9))
    (bench.raw / "A" / "A_t1ce.nii.gz").write_bytes(b"no image")
    raw = ("--data", bench.raw, "--labels", bench.raw)
    out = ("--out-data", bench.data, "--out-labels", bench.labels, "--out-metadata", tmp_path / "metadata")
    done = run_program(PROGRAM, "prepare", *raw, *out, "--report", bench.report)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "refused: case A: A_t1ce.nii.gz cannot be read as NIfTI (ImageFileError)",
        "refused: case A: A_seg.nii.gz has the label 9, which is none of 0, 1, 2 and 4 (or 3)",
    ]


def test_statistics_count_the_patients(bench: Bench, tmp_path: Path):
    for case in ("A", "B", "C"):
        write_case(bench.raw, case)
    bench.prepare()
    bench.preparator.statistics(bench.data, bench.labels, tmp_path / "statistics.yaml")
    found = yaml.safe_load((tmp_path / "statistics.yaml").read_text(encoding="utf-8"))
    assert found == {"num_cases": 3, "median_tumour_voxels": 343, "median_enhancing_voxels": 56}


def test_a_folder_without_patients_is_refused(bench: Bench):
    (bench.raw / "name_mapping.csv").touch()
    assert bench.prepare() == ("the folder that was given holds no folder of a patient, such as P001/P001_t1.nii.gz",)
