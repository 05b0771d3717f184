"""Read prepared CT volumes and write masks: what the models of this pilot share.

Predictions, the pilot's convention: `coarse/X`, `coarse/Y`, `coarse/Z` hold what was found by looking along each axis,
`fine` the final mask; one <case>.nii.gz a case in each, on the grid of its image, 0 or 1.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import binary_closing, binary_fill_holes, find_objects, gaussian_filter, label, zoom

DATA = Path("/input/data")
PREDICTIONS = Path("/output/predictions")
PLANES = ("X", "Y", "Z")
GRID = 4.0  # mm; models look at finer scans at about this


@dataclass(frozen=True)
class Scan:
    """A prepared CT: HU (x, y, z), axes to the right, the front and the head; voxel size in mm."""

    hu: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def folders(arguments: Sequence[str]) -> tuple[Path, Path]:
    """Return input and output folder: the mounts of the container, or the two that were given."""
    if not arguments:
        return DATA, PREDICTIONS
    if len(arguments) != 2:
        sys.exit("usage: infer.py [DATA_FOLDER PREDICTIONS_FOLDER]")
    return Path(arguments[0]), Path(arguments[1])


def iter_scans(folder: Path) -> Iterator[tuple[str, Scan]]:
    """Yield every case with its scan; end with a sentence where there is none, or one cannot be read."""
    paths = sorted(folder.glob("*.nii.gz"))
    if not paths:
        sys.exit("refused: the data folder holds no <case>.nii.gz")
    for path in paths:
        case = path.name.removesuffix(".nii.gz")
        try:
            image = nib.load(path)
            yield case, Scan(np.asanyarray(image.dataobj).astype(np.float32), np.asarray(image.affine))
        except (nib.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
            sys.exit(f"refused: case {case}: {path.name} cannot be read ({error})")


def write_masks(folder: Path, case: str, scan: Scan, *, coarse: dict[str, np.ndarray], fine: np.ndarray) -> None:
    """Write the four masks of a case."""
    for place, mask in (*((f"coarse/{plane}", coarse[plane]) for plane in PLANES), ("fine", fine)):
        (folder / place).mkdir(parents=True, exist_ok=True)
        image = nib.Nifti1Image(mask.astype(np.uint8), scan.affine)
        image.header.set_xyzt_units("mm")
        content = gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
        (folder / place / f"{case}.nii.gz").write_bytes(content)


def body_frame(scan: Scan) -> np.ndarray:
    """Return each voxel's place in the body, (x, y, z, 3): 0 to 1 across the body's box, and over the scan's height."""
    body = largest(binary_fill_holes(gaussian_filter(scan.hu, 1) > -400))
    box = find_objects(body.astype(np.int8))[0] if body.any() else tuple(slice(0, size) for size in scan.hu.shape)
    sizes = zip(scan.hu.shape, box, strict=True)
    axes = [(np.arange(size) - part.start + 0.5) / (part.stop - part.start) for size, part in sizes]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


def largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask."""
    parts, count = label(mask)
    if count < 2:
        return mask.astype(bool)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return parts == sizes.argmax()


def tidy(mask: np.ndarray) -> np.ndarray:
    """Close gaps, fill holes and keep the largest part."""
    return binary_fill_holes(largest(binary_closing(mask) | mask))


def thinned(scan: Scan) -> Scan:
    """Return a scan whose voxels are not much finer than GRID."""
    factors = np.minimum(1.0, scan.spacing / GRID)
    if factors.min() > 0.8:
        return scan
    hu = zoom(gaussian_filter(scan.hu, 0.4 / factors), factors, order=1)
    affine = scan.affine.copy()
    affine[:3, :3] = affine[:3, :3] * (np.array(scan.hu.shape) / hu.shape)
    return Scan(hu, affine)


def enlarged(share: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a map of shares on the grid of the scan."""
    if share.shape == shape:
        return share
    return zoom(share, np.array(shape) / share.shape, order=1, grid_mode=True, mode="nearest")
