"""A logistic regression that knows where a radiograph is bright."""

from __future__ import annotations

import sys

from common import infer, train
from regions import regional
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(regional, make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=2000)))
    else:
        infer(regional)
