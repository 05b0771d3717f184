"""Boosted trees on where a radiograph is bright."""

from __future__ import annotations

import sys

from common import infer, train
from regions import regional
from sklearn.ensemble import GradientBoostingClassifier

if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        estimator = GradientBoostingClassifier(
            n_estimators=80, learning_rate=0.1, max_depth=2, subsample=0.7, max_features="sqrt", random_state=1
        )
        train(regional, estimator)
    else:
        infer(regional)
