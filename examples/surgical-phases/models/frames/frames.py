"""Each picture for itself: crop to the endoscope's circle, count its colours, ask a forest of trees. No memory of time.

Where a video has no dark border the circle cannot be found. Then nothing is predicted for that video, and it is said.

    frames.py train DEVELOPMENT_DATA DEVELOPMENT_LABELS
    frames.py infer [DATA PREDICTIONS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
from pictures import endoscope_box, folders, make_small, read_labels, read_pictures, videos_in, write_predictions
from sklearn.ensemble import ExtraTreesClassifier

WEIGHTS = Path(__file__).resolve().parent / "frames.joblib"
STEPS = 5  # into which each of red, green and blue is divided


def features_of(pictures: np.ndarray) -> np.ndarray | None:
    """Return one row a picture, None where there is no circle to crop to."""
    box = endoscope_box(pictures)
    if box is None:
        return None
    steps = make_small(pictures[:, box[0], box[1]]).astype(int) * STEPS // 256
    colours = steps @ (STEPS**2, STEPS, 1)
    return np.sqrt([np.bincount(row, minlength=STEPS**3) / len(row) for row in colours])


def train(data: Path, labels: Path) -> None:
    """Fit on the development operations."""
    truth = read_labels(labels / "labels.csv")
    rows, phases = [], []
    for video, seconds in videos_in(data):
        features = features_of(read_pictures(data, video, seconds))
        if features is not None:
            rows.append(features)
            phases += truth[video]
    forest = ExtraTreesClassifier(n_estimators=200, min_samples_leaf=3, random_state=1)
    joblib.dump(forest.fit(np.concatenate(rows), phases), WEIGHTS)


def infer(data: Path, predictions: Path) -> None:
    """Predict every video in which the circle is found."""
    forest = joblib.load(WEIGHTS)
    found = []
    for video, seconds in videos_in(data):
        features = features_of(read_pictures(data, video, seconds))
        if features is None:
            print(f"{video}: no dark border round its pictures, so it is left out", file=sys.stderr)
        else:
            found.append((video, seconds, forest.predict(features).tolist()))
    write_predictions(predictions, found)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        infer(*folders(sys.argv[2:]))
