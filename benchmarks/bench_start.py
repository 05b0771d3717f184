"""How long the commands take that people type all day, beside bare Python and other programs.

python benchmarks/bench_start.py                                 # 1 000 results
python benchmarks/bench_start.py --sizes 10000
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import peers
from benchmarks.measure import Run, Table, environment, options, ours, timed
from benchmarks.registry import Made, made
from medperf_git.records.digests import digest_of, short


def main() -> int:
    """One table for each size."""
    wanted = options(__doc__, sizes=(1000,), rounds=7)
    for size in wanted.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            measure(made(size), Path(scratch), wanted.rounds, with_peers=wanted.peers)
    return 0


def measure(one: Made, scratch: Path, rounds: int, *, with_peers: bool) -> None:
    """Add the registry to a fresh home, then time the commands."""
    home = environment(scratch / "home")
    timed(ours("registry", "add", f"{one.path}#{one.id}"), environ=home)
    _, folder = one.proposed.split("/", 1)
    member, name, version, dataset, _, _ = folder.split("/")
    listed = one.git("ls-tree", "-r", "--name-only", "main", f"results/{member}/{name}/{version}/{dataset}")
    path = listed.decode().split()[0]

    def first_listing() -> Run:
        for kept in (scratch / "home").glob("registries/*/result-rows"):
            kept.unlink()
        return timed(ours("result", "ls"), environ=home)

    table = Table(f"start-up with {one.results} results", rounds)
    table.add("python -c pass", [sys.executable, "-I", "-c", "pass"])
    table.add("medperf-git --help", ours("--help"), environ=home)
    table.rows["medperf-git result ls, nothing kept"] = first_listing
    for words in (["status"], ["dataset", "ls"], ["cube", "ls"], ["member", "ls"], ["result", "ls"]):
        table.add("medperf-git " + " ".join(words), ours(*words), environ=home)
    table.add("medperf-git dataset show", ours("dataset", "show", "hospital-0000/wards@1"), environ=home)
    table.add("medperf-git benchmark show", ours("benchmark", "show", "dora/heart@1"), environ=home)
    table.add("medperf-git result show, by path", ours("result", "show", path), environ=home)
    called = short(digest_of(one.show(f"main:{path}")))
    table.add("medperf-git result show, by digits", ours("result", "show", called), environ=home)
    if with_peers:
        table.add("check-jsonschema --help", [*peers.check_jsonschema(peers.schema_of("result"))[:1], "--help"])
        table.add("git log -1", ["git", "-C", str(one.path), "log", "-1", "main"])
    table.run()


if __name__ == "__main__":
    sys.exit(main())
