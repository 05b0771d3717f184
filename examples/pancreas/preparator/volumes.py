"""Read a CT or a label as a hospital has it, and refuse what is not what it should be, naming the file.

A volume comes back as voxels and an affine whose axes run to the patient's right, front and head as closely as the
grid allows (RAS); voxels are moved, never resampled, so spacing and position stay what the scanner said.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from pydicom.errors import BytesLengthException, InvalidDicomError

LARGEST_TILT = 10.0  # degrees between an axis of the grid and the nearest axis of the patient
SAME_PLACE = 0.5  # mm by which corners of label and image may differ
NEEDED = ("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "InstanceNumber",
          "Rows", "Columns", "RescaleSlope", "RescaleIntercept", "PixelData")  # fmt: skip
BROKEN_NIFTI = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error)
BROKEN_DICOM = (AttributeError, BytesLengthException, EOFError, KeyError, NotImplementedError, OSError, OverflowError,
                RuntimeError, TypeError, ValueError, struct.error, zlib.error)  # fmt: skip
MOST_VOXELS = 2**29  # a header that claims more is broken, and reading it would fill the memory


class Malformed(Exception):
    """The input is not what was agreed; the message is one sentence that names the file."""


@dataclass(frozen=True)
class Volume:
    """Voxels (x, y, z), RAS, and the affine to world coordinates in mm; `name` is the file or folder it came from.

    `instances` is there for a DICOM series alone: its instance numbers in the order of the slices as they were stacked.
    """

    name: str
    voxels: np.ndarray
    affine: np.ndarray
    instances: tuple[int, ...] = ()
    series_affine: np.ndarray | None = None

    @property
    def corners(self) -> np.ndarray:
        """World coordinates (8, 3) of the outermost voxels, in mm."""
        ends = np.array(np.meshgrid(*[(0, size - 1) for size in self.voxels.shape], indexing="ij")).reshape(3, -1)
        return nib.affines.apply_affine(self.affine, ends.T)


def read_nifti(path: Path, *, oriented: bool = True) -> Volume:
    """Read a .nii.gz; `oriented` asks for an orientation in its header, otherwise voxels stay as they lie."""
    try:
        image: Any = nib.load(path)
        if math.prod(image.shape) > MOST_VOXELS:
            raise Malformed(f"{path.name} says that its shape is {image.shape}, larger than any scan")
        voxels = np.asanyarray(image.dataobj)
    except FileNotFoundError as error:
        raise Malformed(f"{path.name} is not there") from error
    except BROKEN_NIFTI as error:
        raise Malformed(f"{path.name} cannot be read as NIfTI ({first_line(error)})") from error
    if voxels.ndim != 3 or min(voxels.shape) < 2:
        raise Malformed(f"{path.name} is no volume, its shape is {voxels.shape}")
    if voxels.dtype.kind not in "iuf" or not np.isfinite(voxels).all():
        raise Malformed(f"{path.name} holds voxels that are no numbers")
    if not oriented:
        return Volume(path.name, voxels, np.eye(4))
    check_codes(path.name, image)
    return to_ras(Volume(path.name, voxels, np.asarray(image.affine, dtype=float)))


def check_codes(name: str, image: Any) -> None:
    """Refuse a NIfTI header without an orientation, or with two that contradict each other."""
    header = image.header
    try:
        quaternion, matrix = header.get_qform(coded=True), header.get_sform(coded=True)
    except (HeaderDataError, ValueError) as error:
        raise Malformed(f"{name} says no valid orientation in its header ({first_line(error)})") from error
    if not quaternion[1] and not matrix[1]:
        raise Malformed(f"{name} says no orientation in its header (qform_code and sform_code are 0)")
    if quaternion[1] and matrix[1] and not np.allclose(quaternion[0][:3, :3], matrix[0][:3, :3], atol=0.01):
        raise Malformed(f"{name} says two orientations in its header, qform and sform differ")


def to_ras(volume: Volume) -> Volume:
    """Turn axes until they run to the right, the front and the head; refuse a grid that is tilted or sheared."""
    axes = volume.affine[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if not np.isfinite(volume.affine).all() or spacing.min() <= 0:
        raise Malformed(f"{volume.name} has a voxel size of {' × '.join(f'{size:g}' for size in spacing)} mm")
    units = axes / spacing
    if np.abs(units.T @ units - np.eye(3)).max() > 0.01:
        raise Malformed(f"{volume.name} has a sheared grid (a tilted gantry?), its axes are not at right angles")
    tilt = np.degrees(np.arccos(np.clip(np.abs(units).max(axis=0), 0, 1))).max()
    if tilt > LARGEST_TILT:
        raise Malformed(f"{volume.name} is tilted by {tilt:.0f} degrees against the patient, above {LARGEST_TILT:.0f}")
    turn = nib.io_orientation(volume.affine)
    shape = volume.voxels.shape
    return Volume(
        volume.name,
        nib.apply_orientation(volume.voxels, turn),
        volume.affine @ nib.orientations.inv_ornt_aff(turn, shape),
        volume.instances,
        volume.series_affine,
    )


def read_series(folder: Path) -> Volume:
    """Read the one DICOM CT series in and below a folder, in HU; a slice too few or too many is refused by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and is_slice(path))
    if len(files) < 2:
        raise Malformed(f"{folder.name} holds {len(files)} DICOM files, too few for a volume")
    slices = [read_slice(path) for path in files]
    check_one_series(slices)
    along, offsets = check_alike(slices)
    order = np.argsort(offsets, kind="stable")
    slices, offsets = [slices[place] for place in order], offsets[order]
    gap = check_gaps(slices, offsets, along)
    voxels = np.stack([hounsfield(item) for item in slices], axis=-1)
    across, down = directions(slices[0])
    row_gap, column_gap = (float(value) for value in slices[0].PixelSpacing)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([across * column_gap, down * row_gap, along * gap])
    affine[:3, 3] = position(slices[0])
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # DICOM's x and y run to the left and to the back
    instances = tuple(int(item.InstanceNumber) for item in slices)
    return to_ras(Volume(folder.name, voxels, affine, instances, affine))


