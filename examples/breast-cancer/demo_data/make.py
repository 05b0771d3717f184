"""Pack 20 development cases as the benchmark's demo data: one deterministic archive of raw files.

The archive holds measurements.csv and diagnoses.csv as hospital-north writes them, and paths.yaml, by which MedPerf's
own demo data sets say where data and labels lie.

    python demo_data/make.py --development models/development.csv --out demo_data.tar.gz     # prints url, size, sha256
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES_PER_CLASS = 10
EPOCH = 1_500_000_000  # a fixed time for every entry, so that the bytes depend on the content alone


def choose(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the first ten malignant and the first ten benign rows, in file order."""
    taken = {"0": 0, "1": 0}
    chosen = []
    for row in rows:
        if taken[row["malignant"]] < CASES_PER_CLASS:
            taken[row["malignant"]] += 1
            chosen.append(row)
    return chosen


def render(rows: list[list[str]]) -> bytes:
    """Render rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def render_files(development: Path) -> dict[str, bytes]:
    """Return the archive's files by name."""
    with development.open(newline="", encoding="utf-8") as file:
        rows = choose(list(csv.DictReader(file)))
    features = [column for column in rows[0] if column not in {"case", "malignant"}]
    measurements = [["case", *features], *([row["case"], *(row[feature] for feature in features)] for row in rows)]
    words = {"0": "benign", "1": "malignant"}
    diagnoses = [["case", "diagnosis"], *([row["case"], words[row["malignant"]]] for row in rows)]
    return {
        "diagnoses.csv": render(diagnoses),
        "measurements.csv": render(measurements),
        "paths.yaml": b"data_path: .\nlabels_path: .\n",
    }


def render_archive(files: dict[str, bytes]) -> bytes:
    """Return a .tar.gz whose bytes depend on nothing but the files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    # Level 0 stores: what deflate makes of the bytes differs between versions of zlib.
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=0, mtime=EPOCH) as stream:
        stream.write(raw.getvalue())
    return packed.getvalue()


def main() -> None:
    """Write the archive and print what a benchmark record says of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--development", type=Path, default=HERE.parent / "models" / "development.csv")
    parser.add_argument("--out", type=Path, default=Path("demo_data.tar.gz"))
    args = parser.parse_args()
    content = render_archive(render_files(args.development))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    print(f"url: {args.out.resolve().as_uri()}\nsize: {len(content)}\ndigest: sha256:{digest}")


if __name__ == "__main__":
    main()
