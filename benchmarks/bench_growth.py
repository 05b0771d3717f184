"""How a registry grows: bytes of the pack for each result and its signature, entries in the fullest folders.

python benchmarks/bench_growth.py                                # 2 000 merges of one result
python benchmarks/bench_growth.py --sizes 20000

The peer is the same files in one folder, merged one by one as well: what a registry without our layout would do.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import options
from benchmarks.registry import Made, Maker, made
from medperf_git.registry.commits import write_root

FLAT_LIMIT = 2000  # merges; the trees of a flat folder grow with the square


def main() -> int:
    """One line for each registry."""
    wanted = options(__doc__, sizes=(2000,), rounds=1)
    for size in wanted.sizes:
        one = made(size, merges=size)
        _say(f"{size} one-result merges", one, size)
        for folder, entries in _fullest(one):
            print(f"    {entries:6} entries in {folder or 'the root'}")
        if wanted.peers:
            with tempfile.TemporaryDirectory() as scratch:
                number = min(size, FLAT_LIMIT)
                _say(f"{number} merges into one flat folder", _flat(one, number, Path(scratch) / "flat.git"), number)
    return 0


def _say(what: str, one: Made, results: int) -> None:
    start = time.perf_counter()
    one.git("gc", "--quiet", "--prune=now")
    took = time.perf_counter() - start
    packs = sum(file.stat().st_size for file in (one.path / "objects" / "pack").glob("*.pack"))
    print(
        f"{what}: pack {packs / 1e6:.1f} MB, {packs / results:.0f} bytes a result (git gc took {took:.0f} s)",
        flush=True,
    )


def _fullest(one: Made) -> list[tuple[str, int]]:
    entries: Counter[str] = Counter()
    for line in one.git("ls-tree", "-r", "-t", "-z", "--name-only", "main").decode().split("\0")[:-1]:
        entries[line.rpartition("/")[0]] += 1
    return entries.most_common(3)


def _flat(one: Made, number: int, path: Path) -> Made:
    maker = Maker(path)
    maker.main = write_root(maker.store, {"README.md": b"flat\n"}, message="Begin", author=maker.author())
    for files in _results(one, number):
        maker.merge(files)
    maker.finish()
    return Made(path, number, maker.main, "", maker.before_last)


def _results(one: Made, number: int) -> Iterator[dict[str, bytes]]:
    """Yield the latest results of a registry with their signatures, under names that lie in one folder."""
    log = one.git("log", "--first-parent", f"-{number}", "--format=%H", "main").decode().split()
    for place, commit in enumerate(reversed(log)):
        names = one.git("diff-tree", "-r", "--name-only", "--no-commit-id", f"{commit}^1", commit).decode().split()
        yield {f"results/{place:05d}{name.partition('0001')[2]}": one.show(f"{commit}:{name}") for name in names}


if __name__ == "__main__":
    sys.exit(main())
