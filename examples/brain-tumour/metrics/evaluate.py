"""Compare segmentations with the reference: for each patient and region eight numbers, one entry a patient.

Regions: ET enhancing tumour (label 4), TC tumour core (1 and 4), WT whole tumour (1, 2 and 4). A prediction may write 3
for 4, as BraTS does since 2023. Surfaces and distances: DeepMind's surface-distance, in mm (Nikolov et al. 2018,
arXiv:1809.04430). Lesion by lesion: as in BraTS 2023 (github.com/rachitsaluja/BraTS-2023-Metrics, commit 0c603fc).

What counts where something is empty:
- Neither reference nor prediction has the region: Dice, surface Dice, sensitivity and precision 1, HD95 0.
- Only one of them has it: Dice, surface Dice, sensitivity and precision 0, HD95 the penalty.
- A patient without a prediction, or with one that cannot be read, is on another grid or has another label, failed: the
  entry is null, and the benchmark counts it as the worst value of each metric. The reason goes to the local outputs.
"""

from __future__ import annotations

import argparse
import csv
import sys
import zlib
from dataclasses import dataclass, fields
from pathlib import Path

import nibabel as nib
import numpy as np
import surface_distance
import yaml
from scipy import ndimage

REGIONS = {"et": (4,), "tc": (1, 4), "wt": (1, 2, 4)}
LABELS = frozenset({0, 1, 2, 4})
ENDING = "_seg.nii.gz"
NEAR = 1e-3  # mm
STEP = ndimage.generate_binary_structure(3, 2)  # by which lesions are dilated: faces and edges
TOUCHING = ndimage.generate_binary_structure(3, 3)  # what is connected: faces, edges and corners
UNREADABLE = (
    OSError, EOFError, ValueError, zlib.error, nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError
)  # fmt: skip


class Malformed(Exception):
    """The input is not what was agreed; the message names case and file."""


