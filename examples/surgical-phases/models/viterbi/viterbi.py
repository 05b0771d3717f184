"""Pictures in their order: colours beside the video's own, then the likeliest path through a hidden Markov model.

Colours are taken relative to the usual colour of the video, so that another hospital's light matters less, and named by
the nearest of 24 that were learnt. A logistic regression gives each picture's probabilities. Divided by how frequent a
phase is, they stand for the likelihood of the picture (Bourlard and Morgan 1994), together with how far the operation
has gone; how phases follow each other is counted on the development operations. The path is Viterbi's (1967).

    viterbi.py train DEVELOPMENT_DATA DEVELOPMENT_LABELS
    viterbi.py infer [DATA PREDICTIONS]
"""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import numpy as np
from pictures import (
    PHASES,
    endoscope_box,
    folders,
    make_small,
    parts_of,
    read_labels,
    read_pictures,
    videos_in,
    write_predictions,
)
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

WEIGHTS = Path(__file__).resolve().parent / "viterbi.joblib"
COLOURS, PARTS = 24, 20
RARE, SELDOM = 0.05, 0.5  # added to every count, so that no order of phases and no time is impossible
BLACK = 26  # brightness, of 255, below which a pixel shows nothing
EVERY = 37  # of the development pixels one in so many teaches the colours


def relative_colours(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return brightness, red and blue beside the usual, (seconds, pixels, 3), and which pixels show anything."""
    box = endoscope_box(pictures) or (slice(None), slice(None))
    pixels = make_small(pictures[:, box[0], box[1]]).astype(np.float64) + 6
    shows = pixels.max(axis=2) > BLACK
    parts = np.log(pixels / np.median(pixels[shows], axis=0))
    red, green, blue = np.moveaxis(parts, 2, 0)
    return np.stack([0.5 * parts.mean(axis=2), red - green, blue - green], axis=2), shows


def features_of(pictures: np.ndarray, colours: MiniBatchKMeans) -> np.ndarray:
    """Return one row a picture: the share of each colour, and by how much it differs from that of the whole video."""
    pixels, shows = relative_colours(pictures)
    named = colours.predict(pixels.reshape(-1, 3)).reshape(shows.shape)
    counts = [
        np.bincount(row[there], minlength=COLOURS) / max(1, there.sum())
        for row, there in zip(named, shows, strict=True)
    ]
    shares = np.sqrt(counts)
    return np.concatenate([shares, shares - np.median(shares, axis=0)], axis=1)


def likeliest_path(emission: np.ndarray, change: np.ndarray, begin: np.ndarray) -> list[int]:
    """Return the path of states with the largest sum of logarithms: emission (time, state), change (from, to)."""
    score, back = begin + emission[0], []
    for row in emission[1:]:
        ways = score[:, None] + change
        back.append(ways.argmax(axis=0))
        score = ways.max(axis=0) + row
    path = [int(score.argmax())]
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return path[::-1]


def log_shares(counts: np.ndarray) -> np.ndarray:
    """Return the logarithm of each row's shares."""
    return np.log(counts / counts.sum(axis=-1, keepdims=True))


def train(data: Path, labels: Path) -> None:
    """Learn colours and classifier, and count when phases occur and how they follow each other."""
    truth, size = read_labels(labels / "labels.csv"), len(PHASES)
    pictures = {video: read_pictures(data, video, seconds) for video, seconds in videos_in(data)}
    sample = [pixels[shows][::EVERY] for pixels, shows in map(relative_colours, pictures.values())]
    colours = MiniBatchKMeans(COLOURS, random_state=1, n_init=1, batch_size=4096).fit(np.concatenate(sample))
    begin, change, clock = np.full(size, RARE), np.full((size, size), RARE), np.full((PARTS, size), SELDOM)
    for video in pictures:
        phases = truth[video]
        begin[phases[0]] += 1
        np.add.at(change, (phases[:-1], phases[1:]), 1)
        np.add.at(clock, (parts_of(len(phases), PARTS), phases), 1)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
    every = np.concatenate([truth[video] for video in pictures])
    classifier.fit(np.concatenate([features_of(found, colours) for found in pictures.values()]), every)
    counts = {"begin": begin, "change": change, "clock": clock, "share": np.bincount(every, minlength=size)}
    tables = {name: log_shares(table) for name, table in counts.items()}
    joblib.dump({"colours": colours, "classifier": classifier, **tables}, WEIGHTS)


def infer(data: Path, predictions: Path) -> None:
    """Predict every video as a whole."""
    model = joblib.load(WEIGHTS)
    found = []
    for video, seconds in videos_in(data):
        features = features_of(read_pictures(data, video, seconds), model["colours"])
        looks = model["classifier"].predict_log_proba(features) - model["share"]
        time = model["clock"][parts_of(len(seconds), PARTS)] - model["share"]
        found.append((video, seconds, likeliest_path(looks + time, model["change"], model["begin"])))
    write_predictions(predictions, found)


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        infer(*folders(sys.argv[2:]))
