"""What finding the changed paths between two trees costs, with one file changed among many.

python benchmarks/bench_difference.py                            # 100 000 files
python benchmarks/bench_difference.py --sizes 100000 1000000

The trees have the layout of results, and are real Git objects; no file in them exists, which no comparison looks at.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pygit2
from pygit2.enums import ObjectType

from benchmarks.measure import Run, Table, cache_folder, inside, options
from benchmarks.packing import PackWriter
from medperf_git.registry.objects import Store
from medperf_git.registry.trees import compare_trees


def main() -> int:
    """One table for each size."""
    wanted = options(__doc__, sizes=(100_000,), rounds=9)
    for size in wanted.sizes:
        path, before, after = trees(size)
        table = Table(f"one more result among {size} files", wanted.rounds)
        table.rows["set difference of raw trees (ours)"] = lambda p=path, b=before, a=after: ours(p, b, a)
        table.rows["pygit2 diff_to_tree"] = lambda p=path, b=before, a=after: by_pygit2(p, b, a)
        table.add("git diff-tree -r -z", ["git", "-C", str(path), "diff-tree", "-r", "-z", before, after])
        table.add("git --version: what starting it costs", ["git", "--version"])
        table.run()
    return 0


def ours(path: Path, before: str, after: str) -> Run:
    """Compare as `check` does, in a store that has read nothing yet."""
    store = Store.open(path)
    return inside(lambda: compare_trees(store, bytes.fromhex(before), after=bytes.fromhex(after)))


def by_pygit2(path: Path, before: str, after: str) -> Run:
    """Compare as libgit2 does."""
    repository = pygit2.Repository(str(path))
    return inside(lambda: list(repository[before].diff_to_tree(repository[after]).deltas))


def trees(files: int) -> tuple[Path, str, str]:
    """Return a repository with a tree of so many files, and the ids of it and of one with one result more."""
    path = cache_folder() / f"trees-{files}.git"
    note = path / "trees"
    if not note.exists():
        subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
        repository = pygit2.Repository(str(path))
        writer = PackWriter(repository)
        side = math.isqrt(files // 2)
        before = _root(repository, writer, side, extra="")
        after = _root(repository, writer, side, extra="moa.one-more.1")
        writer.flush()
        note.write_text(f"{before} {after}", encoding="ascii")
    before, after = note.read_text(encoding="ascii").split()
    return path, before, after


def _root(repository: pygit2.Repository, writer: PackWriter, side: int, *, extra: str) -> str:
    datasets = {}
    for number in range(side):
        models = {f"moa.model-{model:04d}.1": _result(repository, f"{number}/{model}") for model in range(side)}
        if extra and number == side // 2:
            models[extra] = _result(repository, extra)
        datasets[f"hospital-{number:04d}.wards.1"] = _folder(repository, models)
        writer.flush_when_full()
    oid = _folder(repository, datasets)
    for name in ("1", "heart", "dora", "results"):
        oid = _folder(repository, {name: oid})
    return str(oid)


def _result(repository: pygit2.Repository, seed: str) -> pygit2.Oid:
    record, bundle = (hashlib.sha1(f"{seed} {what}".encode(), usedforsecurity=False).digest() for what in "rb")
    names = (b"0001.yaml", b"0001.yaml.0123456789abcdef.sigstore.json")
    data = b"".join(b"100644 %s\0%s" % pair for pair in zip(names, (record, bundle), strict=True))
    return repository.odb.write(ObjectType.TREE, data)


def _folder(repository: pygit2.Repository, inner: dict[str, pygit2.Oid]) -> pygit2.Oid:
    data = b"".join(b"40000 %s\0%s" % (name.encode(), inner[name].raw) for name in sorted(inner, key=lambda n: n + "/"))
    return repository.odb.write(ObjectType.TREE, data)


if __name__ == "__main__":
    sys.exit(main())