class Failed(Exception):
    """A patient's prediction cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the committee declared; there are no defaults, since each changes the numbers."""

    tolerance_mm: float  # of the surface Dice
    penalty_mm: float  # HD95 of a region or lesion that is missed or invented
    lesion_dilation_mm: float  # parts of the reference that meet when dilated by this are one lesion
    lesion_least_mm3: float  # lesions of the reference up to this volume are left out

    @classmethod
    def read(cls, path: Path) -> Parameters:
        """Read them; Malformed where one is missing or no number above zero."""
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
        values = content if isinstance(content, dict) else {}
        for field in fields(cls):
            value = values.get(field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise Malformed(f"{path.name}: it must say `{field.name}:` with a number above 0")
        return cls(**{field.name: float(values[field.name]) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Lesion:
    """One lesion of the reference, and how well the parts of the prediction that touch it match."""

    volume_mm3: float
    found: bool
    dice: float
    hd95: float


def share(part: float, whole: float, *, empty: float) -> float:
    """Return part / whole, and `empty` where there is no whole."""
    return float(part / whole) if whole else empty


def distances(truth: np.ndarray, found: np.ndarray, edges: tuple[float, ...], rules: Parameters) -> tuple[float, float]:
    """Return HD95 in mm, at most the penalty, and the surface Dice."""
    if not truth.any() and not found.any():
        return 0.0, 1.0
    if not truth.any() or not found.any():
        return rules.penalty_mm, 0.0
    between = surface_distance.compute_surface_distances(truth, found, edges)
    hd95 = float(surface_distance.compute_robust_hausdorff(between, 95))
    dice = float(surface_distance.compute_surface_dice_at_tolerance(between, rules.tolerance_mm))
    return min(hd95, rules.penalty_mm), dice


def dice_of(truth: np.ndarray, found: np.ndarray) -> float:
    """Return 2 |A ∩ B| / (|A| + |B|), and 1 where both are empty."""
    return share(2 * (truth & found).sum(), truth.sum() + found.sum(), empty=1.0)


def box_around(mask: np.ndarray, margin: int) -> tuple[slice, ...]:
    """Return the box around what is marked, with a margin inside the volume; something must be marked."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box)


def find_lesions(
    truth: np.ndarray, found: np.ndarray, edges: tuple[float, ...], rules: Parameters
) -> tuple[list[Lesion], int]:
    """Return the lesions of the reference, and how many parts of the prediction touch none of them.

    Parts of the reference that meet when dilated are one lesion, with its own voxels. To a lesion belong all connected
    parts of the prediction that reach into its dilation. A dilation is as many steps as fit the declared mm best.
    """
    if not (truth | found).any():
        return [], 0
    steps = max(1, round(rules.lesion_dilation_mm / min(edges)))
    box = box_around(truth | found, steps)
    truth, found = truth[box], found[box]
    groups, number = ndimage.label(ndimage.binary_dilation(truth, STEP, iterations=steps), TOUCHING)
    parts, parts_number = ndimage.label(found, TOUCHING)
    lesions, taken = [], set()
    for group in range(1, number + 1):
        own = truth & (groups == group)
        reach = ndimage.binary_dilation(own, STEP, iterations=steps)
        touching = set(np.unique(parts[reach]).tolist()) - {0}
        taken |= touching
        matched = np.isin(parts, list(touching))
        hd95 = distances(own, matched, edges, rules)[0]
        lesions.append(Lesion(float(own.sum() * np.prod(edges)), bool(touching), dice_of(own, matched), hd95))
    return lesions, parts_number - len(taken)


def lesion_scores(lesions: list[Lesion], invented: int, rules: Parameters) -> tuple[float, float]:
    """Return Dice and HD95 by lesion: the mean over lesions that are large enough and invented parts (0, penalty)."""
    counted = [lesion for lesion in lesions if lesion.volume_mm3 > rules.lesion_least_mm3]
    number = len(counted) + invented
    dice = share(sum(lesion.dice for lesion in counted), number, empty=1.0)
    hd95 = share(sum(lesion.hd95 for lesion in counted) + invented * rules.penalty_mm, number, empty=0.0)
    return dice, hd95


def evaluate_region(
    truth: np.ndarray, found: np.ndarray, edges: tuple[float, ...], rules: Parameters
) -> tuple[dict[str, float], list[Lesion], int]:
    """Return the eight metrics of one region of one patient, its lesions, and the number of invented ones."""
    both, only_found, only_truth = (int(mask.sum()) for mask in (truth & found, found & ~truth, truth & ~found))
    neither = truth.size - both - only_found - only_truth
    hd95, surface_dice = distances(truth, found, edges, rules)
    lesions, invented = find_lesions(truth, found, edges, rules)
    lesion_dice, lesion_hd95 = lesion_scores(lesions, invented, rules)
    nothing = 1.0 if both + only_found + only_truth == 0 else 0.0
    scores = {
        "dice": dice_of(truth, found),
        "hd95": hd95,
        "sensitivity": share(both, both + only_truth, empty=nothing),
        "specificity": share(neither, neither + only_found, empty=1.0),
        "precision": share(both, both + only_found, empty=nothing),
        "surface_dice": surface_dice,
        "lesion_dice": lesion_dice,
        "lesion_hd95": lesion_hd95,
    }
    return scores, lesions, invented


def read_reference(case: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a patient's reference labels and their affine."""
    try:
        image = nib.load(path)
        labels = np.asanyarray(image.dataobj)
    except UNREADABLE as error:
        raise Malformed(f"case {case}: {path.name} cannot be read as NIfTI ({type(error).__name__})") from error
    if labels.ndim != 3 or not set(np.unique(labels).tolist()) <= LABELS:
        raise Malformed(f"case {case}: {path.name} is no volume of the labels 0, 1, 2 and 4")
    return labels, image.affine


def read_prediction(path: Path, reference: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return a patient's predicted labels with 4 as enhancing tumour; Failed where they cannot be used."""
    if not path.is_file():
        raise Failed("there is no prediction")
    try:
        image = nib.load(path)
        if image.shape != reference.shape:  # before it is read: a header may claim more than the memory holds
            raise Failed(f"it has {'x'.join(map(str, image.shape))} voxels, not {'x'.join(map(str, reference.shape))}")
        labels = np.asanyarray(image.dataobj)
    except UNREADABLE as error:
        raise Failed(f"it cannot be read as NIfTI ({type(error).__name__})") from error
    if not np.allclose(image.affine, affine, rtol=0, atol=NEAR):
        raise Failed("it lies elsewhere in space than the scans: another affine")
    found = set(np.unique(labels).tolist())
    if not found <= LABELS | {3} or {3, 4} <= found:
        raise Failed("it has other labels than 0, 1, 2 and 4 (or 3)")
    return np.where(labels == 3, 4, labels)


def find_cases(predictions: Path, labels: Path) -> list[str]:
    """Return the patients of the reference; Malformed where there is none, or a prediction belongs to nobody."""
    cases = sorted(path.name.removesuffix(ENDING) for path in labels.glob(f"*{ENDING}"))
    if not cases:
        raise Malformed(f"the folder of labels holds no file that ends in {ENDING}")
    for path in sorted(predictions.glob("*.nii.gz")):
        if path.name.removesuffix(".nii.gz") not in cases:
            raise Malformed(f"{path.name}: this prediction belongs to no case")
    return cases


def evaluate(predictions: Path, labels: Path, rules: Parameters) -> tuple[dict[str, object], list[list[object]]]:
    """Return the entry of each patient, and the lines of the local table."""
    entries: dict[str, object] = {}
    lines: list[list[object]] = []
    for case in find_cases(predictions, labels):
        reference, affine = read_reference(case, labels / f"{case}{ENDING}")
        edges = tuple(float(edge) for edge in nib.affines.voxel_sizes(affine))
        try:
            predicted = read_prediction(predictions / f"{case}.nii.gz", reference, affine)
        except Failed as reason:
            entries[case] = None
            lines.append([case, "", "failed", str(reason)])
            continue
        scores = {}
        for region, values in REGIONS.items():
            truth, found = np.isin(reference, values), np.isin(predicted, values)
            scores[region], lesions, invented = evaluate_region(truth, found, edges, rules)
            hit = sum(lesion.found for lesion in lesions)
            lines += [[case, region, name, value] for name, value in scores[region].items()]
            lines.append([case, region, "lesions", f"{hit} of {len(lesions)} found, {invented} invented"])
        entries[case] = scores
    return entries, lines


def main() -> None:
    """Evaluate the container's mounts, or what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, default=Path("/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out", type=Path, default=Path("/output/results.yaml"))
    parser.add_argument("--local", type=Path, default=Path("/output/local"), help="folder that stays at the site")
    args = parser.parse_args()
    try:
        entries, lines = evaluate(args.predictions, args.labels, Parameters.read(args.parameters))
    except Malformed as error:
        sys.exit(f"refused: {error}")
    args.out.write_text(yaml.safe_dump({"cases": entries}, sort_keys=False), encoding="utf-8")
    if args.local.is_dir():
        with (args.local / "cases.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([["case", "region", "what", "value"], *lines])
    failed = sum(entry is None for entry in entries.values())
    print(f"{len(entries) - failed} cases evaluated, {failed} failed")


if __name__ == "__main__":
    main()
