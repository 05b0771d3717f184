"""Files that are broken on purpose: headers that lie are told from scans, by a sentence and before memory runs out."""

from __future__ import annotations

import gzip
import io
import math
import struct
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from .conftest import PILOT, loaded, run_main, run_prepare, write


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
CONTRADICTORY = [("h", 252, 1), *(("f", 256 + 4 * part, 1.0) for part in range(3))]  # no rotation at all


def sentences(stderr: str) -> dict[str, str]:
    """Return what was said of each case."""
    lines = [line.removeprefix("refused: case ") for line in stderr.splitlines() if line.startswith("refused: case ")]
    return dict(line.split(": ", 1) for line in lines)


def coloured() -> bytes:
    """Return a volume of colours."""
    colours = np.zeros((8, 8, 8), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    return gzip.compress(nib.Nifti1Image(colours, np.eye(4)).to_bytes(), mtime=0)


def test_a_header_that_lies_is_refused_with_case_and_file(maker: ModuleType, patient: Any, tmp_path: Path) -> None:
    image, label = maker.render_btcv(patient)
    images = {
        "0001": header(image, *VAST),
        "0002": header(image, *ODD),
        "0003": header(image, *NOWHERE, ("h", 252, 0)),
        "0004": header(image, *CONTRADICTORY),
        "0005": coloured(),
    }
    files = {f"data/img{case}.nii.gz": content for case, content in images.items()}
    raw = write(tmp_path / "raw", files | {f"labels/label{case}.nii.gz": label for case in (*images, "0006")})
    (raw / "data" / "img0006.nii.gz").symlink_to("nowhere")
    done = run_prepare(raw, tmp_path / "out")
    assert done.returncode == 1
    found = sentences(done.stderr)
    assert found.pop("0002").startswith("img0002.nii.gz cannot be read as NIfTI (data code 9999")
    assert found.pop("0003").startswith("img0003.nii.gz has a voxel size of nan")
    assert found.pop("0004").startswith("img0004.nii.gz says no valid orientation in its header (")
    assert found == {
        "0001": "img0001.nii.gz says that its shape is (32767, 32767, 32767), larger than any scan",
        "0005": "img0005.nii.gz holds voxels that are no numbers",
        "0006": "img0006.nii.gz cannot be read (No such file or directory)",
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("RescaleSlope", b"nan ", "1-004.dcm has no valid RescaleSlope"),
        ("RescaleSlope", b"1\\2 ", "1-004.dcm has no valid RescaleSlope"),
        ("InstanceNumber", b"1\\2 ", "1-004.dcm has no valid InstanceNumber"),
        ("ImagePositionPatient", b"nan\\0\\0 ", "1-004.dcm has no valid ImagePositionPatient"),
        ("Rows", b"\1\2\3", "1-004.dcm cannot be read as DICOM (Expected total bytes to be an even multiple"),
    ],
)
def test_a_value_of_dicom_that_is_none_is_refused_with_the_file(
    maker: ModuleType, patient: Any, tmp_path: Path, name: str, value: bytes, sentence: str
) -> None:
    some = dict(list(maker.render_series(patient, name="broken").items())[:5])
    item = pydicom.dcmread(io.BytesIO(some["1-004.dcm"]))
    tag = pydicom.tag.Tag(name)
    item._dict[tag] = pydicom.dataelem.RawDataElement(tag, item[name].VR, len(value), value, 0, False, True)
    content = io.BytesIO()
    pydicom.dcmwrite(content, item)
    folder = write(tmp_path, some | {"1-004.dcm": content.getvalue()})
    volumes = loaded("volumes")
    with pytest.raises(volumes.Malformed) as fault:
        volumes.read_series(folder)
    assert str(fault.value).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (VAST, "has the shape (32767, 32767, 32767), the label has (8, 8, 8)"),
        (ODD, "cannot be read as NIfTI"),
        (NOWHERE, "lies elsewhere than its label"),
        (coloured(), "holds values other than 0 and 1"),
    ],
    ids=[*HEADERS, "coloured"],
)
def test_a_mask_with_a_header_that_lies_is_refused(content: Any, sentence: str, tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.ones((8, 8, 8), np.uint8), np.eye(4))
    image.set_sform(np.eye(4), code=1)
    good = gzip.compress(image.to_bytes(), mtime=0)
    mask = content if isinstance(content, bytes) else header(good, *content)
    write(tmp_path, {"labels/A.nii.gz": good, "predictions/fine/A.nii.gz": mask})
    done = run_main(
        loaded("evaluate"),
        *("--predictions", tmp_path / "predictions", "--labels", tmp_path / "labels"),
        *("--parameters", PILOT / "metrics" / "parameters.yaml", "--out", tmp_path / "results.yaml"),
    )
    assert (done.returncode, done.stderr) == (1, f"refused: case A: fine/A.nii.gz {sentence}\n")
