"""Files that are broken on purpose: headers that lie are told from scans, by a sentence and before memory runs out."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from .conftest import EXAMPLE, load_program, run_program, write_case


def header(content: bytes, *places: tuple[str, int, object]) -> bytes:
    """Return a .nii.gz with values written over its header: struct format, place, value."""
    raw = bytearray(gzip.decompress(content))
    for form, place, value in places:
        struct.pack_into(f"<{form}", raw, place, value)
    return gzip.compress(bytes(raw), mtime=0)


VAST = [("h", 42 + 2 * axis, 32767) for axis in range(3)]  # 35 million million voxels
ODD = [("h", 70, 9999)]  # a type of voxels that does not exist
NOWHERE = [("f", 280, math.nan)]  # an affine that is no number
HEADERS = {"vast": VAST, "odd": ODD, "nowhere": NOWHERE}


def prepare(preparator: ModuleType, root: Path) -> tuple[str, ...]:
    """Prepare root/raw in this process; return the sentences of all faults."""
    for name in ("data", "labels", "metadata", "report"):
        (root / name).mkdir(exist_ok=True)
    places = preparator.Places(root / "raw", root / "raw", root / "data", root / "labels")
    with pytest.raises(preparator.Malformed) as fault:
        preparator.prepare(places, root / "metadata", preparator.Report(root / "report" / "report.yaml", {}))
    return fault.value.sentences


@pytest.fixture(scope="module")
def preparator() -> ModuleType:
    return load_program("preparator/prepare.py", "brain_tumour_prepare_hostile")


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (VAST, "case B: B_t1.nii.gz says that it has 32767x32767x32767 voxels, more than any scan"),
        (ODD, "case B: B_t1.nii.gz cannot be read as NIfTI (HeaderDataError)"),
        (NOWHERE, "case B: B_t1.nii.gz does not say where it lies in space: its affine holds no finite numbers"),
    ],
    ids=HEADERS,
)
def test_a_header_that_lies_is_refused_with_patient_and_file(
    preparator: ModuleType, tmp_path: Path, places: list, sentence: str
):
    for case in ("A", "B", "C"):
        write_case(tmp_path / "raw", case)
    path = tmp_path / "raw" / "B" / "B_t1.nii.gz"
    path.write_bytes(header(path.read_bytes(), *places))
    assert prepare(preparator, tmp_path) == (sentence,)
    assert sorted(folder.name for folder in (tmp_path / "data").iterdir()) == ["A", "C"]


def test_a_file_that_may_not_be_read_is_refused_with_patient_and_file(
    preparator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def forbidden(path: Path, *words: object, **named: object) -> object:
        if path.name == "B_flair.nii.gz":
            raise PermissionError(13, "Permission denied")
        return opened(path, *words, **named)

    for case in ("A", "B"):
        write_case(tmp_path / "raw", case)
    opened = Path.open
    monkeypatch.setattr(Path, "open", forbidden)
    assert prepare(preparator, tmp_path) == ("case B: B_flair.nii.gz cannot be read (Permission denied)",)


def test_a_prediction_with_a_header_that_lies_fails_alone(tmp_path: Path):
    for name in ("predictions", "labels", "local"):
        (tmp_path / name).mkdir()
    write_case(tmp_path, "P")
    good = (tmp_path / "P" / "P_seg.nii.gz").read_bytes()
    for name in ("good", *HEADERS):
        (tmp_path / "labels" / f"{name}_seg.nii.gz").write_bytes(good)
        (tmp_path / "predictions" / f"{name}.nii.gz").write_bytes(header(good, *HEADERS.get(name, [])))
    done = run_program(
        "metrics/evaluate.py",
        *("--predictions", tmp_path / "predictions", "--labels", tmp_path / "labels"),
        *("--parameters", EXAMPLE / "metrics" / "parameters.yaml"),
        *("--out", tmp_path / "results.yaml", "--local", tmp_path / "local"),
    )
    assert (done.returncode, done.stdout) == (0, "1 cases evaluated, 3 failed\n"), done.stderr
    cases = yaml.safe_load((tmp_path / "results.yaml").read_text(encoding="utf-8"))["cases"]
    assert {case for case, entry in cases.items() if entry is None} == set(HEADERS)
    assert cases["good"]["et"]["dice"] == 1
