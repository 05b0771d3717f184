"""The whole check as a command, for `bench_whole.py`: a repository, a branch or commit, and a file to remember in."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from medperf_git.registry.cache import Verified
from medperf_git.registry.objects import Store
from medperf_git.registry.whole import check_whole


def main() -> int:
    """Check all, and say what was read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("commit")
    parser.add_argument("remember", type=Path, nargs="?")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--forget", action="store_true", help="remember nothing new")
    wanted = parser.parse_args()
    store, known = Store.open(wanted.repository), Verified.load(wanted.remember)
    commit = store.ref(f"refs/heads/{wanted.commit}") or wanted.commit
    report = check_whole(store, commit, known=known, processes=wanted.processes)
    if not wanted.forget:
        known.save()
    for finding in report.findings:
        print(finding)
    print(f"{report.records} records and {report.signatures} signatures read, {len(report.findings)} findings")
    return int(bool(report.findings))


if __name__ == "__main__":
    sys.exit(main())
