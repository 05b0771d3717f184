"""Compare probabilities with labels: AUROC and F1 for five findings, their mean, and counts that add up over sites.

Every labelled case needs exactly one probability for each finding; anything else is refused with a sentence naming file
and row. A case without a label of a finding takes no part in that finding. What does not exist is written as .nan: an
AUROC with one class only, the F1 of a finding that neither occurs nor is called, the mean where one AUROC is missing.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.metrics import f1_score, roc_auc_score

JUDGED = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
NAN = float("nan")


class Malformed(Exception):
    """The input is not what was agreed; the message names file and row."""


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """Return the judged columns of a table by case."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    try:
        return parse_table(path)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{path.name}: cannot be read as a table in UTF-8 ({error})") from error


def parse_table(path: Path) -> dict[str, dict[str, str]]:
    """Read the table row by row."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in ("case", *JUDGED) if name not in (reader.fieldnames or ())]:
            raise Malformed(f"{path.name}, row 1: no column {missing[0]!r}")
        rows: dict[str, dict[str, str]] = {}
        for number, row in enumerate(reader, start=2):
            if row["case"] in rows:
                raise Malformed(f"{path.name}, row {number}: a case stands in the file twice")
            rows[row["case"]] = {name: row[name] or "" for name in JUDGED}
    return rows


def parse_probability(where: str, text: str) -> float:
    """Return a probability, and refuse what is none."""
    try:
        value = float(text)
    except ValueError as error:
        raise Malformed(f"{where} is {text!r}, which is not a number") from error
    if not 0 <= value <= 1:  # also false for NaN
        raise Malformed(f"{where} is {text!r}, which is no probability between 0 and 1")
    return value


def read_pairs(predictions: Path, labels: Path) -> dict[str, list[tuple[str, int, float]]]:
    """Return for each finding the cases that have a label: case, label, probability."""
    truth, predicted = read_table(labels / "labels.csv"), read_table(predictions / "predictions.csv")
    if not truth:
        raise Malformed("labels.csv: holds no cases")
    for number, case in enumerate(truth, start=2):
        if case not in predicted:
            raise Malformed(f"labels.csv, row {number}: this case has no prediction")
    if extra := len(set(predicted) - set(truth)):
        raise Malformed(f"predictions.csv: {extra} case(s) that have no label")
    pairs: dict[str, list[tuple[str, int, float]]] = {name: [] for name in JUDGED}
    for number, (case, row) in enumerate(predicted.items(), start=2):
        for name, cell in row.items():
            value = parse_probability(f"predictions.csv, row {number}: {name}", cell)
            if truth[case][name] not in {"0", "1", ""}:
                raise Malformed(f"labels.csv: {name} is {truth[case][name]!r}, which is none of 0, 1 and nothing")
            if truth[case][name]:
                pairs[name].append((case, int(truth[case][name]), value))
    return pairs


def count(truth: Sequence[int], probabilities: Sequence[float], threshold: float) -> list[int]:
    """Return true positives, false positives, false negatives and true negatives at a threshold."""
    there, called = np.asarray(truth, dtype=bool), np.asarray(probabilities) >= threshold
    groups = (there & called, ~there & called, there & ~called, ~there & ~called)
    return [int(group.sum()) for group in groups]


def judge(truth: Sequence[int], probabilities: Sequence[float], *, threshold: float, bins: int) -> dict[str, Any]:
    """Return what is told of one finding, with counts at the threshold and at each edge between bins."""
    called = [int(p >= threshold) for p in probabilities]
    edges = [number / bins for number in range(1, bins)]
    return {
        "auroc": float(roc_auc_score(truth, probabilities)) if 0 < sum(truth) < len(truth) else NAN,
        "f1": float(f1_score(truth, called)) if sum(truth) + sum(called) else NAN,
        "counts": count(truth, probabilities, threshold),
        "counts_by_threshold": [number for edge in edges for number in count(truth, probabilities, edge)],
        "labelled": len(truth),
        "positive": sum(truth),
    }


def read_parameters(path: Path) -> tuple[float, int]:
    """Return threshold and number of bins; there are no defaults, since they change the numbers."""
    told = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    told = told if isinstance(told, dict) else {}
    threshold, bins = told.get("threshold"), told.get("bins")
    if not isinstance(threshold, (int, float)) or not 0 < threshold < 1:
        raise Malformed(f"{path.name}: it must say `threshold:` with a number between 0 and 1")
    if not isinstance(bins, int) or not 2 <= bins <= 257:
        raise Malformed(f"{path.name}: it must say `bins:` with a whole number from 2 to 257")
    return float(threshold), bins


def main() -> None:
    """Evaluate the container's mounts, or what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, default=Path("/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out", type=Path, default=Path("/output/results.yaml"))
    parser.add_argument("--local", type=Path, default=Path("/output/local"), help="what stays at the site")
    args = parser.parse_args()
    try:
        threshold, bins = read_parameters(args.parameters)
        pairs = read_pairs(args.predictions, args.labels)
    except Malformed as error:
        sys.exit(f"refused: {error}")
    findings = {}
    for name, rows in pairs.items():
        truth, probabilities = [row[1] for row in rows], [row[2] for row in rows]
        findings[name.lower().replace(" ", "_")] = judge(truth, probabilities, threshold=threshold, bins=bins)
    areas = [told["auroc"] for told in findings.values()]
    results = {"findings": findings, "mean_auroc": math.fsum(areas) / len(areas)}
    args.out.write_text(yaml.safe_dump(results, sort_keys=False), encoding="utf-8")
    if args.local.is_dir():
        lines = [f"{name},{case},{label},{p:.6f}" for name, rows in pairs.items() for case, label, p in rows]
        text = "\n".join(["finding,case,label,probability", *lines, ""])
        (args.local / "cases.csv").write_text(text, encoding="utf-8")
    print(f"{len(JUDGED)} findings evaluated")


if __name__ == "__main__":
    main()
