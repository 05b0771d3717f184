"""What building a site cannot do without, each part alone: processor time for each result, in one process.

python benchmarks/leaderboard_floor.py                 # 10000 results, made as `bench_leaderboard.py` makes them
python benchmarks/leaderboard_floor.py --sizes 100000

Times N, and shared by two cores, they say how fast a build could be that did nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench_leaderboard import MERGES
from benchmarks.measure import options
from benchmarks.registry import made
from medperf_git.records.record import read_record
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import MAX_RECORD, Snapshot

PAGE = b"x" * 8500  # bytes of one page of a result, as they are
_YAML = 2000  # records that PyYAML reads: a sample is enough
T = TypeVar("T")


def main() -> int:
    """One table for each size."""
    for size in options(__doc__, sizes=(10_000,)).sizes:
        measure(size)
    return 0


def measure(size: int) -> None:
    """Print the table of one registry."""
    one = made(size, merges=MERGES, varied=True)
    store = Store.open(one.path)
    view = Snapshot.at(store, one.git("rev-parse", "main").decode().strip())
    print(f"\nbelow a site of {size} results: processor time for each (µs)")
    ids = _timed("list the files of all results", size, lambda: list(view.iter_blob_ids("results")))
    blobs = _timed(
        "read record and signature out of Git",
        size,
        lambda: [(path, store.blob(raw_id, limit=MAX_RECORD)) for path, raw_id in ids],
    )
    records = [(path, data) for path, data in blobs if path.endswith(".yaml")]
    bundles = [data for path, data in blobs if not path.endswith(".yaml")]
    some = records[:_YAML]
    _timed("parse YAML with libyaml", len(some), lambda: [yaml.load(data, yaml.CSafeLoader) for _, data in some])
    _timed("parse, schema, canonical form, typed", size, lambda: [read_record(path, data) for path, data in records])
    _timed("read what a signature says", size, lambda: [_statement(data) for data in bundles])
    with tempfile.TemporaryDirectory() as scratch:
        top = f"{scratch}/"
        _timed("write a folder with a page", size, lambda: [_write(f"{top}{number}") for number in range(size)])
        _timed("ask whether both are as they were", size, lambda: [_look(f"{top}{number}") for number in range(size)])


def _timed(name: str, count: int, work: Callable[[], T]) -> T:
    start = time.process_time()
    found = work()
    print(f"{name:40}{(time.process_time() - start) / count * 1e6:8.1f}", flush=True)
    return found


def _statement(data: bytes) -> object:
    return json.loads(base64.b64decode(json.loads(data)["dsseEnvelope"]["payload"]))


def _write(folder: str) -> None:
    os.mkdir(folder)  # noqa: PTH102  (as the build does it)
    handle = os.open(f"{folder}/0001.html", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.write(handle, PAGE)
    os.close(handle)


def _look(folder: str) -> None:
    os.lstat(folder)
    os.lstat(f"{folder}/0001.html")


if __name__ == "__main__":
    sys.exit(main())
