"""Make the SIMULATED raw data of each site, and the demo data: tumours as three nested balls, no patient anywhere.

    python make_data.py --out raw [--sites N]

Writes raw/<site>/scans.csv and labels.csv, and raw/demo_data.tar.gz. Every number follows from the seed and the names
of site and case. A case has a difficulty (log-normal) beside the noise of its site; 6 % of cases have no enhancing
tumour. What a scan shows is the annotated tumour itself: all error is the models' own (model/infer.py).
"""

import argparse
import gzip
import io
import math
import random
import tarfile
from collections.abc import Iterable
from pathlib import Path

from challenge import SEED, SITES, Site

EPOCH = 1_600_000_000  # a fixed time for every entry, so that the bytes depend on the content alone
REGIONS = ("et", "tc", "wt")
BALLS = [f"{region}_{part}" for region in REGIONS for part in "xyzr"]
DEMO = Site(0, 12, "US")
NO_ENHANCING = 0.06


def make_balls(chance: random.Random) -> list[str]:
    """Return centre and radius in mm of the three balls, each inside the next, as text."""
    whole = min(48.0, max(14.0, 26 * math.exp(chance.gauss(0, 0.3))))
    core = whole * chance.uniform(0.45, 0.85)
    enhancing = 0.0 if chance.random() < NO_ENHANCING else core * chance.uniform(0.4, 0.95)
    centres = {"wt": [chance.uniform(60, 180) for _ in "xyz"]}
    centres["tc"] = _within(chance, centres["wt"], whole - core)
    centres["et"] = _within(chance, centres["tc"], core - enhancing) if enhancing else [0.0, 0.0, 0.0]
    radii = {"wt": whole, "tc": core, "et": enhancing}
    return [f"{value:.3f}" for region in REGIONS for value in (*centres[region], radii[region])]


def _within(chance: random.Random, centre: list[float], room: float) -> list[float]:
    """Return a point that lies less than `room` from a centre."""
    way = [chance.gauss(0, 1) for _ in "xyz"]
    length = 0.95 * room * chance.random() / math.hypot(*way)
    return [value + length * step for value, step in zip(centre, way, strict=True)]


def make_site(site: Site) -> dict[str, bytes]:
    """Return the two tables of a site by file name."""
    scans = [",".join(["case", "scanner", "slice_mm", "noise", "difficulty", *BALLS])]
    labels = [",".join(["case", *BALLS])]
    for number in range(1, site.cases + 1):
        case = f"{site.name}-{number:03d}"
        chance = random.Random(f"{SEED}/case/{case}")
        difficulty, balls = math.exp(chance.gauss(0, 0.35)), make_balls(chance)
        scans.append(",".join([case, site.name, str(site.slice_mm), str(site.noise), f"{difficulty:.3f}", *balls]))
        labels.append(",".join([case, *balls]))
    return {name: ("\n".join(rows) + "\n").encode() for name, rows in (("scans.csv", scans), ("labels.csv", labels))}


def packed(files: dict[str, bytes]) -> bytes:
    """Return a .tar.gz whose bytes depend on nothing but the files; it is stored, since deflate differs by version."""
    raw, out = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=0, mtime=EPOCH) as stream:
        stream.write(raw.getvalue())
    return out.getvalue()


def write_all(out: Path, sites: Iterable[Site]) -> None:
    """Write the raw data of sites, and the demo data."""
    for site in sites:
        folder = out / site.name
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in make_site(site).items():
            (folder / name).write_bytes(content)
    demo = make_site(DEMO) | {"paths.yaml": b"data_path: .\nlabels_path: .\n"}
    (out / "demo_data.tar.gz").write_bytes(packed(demo))


def main() -> None:
    """Write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sites", type=int, default=len(SITES))
    arguments = parser.parse_args()
    write_all(arguments.out, SITES[: arguments.sites])


if __name__ == "__main__":
    main()
