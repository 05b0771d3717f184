"""Data preparators of every style that occurs: the first argument is the style, the second the task, then options.

Mounts lie where MedPerf's own examples have them. A raw case is a file; a prepared one says whether a person looked.
"""

import json
import os
import sys
import time
from pathlib import Path

VOLUMES = Path("/mlcommons/volumes")
RAW, RAW_LABELS = VOLUMES / "raw_data", VOLUMES / "raw_labels"
DATA, LABELS, METADATA = VOLUMES / "data", VOLUMES / "labels", VOLUMES / "metadata"
REPORT = VOLUMES / "report" / "report.yaml"
STATISTICS = VOLUMES / "statistics" / "statistics.yaml"
DONE, UNVERIFIED = (9, "DONE"), (-5, "UNVERIFIED")


def copy_raw():
    """Prepare each raw case once; what a person has changed since stays."""
    for file in sorted(RAW.iterdir()):
        place = DATA / file.name
        if not place.exists():
            place.write_text(f"{file.read_text()}\nverified: no\n")
    if LABELS.is_dir():
        for file in sorted(RAW_LABELS.iterdir()):
            (LABELS / file.name).write_text(file.read_text())


def is_verified(file):
    return "verified: yes" in file.read_text()


def table_of(cases):
    """MedPerf's report: column, case, value."""
    rows = {}
    for number, file in enumerate(cases):
        status, name = DONE if is_verified(file) else UNVERIFIED
        comment = "" if status > 0 else 'Look at it, then write "verified: yes"'
        columns = {"status": status, "status_name": name, "comment": comment, "data_path": file.name,
                   "labels_path": str(LABELS / file.name), "num_changed_voxels": float("nan")}  # fmt: skip
        for column, value in columns.items():
            rows.setdefault(column, {})[str(number)] = value
    return rows


def manual_prepare(how="exit-0"):
    """A report that exists is taken to be one: an empty one ends this container at once, as it does MedPerf's."""
    if REPORT.exists():
        json.loads(REPORT.read_text())
    copy_raw()
    (METADATA / "meta.txt").write_text("stays local: 77")
    table = table_of(sorted(DATA.iterdir()))
    partial = REPORT.with_name("next")
    partial.write_text(json.dumps(table))
    partial.replace(REPORT)
    print("prepared", flush=True)
    if how == "exit-1" and any(status < 0 for status in table["status"].values()):
        sys.exit(1)


def in_place_prepare():
    """Writes into the report file it was given, stage by stage, and needs nobody."""
    REPORT.read_text()
    copy_raw()
    for status, name in ((1, "IDENTIFIED"), (2, "CONVERTED"), DONE):
        with REPORT.open("w") as file:
            for column, value in (("status", status), ("status_name", name)):
                file.write(f"{column}:\n" + "".join(f"  {case.stem}: {value}\n" for case in sorted(DATA.iterdir())))
        time.sleep(1.2)
    for file in DATA.iterdir():
        file.write_text(file.read_text().replace("verified: no", "verified: yes"))


def manual_sanity_check():
    sys.exit(0 if all(is_verified(file) for file in DATA.iterdir()) else "not everything was verified")


def manual_statistics():
    local = (METADATA / "meta.txt").read_text() if METADATA.is_dir() else ""
    count = len(list(DATA.iterdir()))
    STATISTICS.write_text(
        f"num_cases: {count}\nshare_verified: 1.0\nage: {{oldest: 97, mean: 61.5}}\nlocal: {local[-2:] or 0}\n"
    )


def older_prepare():
    """Labels lie beside the data; nobody else is told of them."""
    copy_raw()
    for file in sorted(RAW_LABELS.iterdir()):
        (DATA / f"{file.stem}.label").write_text(file.read_text())


def older_sanity_check():
    names = {file.suffix for file in DATA.iterdir()}
    sys.exit(0 if names == {".txt", ".label"} and not LABELS.exists() else f"found {names}")


def older_statistics():
    STATISTICS.write_text(f"num_cases: {len(list(DATA.glob('*.label')))}\n")


def unfit_prepare():
    copy_raw()


def unfit_sanity_check():
    sys.exit("the images are upside down" if not any(RAW_FIXED in file.read_text() for file in DATA.iterdir()) else 0)


RAW_FIXED = "fixed"


def unfit_statistics():
    STATISTICS.write_text(f"num_cases: {len(list(DATA.iterdir()))}\n")


def hostile_prepare(what):
    """A report that harms whoever reads it."""
    copy_raw()
    if what == "link":
        REPORT.symlink_to("/etc/passwd")
    elif what == "pipe":
        os.mkfifo(REPORT)
    elif what == "huge":
        REPORT.write_text("status:\n" + "".join(f"  {number}: 1\n" for number in range(2_000_000)))
    elif what == "deep":
        REPORT.write_text("[" * 50_000)
    elif what == "escapes":
        row = {
            "status": {"\x1b[2J::add-mask::x": -1, "b": float("nan"), "c": 1e400},
            "comment": {"b": "\x1b]8;;http://x\x07\r"},
        }
        REPORT.write_text(json.dumps(row))
    sys.exit(1)


style, task, *words = sys.argv[1:]
name = f"{style}_{task}".replace("-", "_")
globals().get(name, globals().get(f"manual_{task}"))(*words)
