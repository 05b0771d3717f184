"""The honest baseline: how far the operation has gone, and nothing else. It looks at no picture.

clock.py train DEVELOPMENT_DATA DEVELOPMENT_LABELS      for each twentieth of an operation the most frequent phase
clock.py infer [DATA PREDICTIONS]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from pictures import PHASES, folders, parts_of, read_labels, videos_in, write_predictions

WEIGHTS = Path(__file__).resolve().parent / "clock.json"
PARTS = 20


def train(labels: Path) -> None:
    """Count phases in each part of the development operations, and keep the most frequent."""
    counts = np.zeros((PARTS, len(PHASES)), dtype=int)
    for phases in read_labels(labels / "labels.csv").values():
        np.add.at(counts, (parts_of(len(phases), PARTS), phases), 1)
    WEIGHTS.write_text(json.dumps(counts.argmax(axis=1).tolist()), encoding="utf-8")


def infer(data: Path, predictions: Path) -> None:
    """Predict every second from its place in the operation."""
    usual = np.array(json.loads(WEIGHTS.read_text(encoding="utf-8")))
    found = ((video, seconds, usual[parts_of(len(seconds), PARTS)].tolist()) for video, seconds in videos_in(data))
    write_predictions(predictions, found)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(Path(sys.argv[3]))
    else:
        infer(*folders(sys.argv[2:]))
