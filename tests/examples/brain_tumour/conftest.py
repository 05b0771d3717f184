"""The brain tumour pilot's programs, run as its containers run them but without a container."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "brain-tumour"
# The axes of BraTS: left, posterior, superior.
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
SHAPE = (12, 11, 10)


def load_program(relative: str, name: str) -> ModuleType:
    """Import one of the pilot's programs by path."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLE / relative)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def run_program(relative: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of the pilot's programs and return code and output."""
    command = [sys.executable, str(EXAMPLE / relative), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def write_volume(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    """Write a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, affine), path)


def read_voxels(path: Path) -> np.ndarray:
    """Read a NIfTI file's voxels."""
    return np.asanyarray(nib.load(path).dataobj)


def write_case(folder: Path, case: str, *, style: str = "2020", enhancing: int = 4) -> None:
    """Write a small patient with all five files, in the naming of BraTS 2020 or 2023."""
    names = ("_t1", "_t1ce", "_t2", "_flair", "_seg") if style == "2020" else ("-t1n", "-t1c", "-t2w", "-t2f", "-seg")
    for number, name in enumerate(names[:4]):
        ramp = np.arange(np.prod(SHAPE)).reshape(SHAPE) + 1000 * number
        write_volume(folder / case / f"{case}{name}.nii.gz", ramp.astype(np.int16))
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:9, 2:9, 2:9], labels[3:7, 3:7, 3:7], labels[4:6, 4:6, 4:6] = 2, enhancing, 1
    write_volume(folder / case / f"{case}{names[4]}.nii.gz", labels)


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """The program that makes the synthetic patients."""
    return load_program("make_data.py", "brain_tumour_make_data")
