"""Every way in which a raw case can be wrong is listed at once, each with one sentence that names case and file."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from .conftest import run_prepare, run_process, write

Slices = dict[str, bytes]


def sentences(stderr: str) -> dict[str, str]:
    """Return what was said of each case, and see that nothing else was said."""
    lines = [line.removeprefix("refused: ") for line in stderr.splitlines()]
    assert lines.pop() == "mend these cases and start again: the others are done"
    assert all(line.startswith("case ") for line in lines), stderr
    return dict(line.removeprefix("case ").split(": ", 1) for line in lines)


def nifti(values: np.ndarray, affine: np.ndarray, *, codes: tuple[int, int] = (1, 1), second: Any = None) -> bytes:
    """Return a .nii with a header of one's choice."""
    image = nib.Nifti1Image(values, affine)
    image.set_sform(affine, code=codes[0])
    image.set_qform(affine if second is None else second, code=codes[1])
    return image.to_bytes()


def compress(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def test_each_fault_of_a_nifti_case_is_named(maker: ModuleType, patient: Any, tmp_path: Path) -> None:
    image, label = maker.render_btcv(patient)
    hu, affine, organs = patient.hu, patient.affine, patient.labels
    turned = np.eye(4)
    turned[:2, :2] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    sheared = affine.copy()
    sheared[1, 2] = 3.0
    holes = hu.astype(np.float32)
    holes[3, 3, 3] = np.nan
    strange, corner = organs.copy(), np.zeros_like(organs)
    strange[40, 30, 20] = 17
    corner[:4, :4, :4] = 11
    upside_down = np.diag([1.0, 1, -1, 1]) @ affine
    off = abs(2 * affine[2, 3] + 31 * affine[2, 2])
    render = maker.render_nifti
    images: dict[str, bytes] = {
        "0002": image[:5000],
        "0003": b"this is no image",
        "0009": compress(nifti(hu, affine, codes=(0, 0))),
        "0010": compress(nifti(hu, affine, second=np.diag([-1.0, 1, 1, 1]) @ affine)),
        "0011": render(hu, turned @ affine),
        "0012": compress(nifti(hu, sheared, codes=(1, 0))),
        "0013": render(hu[..., None], affine),
        "0014": render(holes, affine),
        "0015": render(np.clip(hu // 4, 0, 255).astype(np.uint8), affine),
    }
    labels: dict[str, bytes] = {
        "0006": render(organs[:, :, 1:], affine),
        "0007": render(organs, upside_down),
        "0008": render(strange, affine),
        "0016": render(corner, affine),
        "0017": label[:300],
    }
    files: dict[str, bytes] = {}
    for number in range(1, 18):
        case = f"{number:04d}"
        files[f"data/img{case}.nii.gz"] = images.get(case, image)
        files[f"labels/label{case}.nii.gz"] = labels.get(case, label)
    del files["labels/label0004.nii.gz"], files["data/img0005.nii.gz"]
    files |= {"data/img1.nii.gz": image, "labels/again/label0001.nii.gz": label}
    raw = write(tmp_path / "raw", files)
    done = run_prepare(raw, tmp_path / "out")
    assert done.returncode == 1
    found = sentences(done.stderr)
    cut = {case: found.pop(case) for case in ("0002", "0003", "0017")}
    assert found == {
        "0001": "label0001.nii.gz is there twice",
        "0004": "label0004.nii.gz is not there",
        "0005": "label0005.nii.gz has no image",
        "0006": "label0006.nii.gz has the shape 72 × 56 × 31, its image img0006.nii.gz has 72 × 56 × 32",
        "0007": f"label0007.nii.gz lies elsewhere or is turned against its image img0007.nii.gz, by {off:.0f} mm",
        "0008": "label0008.nii.gz holds the value 17, which is not one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13",
        "0009": "img0009.nii.gz says no orientation in its header (qform_code and sform_code are 0)",
        "0010": "img0010.nii.gz says two orientations in its header, qform and sform differ",
        "0011": "img0011.nii.gz is tilted by 29 degrees against the patient, above 10",
        "0012": "img0012.nii.gz has a sheared grid (a tilted gantry?), its axes are not at right angles",
        "0013": "img0013.nii.gz is no volume, its shape is (72, 56, 32, 1)",
        "0014": "img0014.nii.gz holds voxels that are no numbers",
        "0015": "img0015.nii.gz is not in Hounsfield units, its values go from 0 to "
        f"{int(np.clip(hu // 4, 0, 255).max())}; air is about -1000, tissue about 50",
        "0016": f"label0016.nii.gz marks voxels of {np.median(hu[:4, :4, :4]):.0f} HU in the median, no organ: "
        "is it turned?",
        "img1.nii.gz": "img1.nii.gz is named neither like an image nor like a label",
    }
    assert cut["0002"].startswith("img0002.nii.gz cannot be read as NIfTI (")
    assert cut["0003"].startswith("img0003.nii.gz cannot be read as NIfTI (")
    assert cut["0017"].startswith("label0017.nii.gz cannot be read as NIfTI (")
    assert list((tmp_path / "out" / "data").iterdir()) == []


def edited(slices: Slices, name: str, change: Callable[[Any], None]) -> Slices:
    """Return the series with one slice changed."""
    item = pydicom.dcmread(io.BytesIO(slices[name]))
    change(item)
    content = io.BytesIO()
    pydicom.dcmwrite(content, item)
    return slices | {name: content.getvalue()}


def put(name: str, value: object) -> Callable[[Any], None]:
    return lambda item: setattr(item, name, value)


def fewer_rows(item: Any) -> None:
    item.Rows -= 1
    item.PixelData = item.PixelData[: item.Rows * item.Columns * 2]


def shifted(along: int, by: float) -> Callable[[Any], None]:
    """Move a slice along an axis, in mm."""

    def change(item: Any) -> None:
        item.ImagePositionPatient[along] = round(float(item.ImagePositionPatient[along]) + by, 4)

    return change


def test_each_fault_of_a_dicom_series_is_named(maker: ModuleType, patient: Any, tmp_path: Path) -> None:
    whole = maker.render_series(patient, name="faulty")
    some = dict(list(whole.items())[:8])  # eight slices are enough where the label is never looked at
    four, five = "1-004.dcm", "1-005.dcm"
    several = maker.render_nifti((maker.dicom_order(patient.labels) == 11) * np.uint8(11), maker.dicom_affine(patient))
    again = some | {"copy.dcm": some[four]}
    other = edited(some, five, put("SeriesInstanceUID", "1.2.3"))
    series: dict[str, Slices] = {
        "0021": whole,
        "0022": {name: content for name, content in some.items() if name != four},
        "0023": again,
        "0024": other,
        "0025": some | {"notes.dcm": b"this is no slice"},
        "0026": edited(some, four, lambda item: setattr(item, "PixelData", item.PixelData[:100])),
        "0027": edited(some, four, put("Modality", "MR")),
        "0028": edited(some, four, lambda item: delattr(item, "RescaleSlope")),
        "0029": edited(some, four, fewer_rows),
        "0030": edited(some, four, put("PixelSpacing", [3, 3])),
        "0031": edited(some, four, put("ImageOrientationPatient", [0, 1, 0, -1, 0, 0])),
        "0032": edited(some, four, shifted(1, 2.0)),
        "0033": edited(some, four, shifted(2, 0.4)),
        "0034": {four: some[four]},
        "0035": whole,
        "0036": edited(some, four, put("ImageOrientationPatient", [1, 0, 0, 1, 0, 0])),
        "0037": {name: content[:900] if name == four else content for name, content in some.items()},
    }
    label = maker.render_nih_label(patient)
    files = {
        f"data/PANCREAS_{case}/a/b/{name}": content for case, one in series.items() for name, content in one.items()
    }
    files |= {f"labels/label{case}.nii.gz": label for case in series} | {"labels/label0035.nii.gz": several}
    files |= {"data/patient-7/1.dcm": some[four], "data/img0034.nii.gz": b""}
    raw = write(tmp_path / "raw", files)
    done = run_prepare(raw, tmp_path / "out")
    assert done.returncode == 1
    found = sentences(done.stderr)
    assert found.pop("0026").startswith("1-004.dcm has pixels that cannot be decoded (")
    gap = patient.spacing[2]
    assert found == {
        "0022": f"a slice is missing between 1-005.dcm and 1-003.dcm: {2 * gap:.1f} mm apart, the others {gap:.1f} mm",
        "0023": "copy.dcm lies where 1-004.dcm lies, a slice is there twice",
        "0024": "1-005.dcm belongs to another series, the folder holds 2 of them",
        "0025": "notes.dcm is no DICOM file",
        "0027": "1-004.dcm is no CT slice, its modality is MR",
        "0028": "1-004.dcm lacks RescaleSlope",
        "0029": "1-004.dcm has 55 × 72 pixels, 1-001.dcm has 56 × 72",
        "0030": "1-004.dcm has another pixel spacing than 1-001.dcm",
        "0031": "1-004.dcm lies in another direction than 1-001.dcm",
        "0032": "1-004.dcm is shifted sideways by 2.0 mm (a tilted gantry?)",
        "0033": f"1-005.dcm and 1-004.dcm are {gap + 0.4:.2f} mm apart, the others {gap:.2f} mm",
        "0034": "img0034.nii.gz is a second image beside PANCREAS_0034",
        "0035": "label0035.nii.gz holds the value 11, which is not one of 0, 1",
        "0036": "1-004.dcm has no valid ImageOrientationPatient",
        "0037": "1-004.dcm lacks PixelSpacing",
        "patient-7": "patient-7 is named neither like an image nor like a label",
    }
    assert [path.name for path in (tmp_path / "out" / "data").iterdir()] == ["0021.nii.gz"]


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {"data/readme.txt": b"", "labels/readme.txt": b""})
    places = ("--data", raw / "data", "--labels", raw / "labels", "--report", tmp_path / "report.yaml")
    done = run_process("preparator/prepare.py", "prepare", *places)
    said = "there is neither an img0001.nii.gz nor a folder PANCREAS_0001 in the folder that was given"
    assert (done.returncode, done.stderr) == (1, f"refused: {said}\n")


@pytest.mark.parametrize("name", ["patient-7", "1.dcm"])
def test_a_case_that_is_not_understood_is_no_path_out_of_the_folder(name: str, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", {f"data/{name}" if name.endswith(".dcm") else f"data/{name}/1.dcm": b"x"})
    (raw / "labels").mkdir()
    done = run_prepare(raw, tmp_path / "out")
    assert f"case {name}: {name} is named neither like an image nor like a label" in done.stderr
