"""Compare predictions with labels: AUROC, sensitivity and specificity at a declared threshold, Brier score.

Every labelled case needs exactly one finite probability; anything else is refused with a sentence naming file and row.
A value that is not defined (one class only) is written as .nan: the benchmark decides what becomes of it.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

import yaml
from sklearn.metrics import brier_score_loss, recall_score, roc_auc_score


class Malformed(Exception):
    """The input is not what was agreed; the message names file and row."""


def read_column(path: Path, column: str) -> dict[str, str]:
    """Return one column of a CSV file by case."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames is None or not {"case", column} <= set(reader.fieldnames):
            raise Malformed(f"{path.name}, row 1: the columns must be case and {column}")
        values: dict[str, str] = {}
        for number, row in enumerate(reader, start=2):
            if row["case"] in values:
                raise Malformed(f"{path.name}, row {number}: a case stands in the file twice")
            values[row["case"]] = row[column] or ""
    return values


def parse_probability(number: int, text: str) -> float:
    """Return a probability, and refuse what is none."""
    try:
        value = float(text)
    except ValueError as error:
        raise Malformed(f"predictions.csv, row {number}: {text!r} is not a number") from error
    if math.isnan(value):
        raise Malformed(f"predictions.csv, row {number}: the probability is NaN")
    if not 0 <= value <= 1:
        raise Malformed(f"predictions.csv, row {number}: {text!r} is no probability between 0 and 1")
    return value


def read_pairs(predictions: Path, labels: Path) -> tuple[list[int], list[float]]:
    """Return true labels and probabilities in the order of the labels."""
    truth = read_column(labels / "labels.csv", "malignant")
    predicted = read_column(predictions / "predictions.csv", "probability")
    for number, case in enumerate(truth, start=2):
        if case not in predicted:
            raise Malformed(f"labels.csv, row {number}: this case has no prediction")
    if extra := len(set(predicted) - set(truth)):
        raise Malformed(f"predictions.csv: {extra} case(s) that have no label")
    values = {case: parse_probability(number, text) for number, (case, text) in enumerate(predicted.items(), start=2)}
    return [int(label) for label in truth.values()], [values[case] for case in truth]


def evaluate(truth: list[int], probabilities: list[float], *, threshold: float) -> dict[str, float | int]:
    """Return the metrics by id; needs at least one case."""
    called = [int(p >= threshold) for p in probabilities]
    positives = sum(truth)
    both = 0 < positives < len(truth)
    undefined = float("nan")
    return {
        "auroc": float(roc_auc_score(truth, probabilities)) if both else undefined,
        "sensitivity": float(recall_score(truth, called, pos_label=1)) if positives else undefined,
        "specificity": float(recall_score(truth, called, pos_label=0)) if positives < len(truth) else undefined,
        "brier": float(brier_score_loss(truth, probabilities, pos_label=1)),
        "n_cases": len(truth),
    }


def read_threshold(path: Path) -> float:
    """Return the declared threshold; there is no default, since it changes the numbers."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    threshold = content.get("threshold") if isinstance(content, dict) else None
    if not isinstance(threshold, (int, float)) or not 0 < threshold < 1:
        raise Malformed(f"{path.name}: it must say `threshold:` with a number between 0 and 1")
    return float(threshold)


def main() -> None:
    """Evaluate the container's mounts, or what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, default=Path("/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out", type=Path, default=Path("/output/results.yaml"))
    args = parser.parse_args()
    try:
        threshold = read_threshold(args.parameters)
        truth, probabilities = read_pairs(args.predictions, args.labels)
        if not truth:
            raise Malformed("labels.csv: holds no cases")
    except Malformed as error:
        sys.exit(f"refused: {error}")
    results = evaluate(truth, probabilities, threshold=threshold)
    args.out.write_text(yaml.safe_dump(results, sort_keys=False), encoding="utf-8")
    print(f"{len(truth)} cases evaluated")


if __name__ == "__main__":
    main()
