"""What verifying the history of main costs: `sync` of one new merge, `audit` of all from the genesis.

python benchmarks/bench_history.py                               # 250 and 1 000 merges of one result
python benchmarks/bench_history.py --sizes 1000 10000 --rounds 1

`git fsck` is the peer of an audit: it recomputes every hash and knows no record, no signature and no rule.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import ROOT, Table, environment, options
from benchmarks.registry import Made, made


def command(what: str, one: Made) -> list[str]:
    """Return the command line of `sync` or `audit`; see `steps.py`."""
    root = one.git("rev-list", "--max-parents=0", "main").decode().strip()
    return [sys.executable, "-P", str(ROOT / "benchmarks" / "steps.py"), what, str(one.path), root, one.before_last]


def main() -> int:
    """One table for sync, one for audit."""
    wanted = options(__doc__, sizes=(250, 1000), rounds=3)
    registries = [made(size, merges=size) for size in wanted.sizes]
    with tempfile.TemporaryDirectory() as scratch:
        home = environment(Path(scratch))
        one_merge, all_merges = Table("sync of one merge", wanted.rounds), Table("audit", wanted.rounds)
        for one in registries:
            one_merge.add(f"sync after {one.results} merges", command("sync", one), environ=home)
            all_merges.add(f"audit of {one.results} merges", command("audit", one), environ=home)
            if wanted.peers:
                all_merges.add(
                    f"git fsck of {one.results} merges", ["git", "-C", str(one.path), "fsck", "--no-progress"]
                )
        one_merge.run()
        all_merges.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
