"""What checking every record of a registry costs, signatures included, beside programs that look at the shape alone.

python benchmarks/bench_whole.py                               # 1 000 results
python benchmarks/bench_whole.py --sizes 10000 100000 --rounds 3

Ours reads Git objects and verifies every signature; the others read files that were written for them. `warm` is the
same again with what the first time remembered, `one more` after one more result.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import peers
from benchmarks.measure import ROOT, Table, environment, options, timed
from benchmarks.registry import Made, made


def command(one: Made, *arguments: str) -> list[str]:
    """Return the command line of our whole check; see `whole.py`."""
    return [sys.executable, "-P", str(ROOT / "benchmarks" / "whole.py"), str(one.path), *arguments]


def main() -> int:
    """One table for each size."""
    wanted = options(__doc__, sizes=(1000,), rounds=3)
    for size in wanted.sizes:
        one = made(size)
        with tempfile.TemporaryDirectory() as scratch:
            measure(one, Path(scratch), wanted.rounds, with_peers=wanted.peers)
    return 0


def measure(one: Made, scratch: Path, rounds: int, *, with_peers: bool) -> None:
    """Print the table of one registry."""
    home, kept = environment(scratch / "home"), scratch / "verified"
    timed(command(one, "main", str(kept)), environ=home)
    table = Table(f"whole check of {one.results} results", rounds)
    table.add("signatures too, 2 processes", command(one, "main"), environ=home)
    table.add("signatures too, 1 process", command(one, "main", "--processes", "1"), environ=home)
    table.add("the same, warm", command(one, "main", str(kept)), environ=home)
    before = scratch / "before"
    shutil.copy2(kept, before)
    table.add("the same, one more", command(one, one.head, str(before), "--forget"), environ=home)
    if with_peers:
        schema, folder = peers.schema_of("result"), peers.files_of(one)
        if by_ajv := peers.ajv(schema, folder):
            table.add("ajv-cli, shape only", by_ajv)
        table.add("PyYAML and jsonschema, shape only", peers.script(schema, folder))
        table.add("check-jsonschema, shape only", peers.check_jsonschema_all(schema, folder))
    table.run()


if __name__ == "__main__":
    sys.exit(main())
