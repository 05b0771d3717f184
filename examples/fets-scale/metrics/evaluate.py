"""Compare two balls, the one found and the one annotated: Dice and HD95 for each region of each case.

Dice is twice the shared volume by the sum of both. HD95 is the larger of two 95th percentiles: how far points of one
surface lie from the other one, all points of a sphere being equally likely. For balls both follow exactly.
As in BraTS a region that only one of both has counts Dice 0 and HD95 374 mm, one that neither has Dice 1 and HD95 0.
A case without a prediction is left empty in the results: the benchmark declares what becomes of it.
"""

import csv
import math
import os
import sys
from pathlib import Path

ROOT = Path(os.environ.get("CONTAINER_ROOT", "/"))
REGIONS = ("et", "tc", "wt")
COLUMNS = ["case", *(f"{region}_{part}" for region in REGIONS for part in "xyzr")]
WORST_MM = 374.0
SHARE = 0.95
HALVINGS = 45  # of an interval of at most some hundred millimetres: far below a nanometre


class Malformed(Exception):
    """The input is not what was agreed; the message names file and row."""


def dice(distance, one, two):
    """Return the Dice coefficient of balls of two radii whose centres lie so far apart; both radii are above 0."""
    if distance >= one + two:
        return 0.0
    if distance <= abs(one - two):
        shared = min(one, two) ** 3 * 4 / 3 * math.pi
    else:  # a lens of two caps
        shared = math.pi * (one + two - distance) ** 2 / (12 * distance)
        shared *= distance**2 + 2 * distance * (one + two) - 3 * (one - two) ** 2
    return 2 * shared / ((one**3 + two**3) * 4 / 3 * math.pi)


def share_within(limit, distance, one, two):
    """Return which share of the first sphere's surface lies at most `limit` from the second sphere.

    A point at angle arccos(u) lies D = sqrt(distance² + one² + 2·distance·one·u) from the other centre, hence |D − two|
    from the other sphere; on a sphere u is uniform between −1 and 1 (Archimedes).
    """
    base, slope = distance**2 + one**2, 2 * distance * one
    low, high = ((max(0.0, two + step) ** 2 - base) / slope for step in (-limit, limit))
    return (min(1.0, max(-1.0, high)) - min(1.0, max(-1.0, low))) / 2


def one_way(distance, one, two):
    """Return the 95th percentile of the distances of the first sphere's points from the second sphere."""
    low, high = 0.0, distance + abs(one - two)
    if distance < 1e-9:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if share_within(middle, distance, one, two) < SHARE:
            low = middle
        else:
            high = middle
    return high


def hd95(distance, one, two):
    """Return the Hausdorff distance of two spheres at the 95th percentile, the larger of both ways."""
    return max(one_way(distance, one, two), one_way(distance, two, one))


def compare(found, truth):
    """Return Dice and HD95 of one region, each ball being x, y, z and radius."""
    *here, one = found
    *there, two = truth
    if one == 0 or two == 0:
        return (1.0, 0.0) if one == two else (0.0, WORST_MM)
    distance = math.dist(here, there)
    return dice(distance, one, two), min(WORST_MM, hd95(distance, one, two))


def read_balls(path):
    """Return the balls of each case by region."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if next(reader, None) != COLUMNS:
            raise Malformed(f"{path.name}, row 1: the columns must be {', '.join(COLUMNS)}")
        cases = {}
        for number, row in enumerate(reader, start=2):
            try:
                values = [float(cell) for cell in row[1:]]
            except ValueError:
                values = []
            if len(values) != 12 or not all(map(math.isfinite, values)) or min(values[3::4]) < 0:
                raise Malformed(f"{path.name}, row {number}: three balls are twelve numbers, with no radius below 0")
            if row[0] in cases:
                raise Malformed(f"{path.name}, row {number}: case {row[0]} stands in the file twice")
            cases[row[0]] = [values[0:4], values[4:8], values[8:12]]
    return cases


def lines_of(predictions, labels):
    """Yield the results file line by line."""
    yield "cases:"
    for case, truth in labels.items():
        if case not in predictions:
            yield f"  {case}:"
            continue
        values = {}
        for region, here, there in zip(REGIONS, predictions[case], truth, strict=True):
            values[f"dice_{region}"], values[f"hd95_{region}"] = compare(here, there)
        yield f"  {case}: {{{', '.join(f'{name}: {value:.6f}' for name, value in values.items())}}}"


def main():
    """Evaluate the container's mounts."""
    try:
        predictions = read_balls(ROOT / "input/predictions/predictions.csv")
        labels = read_balls(ROOT / "input/labels/labels.csv")
        if extra := sorted(predictions.keys() - labels.keys()):
            raise Malformed(f"predictions.csv: case {extra[0]} has no row in labels.csv")
    except Malformed as error:
        sys.exit(f"refused: {error}")
    (ROOT / "output/results.yaml").write_text("\n".join(lines_of(predictions, labels)) + "\n", encoding="utf-8")
    print(f"{len(labels)} simulated cases evaluated")


if __name__ == "__main__":
    main()
