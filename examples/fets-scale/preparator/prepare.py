"""Check a simulated site's export, bring it into one order, and count it.

Raw and prepared are the same two tables: scans.csv (one case a line: scanner, slice thickness in mm, noise, difficulty,
and the tumour as it shows) and labels.csv (the tumour as it is annotated). A tumour is three nested balls, whole (wt),
core (tc) and enhancing (et), each with centre x, y, z and radius r in mm; a radius of 0 is a region that is not there.
Anything else is refused with a sentence that names file and row.
"""

import csv
import math
import os
import sys
from pathlib import Path

ROOT = Path(os.environ.get("CONTAINER_ROOT", "/"))
REGIONS = ("et", "tc", "wt")
BALLS = [f"{region}_{part}" for region in REGIONS for part in "xyzr"]
SCANS = ["case", "scanner", "slice_mm", "noise", "difficulty", *BALLS]
LABELS = ["case", *BALLS]
TOUCHING = 0.01  # mm: coordinates are written with three decimals


class Malformed(Exception):
    """A file that is not what was agreed; the message names file and row."""


def read_table(path, header):
    """Return the rows of a table by case; every cell but case and scanner is a finite number."""
    if not path.is_file():
        raise Malformed(f"{path.name}: there is no such file in the folder that was given")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if next(reader, None) != header:
            raise Malformed(f"{path.name}, row 1: the columns must be {', '.join(header)}")
        rows = {}
        for number, row in enumerate(reader, start=2):
            check_row(path.name, number, dict(zip(header, row, strict=True)) if len(row) == len(header) else None)
            if row[0] in rows:
                raise Malformed(f"{path.name}, row {number}: case {row[0]} stands in the file twice")
            rows[row[0]] = row
    return rows


def check_row(name, number, row):
    """Refuse a row that lacks a cell, has a cell that is no number, or balls that are not nested."""
    if row is None:
        raise Malformed(f"{name}, row {number}: it has not as many cells as there are columns")
    for column, cell in row.items():
        if column in ("case", "scanner"):
            continue
        try:
            fits = math.isfinite(float(cell))
        except ValueError:
            fits = False
        if not fits:
            raise Malformed(f"{name}, row {number}: case {row['case']} has no number for {column}, but {cell!r}")
    for inner, outer in (("et", "tc"), ("tc", "wt")):
        (*here, small), (*there, large) = (
            [float(row[f"{region}_{part}"]) for part in "xyzr"] for region in (inner, outer)
        )
        if small < 0 or (small > 0 and math.dist(here, there) + small > large + TOUCHING):
            raise Malformed(f"{name}, row {number}: case {row['case']}: {inner} does not lie in {outer}")


def read_both(data, labels):
    """Return scans and labels of the same cases."""
    scans, truth = read_table(data / "scans.csv", SCANS), read_table(labels / "labels.csv", LABELS)
    for case in sorted(scans.keys() ^ truth.keys()):
        here, there = ("scans.csv", "labels.csv") if case in scans else ("labels.csv", "scans.csv")
        raise Malformed(f"{here}: case {case} has no row in {there}")
    return scans, truth


def write_table(path, header, rows):
    """Write a table, sorted by case."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *(rows[case] for case in sorted(rows))])


def main():
    """Run one task on the container's mounts."""
    task = sys.argv[1] if len(sys.argv) == 2 else ""
    if task not in ("prepare", "sanity_check", "statistics"):
        sys.exit("refused: the task is prepare, sanity_check or statistics")
    try:
        scans, truth = read_both(ROOT / "input/data", ROOT / "input/labels")
        if not scans:
            raise Malformed("scans.csv: holds no cases")
    except Malformed as error:
        sys.exit(f"refused: {error}")
    if task == "prepare":
        write_table(ROOT / "output/data/scans.csv", SCANS, scans)
        write_table(ROOT / "output/labels/labels.csv", LABELS, truth)
    if task == "statistics":
        enhancing = sum(float(row[LABELS.index("et_r")]) > 0 for row in truth.values())
        text = f"num_cases: {len(truth)}\nnum_enhancing: {enhancing}\n"
        (ROOT / "output/statistics.yaml").write_text(text, encoding="utf-8")
    print(f"{task}: {len(scans)} simulated cases")


if __name__ == "__main__":
    main()