def is_slice(path: Path) -> bool:
    """Tell whether a file in a patient's folder is meant as a slice: not a hidden file, a licence or an index."""
    return not path.name.startswith(".") and path.name.upper() not in {"LICENSE", "LICENSE.TXT", "DICOMDIR"}


def read_slice(path: Path) -> Any:
    """Read one DICOM file with what a CT slice needs; `source_name` keeps its name for later sentences."""
    try:
        item: Any = pydicom.dcmread(path)
        item.source_name = path.name
        check_slice(item)
    except InvalidDicomError as error:
        raise Malformed(f"{path.name} is no DICOM file") from error
    except BROKEN_DICOM as error:  # values are decoded where they are first asked for
        raise Malformed(f"{path.name} cannot be read as DICOM ({first_line(error)})") from error
    return item


def check_slice(item: Any) -> None:
    """Refuse what is no single grey CT slice, or lacks what places it and turns it into HU."""
    name = item.source_name
    if item.get("Modality") != "CT":
        raise Malformed(f"{name} is no CT slice, its modality is {item.get('Modality')}")
    for needed in NEEDED:
        if item.get(needed) is None:
            raise Malformed(f"{name} lacks {needed}")
    for single in ("RescaleSlope", "RescaleIntercept", "InstanceNumber"):
        if not isinstance(item[single].value, (int, float)) or not math.isfinite(item[single].value):
            raise Malformed(f"{name} has no valid {single}")
    if int(item.get("NumberOfFrames", 1) or 1) != 1 or int(item.get("SamplesPerPixel", 1) or 1) != 1:
        raise Malformed(f"{name} is no single grey slice")


def check_one_series(slices: Sequence[Any]) -> None:
    """Refuse a folder with slices of more than one series; name a file of the smallest."""
    counts = Counter(str(item.SeriesInstanceUID) for item in slices)
    if len(counts) > 1:
        least = min(counts, key=lambda series: (counts[series], series))
        other = next(item.source_name for item in slices if item.SeriesInstanceUID == least)
        raise Malformed(f"{other} belongs to another series, the folder holds {len(counts)} of them")


