"""Read prepared pictures and write predictions: what the models of this example share.

Prepared data: <video>/<second>.jpg. Predictions: predictions.csv with video, second, phase, one row a picture.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

PHASES = (
    "preparation",
    "hepatocystic-triangle-dissection",
    "clipping-cutting",
    "gallbladder-dissection",
    "gallbladder-packaging",
    "cleaning-coagulation",
)
COLUMNS = ("video", "second", "phase")
SMALL = (48, 36)  # width and height at which colours are counted
DARK = 16  # brightness, of 255, below which the border round the endoscope's picture stays


def folders(arguments: Sequence[str]) -> tuple[Path, Path]:
    """Return input and output folder: the mounts of the container, or the two that were given."""
    if not arguments:
        return Path("/input/data"), Path("/output/predictions")
    if len(arguments) != 2:
        sys.exit("usage: infer.py [DATA_FOLDER PREDICTIONS_FOLDER]")
    return Path(arguments[0]), Path(arguments[1])


def videos_in(data: Path) -> list[tuple[str, list[int]]]:
    """Return each video with its seconds in order."""
    folders = sorted(path for path in data.iterdir() if path.is_dir())
    return [(folder.name, sorted(int(path.stem) for path in folder.glob("*.jpg"))) for folder in folders]


def read_pictures(data: Path, video: str, seconds: Iterable[int]) -> np.ndarray:
    """Return the pictures of a video, (seconds, height, width, 3); end with a sentence at an unreadable one."""
    pictures = []
    for second in seconds:
        path = data / video / f"{second:06d}.jpg"
        try:
            with Image.open(path) as picture:
                pictures.append(np.asarray(picture.convert("RGB")))
        except OSError:
            sys.exit(f"refused: {video}: {path.name} cannot be read as a picture")
    return np.stack(pictures)


def endoscope_box(pictures: np.ndarray) -> tuple[slice, slice] | None:
    """Return rows and columns of the endoscope's round picture, None where there is no dark border round it."""
    bright = np.median(pictures.max(axis=3), axis=0) > DARK
    height, width = bright.shape
    if bright[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return None
    rows, columns = np.flatnonzero(bright[:, width // 2]), np.flatnonzero(bright[height // 2])
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) and len(columns) else None


def make_small(pictures: np.ndarray) -> np.ndarray:
    """Return the colours of pictures made small, (seconds, pixels, 3) of bytes."""
    small = [np.asarray(Image.fromarray(picture).resize(SMALL, Image.Resampling.BOX)) for picture in pictures]
    return np.stack(small).reshape(len(small), -1, 3)


def parts_of(count: int, parts: int) -> np.ndarray:
    """Return in which of so many equal parts of an operation each of its seconds lies."""
    return np.arange(count) * parts // count


def read_labels(path: Path) -> dict[str, list[int]]:
    """Return the number of the phase of each second, by video, in order."""
    found: dict[str, list[tuple[int, int]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["video"], []).append((int(row["second"]), PHASES.index(row["phase"])))
    return {video: [phase for _, phase in sorted(pairs)] for video, pairs in found.items()}


def write_predictions(folder: Path, found: Iterable[tuple[str, Sequence[int], Iterable[int]]]) -> None:
    """Write predictions.csv from videos, their seconds, and the number of the phase of each."""
    rows = [(video, second, PHASES[phase]) for video, seconds, phases in found
            for second, phase in zip(seconds, phases, strict=True)]  # fmt: skip
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    print(f"{len(rows)} pictures predicted")
