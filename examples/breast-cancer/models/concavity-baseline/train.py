"""Fit a one-feature logistic regression on log(concavity) by Newton's method."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path

from tables import FEATURES, read_development

HERE = Path(__file__).resolve().parent
CONCAVITY = FEATURES.index("concavity")


def fit(xs: list[float], ys: list[int], steps: int = 25) -> tuple[float, float]:
    """Return intercept and slope of the maximum-likelihood fit."""
    a = b = 0.0
    for _ in range(steps):
        ps = [1 / (1 + exp(-(a + b * x))) for x in xs]
        g0 = sum(y - p for y, p in zip(ys, ps, strict=True))
        g1 = sum(x * (y - p) for x, y, p in zip(xs, ys, ps, strict=True))
        h00 = sum(p * (1 - p) for p in ps)
        h01 = sum(x * p * (1 - p) for x, p in zip(xs, ps, strict=True))
        h11 = sum(x * x * p * (1 - p) for x, p in zip(xs, ps, strict=True))
        determinant = h00 * h11 - h01 * h01
        a += (h11 * g0 - h01 * g1) / determinant
        b += (h00 * g1 - h01 * g0) / determinant
    return a, b


def train(development: Path = HERE / "development.csv", weights: Path = HERE / "weights.json") -> None:
    """Fit on the development part and keep the two numbers."""
    features, labels = read_development(development)
    intercept, slope = fit([log(row[CONCAVITY]) for row in features], labels)
    weights.write_text(json.dumps({"intercept": intercept, "slope": slope}) + "\n", encoding="utf-8")
    print(f"trained on {len(labels)} cases")


if __name__ == "__main__":
    train()
