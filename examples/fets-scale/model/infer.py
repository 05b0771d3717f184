"""A SIMULATED model: it reads each tumour of the scans with an error that follows from its declared parameters.

parameters.yaml (written as JSON, which is YAML) says:

    seed              every draw follows from it and from the case's or the scanner's name, and from nothing else
    error_mm          spread of the error in millimetres on an ordinary case of an ordinary site
    bias              mean of the logarithm of (radius found / radius there): above 0 it draws too much
    transfer          0: the model does not mind a noisy site, 1: its error grows as the site's noise does
    strangeness       spread, in logarithms, of how well or badly it happens to cope with one scanner
    slip              share of cases on which its error is several times as large: the heavy tail
    lost              share of cases for which it writes nothing
    least_mm          an enhancing tumour with a smaller radius is not seen
    thickest_mm       slices thicker than this crash it, as an index out of range does
    seconds           how long it takes beside that

error of a case = error_mm * difficulty of the case * noise of the site ^ transfer * exp(strangeness * normal(scanner))
                  * (1 + exponential(mean 4) for a slip)
centre found    = centre + error * (normal, normal, normal) / sqrt(3)
radius found    = radius * exp(bias + error / 60 * normal)
"""

import csv
import json
import math
import os
import random
import sys
import time
from pathlib import Path

ROOT = Path(os.environ.get("CONTAINER_ROOT", "/"))
REGIONS = ("et", "tc", "wt")
BALLS = [f"{region}_{part}" for region in REGIONS for part in "xyzr"]


def find_tumour(scan, model):
    """Return the balls that a model finds in a scan, or None for a case that it loses."""
    chance = random.Random(f"{model['seed']}/{scan['case']}")
    coping = random.Random(f"{model['seed']}/{scan['scanner']}").gauss(0, 1)
    if chance.random() < model["lost"]:
        return None
    error = model["error_mm"] * float(scan["difficulty"]) * float(scan["noise"]) ** model["transfer"]
    error *= math.exp(model["strangeness"] * coping)
    if chance.random() < model["slip"]:
        error *= 1 + chance.expovariate(1 / 4)
    found = {}
    for region in REGIONS:
        moved = [chance.gauss(0, 1) * error / math.sqrt(3) for _ in "xyz"]
        factor = math.exp(model["bias"] + error / 60 * chance.gauss(0, 1))
        radius = float(scan[f"{region}_r"])
        seen = radius > (model["least_mm"] if region == "et" else 0)
        for axis, step in zip("xyz", moved, strict=True):
            found[f"{region}_{axis}"] = float(scan[f"{region}_{axis}"]) + step if seen else 0.0
        found[f"{region}_r"] = radius * factor if seen else 0.0
    return found


def main():
    """Read the container's mounts and write predictions.csv."""
    model = json.loads((ROOT / "input/parameters.yaml").read_text(encoding="utf-8"))
    with (ROOT / "input/data/scans.csv").open(newline="", encoding="utf-8") as file:
        scans = list(csv.DictReader(file))
    time.sleep(model["seconds"])
    for scan in scans:
        if float(scan["slice_mm"]) > model["thickest_mm"]:
            sys.exit(f"scans.csv: slices of case {scan['case']} are {scan['slice_mm']} mm thick: index out of range")
    with (ROOT / "output/predictions/predictions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["case", *BALLS])
        for scan in scans:
            if found := find_tumour(scan, model):
                writer.writerow([scan["case"], *(f"{found[column]:.3f}" for column in BALLS)])
    print(f"{len(scans)} simulated cases read")


if __name__ == "__main__":
    main()
