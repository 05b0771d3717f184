"""Derive icbm152_3mm.nii.gz, the anatomy of every synthetic patient, from the ICBM 152 average that nilearn carries.

Four dimensions: x, y, z in voxels of 3 mm on the axes of BraTS (left, posterior, superior), then T1 signal, grey matter
and white matter, each from 0 to 255. The result stands in the repository; nobody needs to run this again. It needs
nilearn.

    python anatomy/make_anatomy.py --out anatomy/icbm152_3mm.nii.gz
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = Path(__file__).resolve().parent
STEP = 3
# Of the 197 x 233 x 189 voxels of 1 mm: the brain and a margin, in whole steps.
BOX = (slice(24, 174), slice(24, 213), slice(0, 159))


def reduce(volume: np.ndarray) -> np.ndarray:
    """Return the mean of each block of 3 x 3 x 3 voxels within the box."""
    x, y, z = (size // STEP for size in volume[BOX].shape)
    blocks = volume[BOX].reshape(x, STEP, y, STEP, z, STEP).astype(np.float64)
    return np.rint(blocks.mean(axis=(1, 3, 5))).astype(np.uint8)


def main() -> None:
    """Read the three images out of nilearn and write one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "icbm152_3mm.nii.gz")
    args = parser.parse_args()
    spec = importlib.util.find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise SystemExit("make_anatomy: nilearn is not installed here")
    folder = Path(spec.origin).parent / "datasets" / "data"
    names = [f"mni_icbm152_{part}_tal_nlin_sym_09a_converted.nii.gz" for part in ("t1", "gm", "wm")]
    volumes = [reduce(np.asanyarray(nib.load(folder / name).dataobj)) for name in names]
    # The source runs right, anterior, superior; BraTS runs left, posterior, superior.
    together = np.stack(volumes, axis=-1)[::-1, ::-1]
    affine = np.diag([-STEP, -STEP, STEP, 1.0])
    affine[1, 3] = (together.shape[1] - 1) * STEP
    image = nib.Nifti1Image(together, affine)
    image.header["descrip"] = b"ICBM 152 2009a average, 3 mm; see NOTICE.txt"
    args.out.write_bytes(gzip.compress(image.to_bytes(), mtime=0))
    print(f"{args.out}: {together.shape}, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
