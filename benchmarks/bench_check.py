"""What checking a proposal of one result costs in a registry of any size, beside check-jsonschema on that one file.

python benchmarks/bench_check.py                                # 100 and 10 000 results
python benchmarks/bench_check.py --sizes 1000 10000 100000

Required: the verdict is `pass`, and objects and bytes read are equal at every size, trees apart. check-jsonschema
looks at the shape alone; `check` also reads Git, verifies the signature and judges by every rule.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import peers
from benchmarks.measure import Table, environment, options, ours, timed
from benchmarks.registry import Made, made


@dataclass(frozen=True)
class Counts:
    """What one check said and read: objects and bytes by `tree` and `other`."""

    results: int
    verdict: str
    objects: Mapping[str, int]
    size: Mapping[str, int]


def command(one: Made) -> list[str]:
    """Return the command line that checks the proposed result."""
    return ours("check", "--json", "--base", "main", "--head", one.head, "--repo", str(one.path))


def count(one: Made) -> Counts:
    """Check the proposed result, in a process of its own, and return what that read."""
    with tempfile.TemporaryDirectory() as home:
        value = json.loads(timed(command(one), environ=environment(Path(home))).output)
    return Counts(one.results, value["verdict"], value["objects_read"], value["bytes_read"])


def compare(counts: Sequence[Counts]) -> list[str]:
    """Return in which counts the sizes differ that must be equal: all objects, and all bytes that are not trees'."""
    first = counts[0]
    return [
        f"{name} at {one.results} results: {got}, at {first.results}: {want}"
        for one in counts[1:]
        for name, got, want in (
            ("objects read", one.objects, first.objects),
            ("bytes read, trees apart", one.size["other"], first.size["other"]),
        )
        if got != want
    ]


def main() -> int:
    """Compare counts, then times."""
    wanted = options(__doc__, sizes=(100, 10_000))
    registries = [made(size) for size in wanted.sizes]
    counts = [count(one) for one in registries]
    for one in counts:
        print(f"{one.results:>7} results: {one.verdict}; objects {one.objects}; bytes {one.size}")
    with tempfile.TemporaryDirectory() as scratch:
        table = Table("check of one proposed result", wanted.rounds)
        for registry in registries:
            home = environment(Path(scratch) / "home")
            table.add(f"check at {registry.results} results", command(registry), environ=home)
        if wanted.peers:
            record = Path(scratch) / "0001.yaml"
            record.write_bytes(registries[0].record)
            table.add("check-jsonschema, that one file", peers.check_jsonschema(peers.schema_of("result"), record))
        table.run()
    wrong = compare(counts) + [f"{one.results}: {one.verdict}" for one in counts if one.verdict != "pass"]
    print("\n".join(wrong) or "equal at every size, trees' bytes apart")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
