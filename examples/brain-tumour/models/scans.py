"""What the three models share: reading a patient's sequences, bringing them to one scale, writing a segmentation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

SEQUENCES = ("t1", "t1ce", "t2", "flair")
NECROSIS, OEDEMA, ENHANCING = 1, 2, 4
TOUCHING = ndimage.generate_binary_structure(3, 3)


class GivenUp(Exception):
    """A model cannot segment this patient; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient: each sequence in robust units of its own, where the brain is, and the grid of the scans."""

    name: str
    sequences: dict[str, np.ndarray]
    brain: np.ndarray
    affine: np.ndarray

    @property
    def edges(self) -> tuple[float, ...]:
        """The edges of a voxel in mm."""
        return tuple(nib.affines.voxel_sizes(self.affine))


def scale(volume: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Return a volume with median 0 and median absolute deviation 1 within the brain, and 0 outside."""
    inside = volume[brain]
    middle = np.median(inside)
    spread = np.median(np.abs(inside - middle)) or 1.0
    return np.where(brain, (volume - middle) / spread, 0).astype(np.float32)


def patient_of(name: str, volumes: dict[str, np.ndarray], affine: np.ndarray) -> Patient:
    """Bring the four sequences to one scale; the brain is where they are not zero, as BraTS has it."""
    brain = ndimage.binary_fill_holes(np.all([volume != 0 for volume in volumes.values()], axis=0))
    return Patient(name, {key: scale(volume, brain) for key, volume in volumes.items()}, brain, affine)


def read_patients(folder: Path) -> Iterator[Patient]:
    """Yield every prepared patient in the order of their names."""
    for path in sorted(folder.iterdir()):
        images = {name: nib.load(path / f"{path.name}_{name}.nii.gz") for name in SEQUENCES}
        volumes = {name: np.asarray(image.dataobj, np.float32) for name, image in images.items()}
        yield patient_of(path.name, volumes, images["t1"].affine)


def keep_large(mask: np.ndarray, least: float, edges: tuple[float, ...]) -> np.ndarray:
    """Return a mask without the connected parts smaller than `least` mm³."""
    parts, number = ndimage.label(mask, TOUCHING)
    sizes = np.bincount(parts.ravel(), minlength=number + 1) * np.prod(edges)
    sizes[0] = 0
    return (sizes >= least)[parts]


def smooth(volume: np.ndarray, mm: float, edges: tuple[float, ...]) -> np.ndarray:
    """Return a volume smoothed by a Gaussian of `mm`, whatever the grid."""
    return ndimage.gaussian_filter(volume, [mm / edge for edge in edges])


def enclosed(rim: np.ndarray, gap: float, edges: tuple[float, ...]) -> np.ndarray:
    """Return a rim with what it encloses, gaps of up to about `gap` mm being closed first."""
    steps = max(1, round(gap / 2 / min(edges)))
    padded = np.pad(rim, steps)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(padded, TOUCHING, iterations=steps))
    return closed[tuple(slice(steps, -steps) for _ in rim.shape)]


def infer(segment: Callable[[Patient], np.ndarray]) -> None:
    """Segment every patient among the container's mounts; who is given up gets no file, and standard error says why."""
    parser = argparse.ArgumentParser(description=segment.__doc__)
    parser.add_argument("--data", type=Path, default=Path("/input/data"))
    parser.add_argument("--out", type=Path, default=Path("/output/predictions"))
    args = parser.parse_args()
    done = given_up = 0
    for patient in read_patients(args.data):
        try:
            labels = segment(patient)
        except GivenUp as reason:
            print(f"case {patient.name}: no segmentation, {reason}", file=sys.stderr)
            given_up += 1
            continue
        nib.save(nib.Nifti1Image(labels.astype(np.uint8), patient.affine), args.out / f"{patient.name}.nii.gz")
        done += 1
    print(f"{done} cases segmented, {given_up} given up")
