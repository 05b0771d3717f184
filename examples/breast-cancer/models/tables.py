"""Read prepared cases and write predictions; the standard library is enough."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

FEATURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
DATA = Path("/input/data")
PREDICTIONS = Path("/output/predictions")


def read_table(path: Path) -> tuple[list[str], list[list[float]]]:
    """Return case ids and the ten features of each case, in file order."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["case"] for row in rows], [[float(row[feature]) for feature in FEATURES] for row in rows]


def read_development(path: Path) -> tuple[list[list[float]], list[int]]:
    """Return features and labels (1 malignant, 0 benign) of the training table."""
    with path.open(newline="", encoding="utf-8") as file:
        labels = [int(row["malignant"]) for row in csv.DictReader(file)]
    return read_table(path)[1], labels


def folders(arguments: Sequence[str]) -> tuple[Path, Path]:
    """Return input and output folder: the mounts of the container, or the two that were given."""
    if not arguments:
        return DATA, PREDICTIONS
    if len(arguments) != 2:
        sys.exit("usage: infer.py [DATA_FOLDER PREDICTIONS_FOLDER]")
    return Path(arguments[0]), Path(arguments[1])


def write_predictions(folder: Path, cases: Sequence[str], probabilities: Iterable[float]) -> None:
    """Write predictions.csv: case id and the probability that it is malignant."""
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", "probability"])
        writer.writerows([case, f"{p:.9f}"] for case, p in zip(cases, probabilities, strict=True))
    print(f"{len(cases)} cases predicted")
