"""The leaderboard's build as a command, for `bench_leaderboard.py`: a repository, what to do, where.

whole      a site from nothing               again      the same once more
next       the same after one result more, or one less: whichever of main and the proposal is not there yet
rank       read every result and rank; no page is written
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from medperf_git.flows.sites import site_cache, write_from_store
from medperf_git.leaderboard.analysis import rank_table
from medperf_git.leaderboard.reading import read_tables
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot


def main() -> int:
    """Do one thing, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=("whole", "again", "next", "rank"))
    parser.add_argument("repository", type=Path)
    parser.add_argument("commits", nargs="+", help="main, and the proposal")
    parser.add_argument("--out", type=Path, default=Path("site"))
    parser.add_argument("--home", type=Path, default=Path("home"))
    parser.add_argument("--processes", type=int, default=2)
    wanted = parser.parse_args()
    store = Store.open(wanted.repository, trust_owner=True)
    if wanted.do == "rank":
        tables = read_tables(Snapshot.at(store, wanted.commits[0])).benchmarks
        print([len(found.ranks) for table in tables if hasattr(found := rank_table(table), "ranks")])
        return 0
    if wanted.do == "whole":
        shutil.rmtree(wanted.out, ignore_errors=True)
    commit = wanted.commits[0]
    if wanted.do == "next":
        there = json.loads((wanted.out / "index.json").read_bytes())["commit"]
        commit = next(one for one in wanted.commits if one != there)
    cache = site_cache(wanted.home, wanted.out)
    built = write_from_store(
        store, commit=commit, registry="mg1:" + "0" * 64, out=wanted.out, cache=cache, processes=wanted.processes
    )
    print(built.files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
