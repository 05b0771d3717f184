"""Train a scikit-learn estimator once, at image build, and use it at run time."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from sklearn.base import BaseEstimator
from tables import folders, read_development, read_table, write_predictions

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "weights.joblib"


def train(estimator: BaseEstimator, development: Path = HERE / "development.csv", weights: Path = WEIGHTS) -> None:
    """Fit the estimator on the development part and keep it."""
    features, labels = read_development(development)
    joblib.dump(estimator.fit(features, labels), weights)
    print(f"trained on {len(labels)} cases")


def infer(weights: Path = WEIGHTS) -> None:
    """Predict every prepared case with the trained estimator."""
    data, predictions = folders(sys.argv[1:])
    cases, features = read_table(data / "cases.csv")
    write_predictions(predictions, cases, joblib.load(weights).predict_proba(features)[:, 1])