def check_alike(slices: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Refuse slices of different size, spacing or direction; return the axis across them and their places on it, mm."""
    first = slices[0]
    across, down = directions(first)
    along = np.cross(across, down)
    for item in slices:
        if (item.Rows, item.Columns) != (first.Rows, first.Columns):
            sizes = f"{item.Rows} × {item.Columns} pixels, {first.source_name} has {first.Rows} × {first.Columns}"
            raise Malformed(f"{item.source_name} has {sizes}")
        if not np.allclose(numbers(item, "PixelSpacing"), numbers(first, "PixelSpacing"), rtol=1e-3):
            raise Malformed(f"{item.source_name} has another pixel spacing than {first.source_name}")
        if not np.allclose(directions(item), (across, down), atol=1e-3):
            raise Malformed(f"{item.source_name} lies in another direction than {first.source_name}")
    places = np.array([position(item) for item in slices])
    offsets = places @ along
    aside = places - np.outer(offsets, along)
    for item, shift in zip(slices, np.abs(aside - aside[0]).max(axis=1), strict=True):
        if shift > SAME_PLACE:
            raise Malformed(f"{item.source_name} is shifted sideways by {shift:.1f} mm (a tilted gantry?)")
    return along, offsets


def check_gaps(slices: Sequence[Any], offsets: np.ndarray, along: np.ndarray) -> float:
    """Refuse a slice that stands twice or is missing; return the distance of slices in mm."""
    gaps = np.diff(offsets)
    usual = float(np.median(gaps))
    for first, second, gap in zip(slices, slices[1:], gaps, strict=False):
        if gap < 0.01 or gap < usual / 2:
            raise Malformed(f"{second.source_name} lies where {first.source_name} lies, a slice is there twice")
    for first, second, gap in zip(slices, slices[1:], gaps, strict=False):
        if gap > 1.5 * usual:
            between = f"{first.source_name} and {second.source_name}"
            raise Malformed(f"a slice is missing between {between}: {gap:.1f} mm apart, the others {usual:.1f} mm")
        if abs(gap - usual) > max(0.02 * usual, 0.05):
            between = f"{first.source_name} and {second.source_name}"
            raise Malformed(f"{between} are {gap:.2f} mm apart, the others {usual:.2f} mm")
    assert np.isclose(np.linalg.norm(along), 1, atol=1e-3)
    return float(offsets[-1] - offsets[0]) / (len(slices) - 1)


def directions(item: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors along a row and down a column, in DICOM's coordinates."""
    six = numbers(item, "ImageOrientationPatient")
    two = six.reshape(2, 3) if six.shape == (6,) else np.zeros((2, 3))
    if not np.allclose(two @ two.T, np.eye(2), atol=0.01):
        raise Malformed(f"{item.source_name} has no valid ImageOrientationPatient")
    across, down = two / np.linalg.norm(two, axis=1, keepdims=True)
    return across, down


def position(item: Any) -> np.ndarray:
    """Return where the first pixel lies, in DICOM's coordinates, mm."""
    three = numbers(item, "ImagePositionPatient")
    if three.shape != (3,):
        raise Malformed(f"{item.source_name} has no valid ImagePositionPatient")
    return three


def numbers(item: Any, name: str) -> np.ndarray:
    """Return a DICOM value of several numbers; refuse what is none."""
    try:
        found = np.array([float(value) for value in item[name].value])
    except (TypeError, ValueError) as error:
        raise Malformed(f"{item.source_name} has no valid {name}") from error
    if not np.isfinite(found).all():
        raise Malformed(f"{item.source_name} has no valid {name}")
    return found


def hounsfield(item: Any) -> np.ndarray:
    """Return a slice (column, row) in HU: stored value × RescaleSlope + RescaleIntercept."""
    try:
        stored = item.pixel_array
    except BROKEN_DICOM as error:
        raise Malformed(f"{item.source_name} has pixels that cannot be decoded ({first_line(error)})") from error
    return (stored * float(item.RescaleSlope) + float(item.RescaleIntercept)).astype(np.float32).T


def label_as_stored(path: Path, image: Volume) -> Volume:
    """Read a label whose header is not believed: columns, rows, and slices by instance number, as the series."""
    label = read_nifti(path, oriented=False)
    if image.series_affine is None:
        raise Malformed(f"{path.name} belongs to no DICOM series")
    if label.voxels.shape[2] != len(image.instances):
        count = f"{label.voxels.shape[2]} slices, the series {image.name} has {len(image.instances)}"
        raise Malformed(f"{path.name} has {count}")
    ranks = np.argsort(np.argsort(image.instances))
    return to_ras(Volume(path.name, label.voxels[:, :, ranks], image.series_affine))


def check_hounsfield(image: Volume) -> np.ndarray:
    """Return the image as int16 HU, and refuse values that cannot be HU: without air or without tissue."""
    low, high = float(image.voxels.min()), float(image.voxels.max())
    if low > -500 or high < 0 or low < -32768 or high > 32767:
        what = f"its values go from {low:g} to {high:g}; air is about -1000, tissue about 50"
        raise Malformed(f"{image.name} is not in Hounsfield units, {what}")
    return np.rint(image.voxels).astype(np.int16)


def check_label(label: Volume, image: Volume, *, allowed: Sequence[int], pancreas: int) -> np.ndarray:
    """Return the pancreas as 0 and 1, and refuse a label that does not lie on its image or has values not agreed."""
    if label.voxels.shape != image.voxels.shape:
        shapes = f"{plain(label.voxels.shape)}, its image {image.name} has {plain(image.voxels.shape)}"
        raise Malformed(f"{label.name} has the shape {shapes}")
    off = float(np.linalg.norm(label.corners - image.corners, axis=1).max())
    if off > SAME_PLACE:
        raise Malformed(f"{label.name} lies elsewhere or is turned against its image {image.name}, by {off:.0f} mm")
    strange = sorted(set(np.unique(label.voxels).tolist()) - set(allowed))
    if strange:
        raise Malformed(f"{label.name} holds the value {strange[0]:g}, which is not one of {plain(allowed, ', ')}")
    mask = (label.voxels == pancreas).astype(np.uint8)
    if mask.any():
        middle = float(np.median(image.voxels[mask > 0]))
        if not -150 < middle < 400:
            raise Malformed(f"{label.name} marks voxels of {middle:.0f} HU in the median, no organ: is it turned?")
    return mask


def plain(values: Sequence[float], joint: str = " × ") -> str:
    """Write numbers for a sentence."""
    return joint.join(f"{value:g}" for value in values)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, without its last stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:200] if lines else type(error).__name__
