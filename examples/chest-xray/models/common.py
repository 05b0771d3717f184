"""What the models share: read prepared radiographs, train a classifier a finding at image build, predict."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from PIL import Image
from sklearn.base import ClassifierMixin, clone

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "weights.joblib"
DEVELOPMENT = Path("/tmp/development")  # prepared by the benchmark's own preparator while the image is built
FLOOR = 1e-6
Features = Callable[["np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]


def read_cases(data: Path) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return case ids, and their pictures as (case, row, column), 0 to 1."""
    with (data / "cases.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pictures = [np.asarray(Image.open(data / row["image"]), dtype=np.float64) / 255 for row in rows]
    return [row["case"] for row in rows], np.stack(pictures)


def read_labels(labels: Path) -> tuple[list[str], list[list[str]]]:
    """Return the findings, and the labels of each case: 1, 0 or nothing."""
    with (labels / "labels.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header[1:], [row[1:] for row in rows]


def train(features: Features, estimator: ClassifierMixin, development: Path = DEVELOPMENT) -> None:
    """Fit a copy of the estimator to each finding and keep them all beside this file."""
    table: list[np.ndarray[Any, Any]] = []
    labels: list[list[str]] = []
    findings: list[str] = []
    for part in sorted(development.iterdir()):
        table.append(features(read_cases(part / "data")[1]))
        findings, rows = read_labels(part / "labels")
        labels += rows
    values = np.concatenate(table)
    fitted = {}
    for place, finding in enumerate(findings):
        told = [number for number, row in enumerate(labels) if row[place]]
        fitted[finding] = clone(estimator).fit(values[told], [int(labels[number][place]) for number in told])
    joblib.dump(fitted, WEIGHTS)
    print(f"trained on {len(values)} synthetic radiographs, {values.shape[1]} features each")


def infer(features: Features) -> None:
    """Write predictions.csv: a probability of each finding for each case."""
    places = [Path(word) for word in sys.argv[1:]] or [Path("/input/data"), Path("/output/predictions")]
    if len(places) != 2:
        sys.exit("usage: infer.py [DATA_FOLDER PREDICTIONS_FOLDER]")
    data, out = places
    fitted = joblib.load(WEIGHTS)
    cases, pictures = read_cases(data)
    values = features(pictures)
    columns = [np.clip(model.predict_proba(values)[:, 1], FLOOR, 1 - FLOOR) for model in fitted.values()]
    with (out / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", *fitted])
        for case, row in zip(cases, zip(*columns, strict=True), strict=True):
            writer.writerow([case, *(f"{p:.6f}" for p in row)])
    print(f"{len(cases)} radiographs read")
