"""Compare predicted phases with true ones: over all frames of a site, and for each video.

Accuracy, and the mean over phases of precision, recall, F1 and Jaccard index. What an absent phase counts as changes
these means a lot (Funke et al. 2023, "Metrics Matter in Surgical Phase Recognition"), so the parameters must say it.
A model predicts every frame of a video, or none of it: such a video failed, counts as 0, and its frames as wrong.
Anything else is refused with a sentence that names file and row. Which phase was taken for which stays at the site.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

SCORES = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "macro_jaccard")
COLUMNS = ["video", "second", "phase"]
FAILED = "none"


class Malformed(Exception):
    """The input is not what was agreed; the message names file and row."""


@dataclass(frozen=True)
class Parameters:
    """The phases, and what an absent one counts as: left out of the mean, or 0."""

    phases: tuple[str, ...]
    leave_out_in_neither: bool
    leave_out_only_predicted: bool


def read_parameters(path: Path) -> Parameters:
    """Return the declared parameters; there are no defaults, since they change the numbers."""
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    phases = content.get("phases") if isinstance(content, dict) else None
    if not isinstance(phases, list) or not phases or len(set(map(str, phases))) < len(phases):
        raise Malformed(f"{path.name}: it must say `phases:` with a list of different names")
    absent = content.get("absent")
    ways = [absent.get(key) if isinstance(absent, dict) else None for key in ("in_neither", "only_predicted")]
    if not {"leave-out", "zero"}.issuperset(ways):
        raise Malformed(f"{path.name}: `absent:` must say `in_neither` and `only_predicted`, each leave-out or zero")
    return Parameters(tuple(map(str, phases)), *(way == "leave-out" for way in ways))


def read_phases(path: Path, phases: tuple[str, ...]) -> dict[tuple[str, str], int]:
    """Return the number of the phase by video and second, in file order."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    try:
        return parse_phases(path, phases)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Malformed(f"{path.name}: cannot be read as a table in UTF-8 ({error})") from error


def parse_phases(path: Path, phases: tuple[str, ...]) -> dict[tuple[str, str], int]:
    """Read the table row by row."""
    found: dict[tuple[str, str], int] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != COLUMNS:
            raise Malformed(f"{path.name}, row 1: the columns must be {', '.join(COLUMNS)}")
        for number, row in enumerate(reader, start=2):
            key = row["video"], row["second"]
            if key in found:
                raise Malformed(f"{path.name}, row {number}: second {key[1]} of {key[0]} stands in the file twice")
            if row["phase"] not in phases:
                raise Malformed(f"{path.name}, row {number}: phase {row['phase']!r} is none of {', '.join(phases)}")
            found[key] = phases.index(row["phase"])
    return found


def confusion_by_video(
    truth: dict[tuple[str, str], int], predicted: dict[tuple[str, str], int], size: int
) -> dict[str, np.ndarray]:
    """Return for each video how many frames of a phase (row) were taken for which (column; the last: not predicted)."""
    known = {video for video, _ in predicted}
    tables: dict[str, np.ndarray] = {}
    for number, (key, phase) in enumerate(truth.items(), start=2):
        video, second = key
        if video in known and key not in predicted:
            raise Malformed(f"labels.csv, row {number}: second {second} of {video} has no prediction, but others have")
        table = tables.setdefault(video, np.zeros((size, size + 1), dtype=np.int64))
        table[phase, predicted.get(key, size)] += 1
    if extra := predicted.keys() - truth.keys():
        video, second = min(extra)
        raise Malformed(
            f"predictions.csv: {len(extra)} frame(s) without a label, the first is second {second} of {video}"
        )
    return tables


def counts_of(table: np.ndarray) -> np.ndarray:
    """Return true positives, false positives, false negatives, true negatives of each phase, (phases, 4)."""
    right = np.diag(table)
    wrong, missed = table[:, :-1].sum(axis=0) - right, table.sum(axis=1) - right
    return np.stack([right, wrong, missed, table.sum() - right - wrong - missed], axis=1)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; 0 / 0 is 0."""
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def scores_of(table: np.ndarray, parameters: Parameters) -> dict[str, object]:
    """Return the scores of frames judged together, and recall and F1 of each phase that is in the truth."""
    tp, fp, fn, _ = counts_of(table).T
    each = {
        "macro_precision": ratio(tp, tp + fp),
        "macro_recall": ratio(tp, tp + fn),
        "macro_f1": ratio(2 * tp, 2 * tp + fp + fn),
        "macro_jaccard": ratio(tp, tp + fp + fn),
    }
    there, called = tp + fn > 0, tp + fp > 0
    takes_part = there | (called & ~there & (not parameters.leave_out_only_predicted))
    takes_part |= ~there & ~called & (not parameters.leave_out_in_neither)
    scores: dict[str, object] = {"accuracy": float(tp.sum() / table.sum())}
    scores |= {name: float(values[takes_part].mean()) for name, values in each.items()}
    for name in ("recall", "f1"):
        values = each[f"macro_{name}"]
        scores[name] = {phase: float(values[k]) for k, phase in enumerate(parameters.phases) if there[k]}
    return scores


def over_videos(tables: dict[str, np.ndarray], scores: dict[str, dict | None]) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation (divisor: the number of videos) of each score; a failed video counts as 0."""
    values = {name: [float(one[name]) if (one := scores[video]) else 0.0 for video in tables] for name in SCORES}
    return {name: {"mean": float(np.mean(found)), "sd": float(np.std(found))} for name, found in values.items()}


def evaluate(tables: dict[str, np.ndarray], parameters: Parameters) -> dict[str, object]:
    """Return the results file's content."""
    whole = sum(tables.values())
    videos = {name: None if table[:, -1].any() else scores_of(table, parameters) for name, table in tables.items()}
    return {
        "num_videos": len(tables),
        "num_frames": int(whole.sum()),
        "frames": scores_of(whole, parameters) | {"counts": counts_of(whole).ravel().tolist()},
        "over_videos": over_videos(tables, videos),
        "videos": videos,
    }


def write_local(folder: Path, tables: dict[str, np.ndarray], phases: tuple[str, ...]) -> None:
    """Write which phase was taken for which in each video, for the site alone."""
    with (folder / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["video", "phase", "predicted", "frames"])
        for video, table in tables.items():
            for row, column in zip(*np.nonzero(table), strict=True):
                writer.writerow([video, phases[row], (*phases, FAILED)[column], table[row, column]])


def main() -> None:
    """Evaluate the container's mounts, or what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--predictions", type=Path, default=Path("/input/predictions"))
    parser.add_argument("--labels", type=Path, default=Path("/input/labels"))
    parser.add_argument("--parameters", type=Path, default=Path("/input/parameters.yaml"))
    parser.add_argument("--out", type=Path, default=Path("/output/results.yaml"))
    parser.add_argument("--local", type=Path, default=Path("/output/local"))
    args = parser.parse_args()
    try:
        parameters = read_parameters(args.parameters)
        truth = read_phases(args.labels / "labels.csv", parameters.phases)
        predicted = read_phases(args.predictions / "predictions.csv", parameters.phases)
        if not truth:
            raise Malformed("labels.csv: holds no frames")
        tables = confusion_by_video(truth, predicted, len(parameters.phases))
    except Malformed as error:
        sys.exit(f"refused: {error}")
    args.out.write_text(yaml.safe_dump(evaluate(tables, parameters), sort_keys=False), encoding="utf-8")
    if args.local.is_dir():
        write_local(args.local, tables, parameters.phases)
    print(f"{len(tables)} videos evaluated")


if __name__ == "__main__":
    main()
