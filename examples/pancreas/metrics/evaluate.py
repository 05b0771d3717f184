"""Compare predicted pancreas masks with labels, case by case: coarse by plane and voted, and fine.

Read: `<case>.nii.gz` in the labels; in the predictions `coarse/X`, `coarse/Y`, `coarse/Z` and `fine`, each with
`<case>.nii.gz`. Written: one entry a case, which the benchmark reduces at the site; and, where the folder is mounted,
cases.csv, which never leaves it. The declared policies:

- a stage without a file for a case has no value there (the case failed); the benchmark says what it counts as;
- both masks empty: Dice and surface Dice are what `both_empty` says (0 in the MedPerf pilot), distances are .nan;
- one mask empty: Dice and surface Dice 0, distances .nan;
- a mask that cannot be read, lies on another grid or holds anything but 0 and 1 is no prediction: all is refused.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from surface_distance import compute_robust_hausdorff, compute_surface_dice_at_tolerance, compute_surface_distances

PLANES = ("X", "Y", "Z")
STAGES = (*(f"coarse/{plane}" for plane in PLANES), "fine")
SAME_PLACE = 0.5  # mm by which corners of prediction and label may differ
UNDEFINED = float("nan")


class Malformed(Exception):
    """The input is not what was agreed; the message names case and file."""


@dataclass(frozen=True)
class Rules:
    """What the committee declared: tolerance of the surface in mm, and Dice where both masks are empty."""

    tolerance: float
    both_empty: float


@dataclass(frozen=True)
class Mask:
    """A mask (x, y, z) and its affine."""

    voxels: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm."""
        return tuple(float(size) for size in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def millilitres(self) -> float:
        """Volume of the mask."""
        return float(self.voxels.sum() * abs(np.linalg.det(self.affine[:3, :3])) / 1000)


def read_mask(path: Path, where: str, *, like: Mask | None = None) -> Mask:
    """Read a mask, as large as another one if that is given; `where` names case and file in what refuses it."""
    try:
        image: Any = nib.load(path)
        if like is not None and image.shape != like.voxels.shape:  # before it is read: a header may claim anything
            raise Malformed(f"{where} has the shape {image.shape}, the label has {like.voxels.shape}")
        voxels = np.asanyarray(image.dataobj)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise Malformed(f"{where} cannot be read as NIfTI") from error
    if voxels.dtype.kind not in "biuf" or not np.isin(voxels, (0, 1)).all():
        raise Malformed(f"{where} holds values other than 0 and 1")
    return Mask(voxels > 0, np.asarray(image.affine, dtype=float))


def check_grid(found: Mask, truth: Mask, where: str) -> None:
    """Refuse a prediction that does not lie on the grid of its label."""
    ends = np.array(np.meshgrid(*[(0, size - 1) for size in truth.voxels.shape], indexing="ij")).reshape(3, -1).T
    places = [nib.affines.apply_affine(one.affine, ends) for one in (found, truth)]
    if not np.linalg.norm(places[0] - places[1], axis=1).max() <= SAME_PLACE:  # also where an affine has a NaN
        raise Malformed(f"{where} lies elsewhere than its label")


def dice(found: np.ndarray, truth: np.ndarray, rules: Rules) -> float:
    """Return 2 |A ∩ B| / (|A| + |B|)."""
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else rules.both_empty


def score_fine(found: Mask, truth: Mask, rules: Rules) -> dict[str, float]:
    """Return every metric of the final mask. Surfaces: Nikolov et al. 2018, as in the package surface-distance."""
    scores = {
        "dice": dice(found.voxels, truth.voxels, rules),
        "surface_dice": 0.0,
        "hd95_mm": UNDEFINED,
        "volume_difference_ml": abs(found.millilitres - truth.millilitres),
    }
    if not found.voxels.any() and not truth.voxels.any():
        return scores | {"surface_dice": rules.both_empty}
    if not found.voxels.any() or not truth.voxels.any():
        return scores
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its author's import of a module that scipy renamed
        surfaces = compute_surface_distances(truth.voxels, found.voxels, truth.spacing)
    return scores | {
        "surface_dice": float(compute_surface_dice_at_tolerance(surfaces, rules.tolerance)),
        "hd95_mm": float(compute_robust_hausdorff(surfaces, 95)),
    }


def score_coarse(found: dict[str, Mask], truth: Mask, rules: Rules) -> dict[str, dict[str, float]]:
    """Return Dice of each plane that is there and, with all three, of what at least two of them hold."""
    scores = {plane: {"dice": dice(mask.voxels, truth.voxels, rules)} for plane, mask in found.items()}
    if len(found) == len(PLANES):
        votes = np.sum([mask.voxels for mask in found.values()], axis=0)
        scores["vote"] = {"dice": dice(votes >= 2, truth.voxels, rules)}
    return scores


def evaluate_case(case: str, label: Path, predictions: Path, rules: Rules) -> dict[str, Any] | None:
    """Return a case's metrics; None for a case without any prediction."""
    truth = read_mask(label, f"case {case}: label {label.name}")
    found: dict[str, Mask] = {}
    for stage in STAGES:
        path, where = predictions / stage / f"{case}.nii.gz", f"case {case}: {stage}/{case}.nii.gz"
        if path.is_file():
            found[stage] = read_mask(path, where, like=truth)
            check_grid(found[stage], truth, where)
    if not found:
        return None
    entry: dict[str, Any] = {}
    if planes := {stage.removeprefix("coarse/"): mask for stage, mask in found.items() if stage != "fine"}:
        entry["coarse"] = score_coarse(planes, truth, rules)
    if "fine" in found:
        entry["fine"] = score_fine(found["fine"], truth, rules)
    return entry


def evaluate(predictions: Path, labels: Path, rules: Rules) -> dict[str, dict[str, Any] | None]:
    """Return metrics by case, for every label."""
    truths = {path.name.removesuffix(".nii.gz"): path for path in sorted(labels.glob("*.nii.gz"))}
    if not truths:
        raise Malformed("the labels folder holds no <case>.nii.gz")
    for stage in STAGES:
        for path in sorted((predictions / stage).glob("*")):
            if path.name.removesuffix(".nii.gz") not in truths:
                raise Malformed(f"case {path.name.removesuffix('.nii.gz')}: {stage}/{path.name} has no label")
    return {case: evaluate_case(case, path, predictions, rules) for case, path in truths.items()}


def write_table(path: Path, cases: dict[str, dict[str, Any] | None]) -> None:
    """Write what stays at the site: one row a case."""
    names = [*(("coarse", plane, "dice") for plane in (*PLANES, "vote"))]
    names += [("fine", name) for name in ("dice", "surface_dice", "hd95_mm", "volume_difference_ml")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", *("_".join(name) for name in names)])
        for case, entry in cases.items():
            row: list[Any] = []
            for name in names:
                value: Any = entry
                for step in name:
                    value = value.get(step) if isinstance(value, dict) else None
                row.append("" if value is None else value)
            writer.writerow([case, *row])


def read_rules(path: Path) -> Rules:
    """Return the declared rules; there are no defaults, since they change the numbers."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    values = [content.get(name) if isinstance(content, dict) else None for name in ("tolerance_mm", "both_empty")]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise Malformed(f"{path.name}: it must say `tolerance_mm:` and `both_empty:`, each with a number")
    tolerance, both_empty = (float(value) for value in values)
    if tolerance <= 0 or not 0 <= both_empty <= 1:
        raise Malformed(f"{path.name}: tolerance_mm must be above 0, both_empty between 0 and 1")
    return Rules(tolerance, both_empty)


def main() -> None:
    """Evaluate the container's mounts, or what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, default=Path("/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out", type=Path, default=Path("/output/results.yaml"))
    parser.add_argument("--local", type=Path, default=Path("/output/local"))
    args = parser.parse_args()
    try:
        cases = evaluate(args.predictions, args.labels, read_rules(args.parameters))
    except Malformed as error:
        sys.exit(f"refused: {error}")
    args.out.write_text(yaml.safe_dump({"cases": cases}, sort_keys=False), encoding="utf-8")
    if args.local.is_dir():
        write_table(args.local / "cases.csv", cases)
    print(f"{len(cases)} cases evaluated, {sum(entry is None for entry in cases.values())} without a prediction")


if __name__ == "__main__":
    main()
