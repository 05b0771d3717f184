"""Predict from the logarithm of one feature.

This model has an honest fault: its development data holds no nucleus without concavity, nobody thought of one, and
log(0) is an error. At a hospital that sees such patients it crashes.
"""

from __future__ import annotations

import json
import sys
from math import exp, log
from pathlib import Path

from tables import FEATURES, folders, read_table, write_predictions

WEIGHTS = Path(__file__).resolve().parent / "weights.json"
CONCAVITY = FEATURES.index("concavity")


def infer(weights: Path = WEIGHTS) -> None:
    """Predict every prepared case."""
    data, predictions = folders(sys.argv[1:])
    fitted = json.loads(weights.read_text(encoding="utf-8"))
    cases, features = read_table(data / "cases.csv")
    scores = (fitted["intercept"] + fitted["slope"] * log(row[CONCAVITY]) for row in features)
    write_predictions(predictions, cases, [1 / (1 + exp(-score)) for score in scores])


if __name__ == "__main__":
    infer()
