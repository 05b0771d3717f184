"""Which folders of two commits differ: as deep as a benchmark, and no folder is read that is the same on both sides."""

from collections.abc import Mapping
from datetime import UTC, datetime

from medperf_git.registry.commits import Author, write_commit, write_root
from medperf_git.registry.differing import iter_differing
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot

WHO = Author("x", "x@example.invalid", datetime(2026, 11, 25, tzinfo=UTC))
FILES = {
    "registry/0001.yaml": b"r",
    "members/ana/0001.yaml": b"m",
    "cubes/ana/net/1.yaml": b"c",
    "benchmarks/ana/breast/1/benchmark.yaml": b"b",
    "results/ana/breast/1/north.d.1/ana.net.1/0001.yaml": b"1",
    "results/ana/breast/2/north.d.1/ana.net.1/0001.yaml": b"2",
    "results/zoe/other/1/north.d.1/ana.net.1/0001.yaml": b"3",
    "notices/results/ana/breast/1/north.d.1/ana.net.1/0001/0001.yaml": b"n",
}


def between(store: Store, changes: Mapping[str, bytes | None]) -> list[str]:
    before = write_root(store, FILES, message="a", author=WHO)
    after = write_commit(store, before, changes, message="b", author=WHO)
    return list(iter_differing(Snapshot.at(store, before), Snapshot.at(store, after)))


def test_a_result_is_told_as_the_folder_of_its_benchmark(store: Store) -> None:
    added = {"results/ana/breast/1/north.d.1/ana.net.1/0002.yaml": b"x"}
    assert between(store, added) == ["results/ana/breast/1/"]


def test_files_notices_and_what_is_gone_are_told_in_order(store: Store) -> None:
    found = between(
        store,
        {
            "registry/0002.yaml": b"x",
            "cubes/ana/net/2.yaml": b"x",
            "members/zoe/0001.yaml": b"x",
            "results/zoe/other/1/north.d.1/ana.net.1/0001.yaml": None,
            "notices/cubes/ana/net/1/0001.yaml": b"x",
            "notices/results/ana/breast/1/north.d.1/ana.net.1/0001/0002.yaml": b"x",
            "README.md": b"x",
        },
    )
    assert found == [
        "README.md",
        "cubes/ana/net/2.yaml",
        "members/zoe/0001.yaml",
        "notices/cubes/ana/net/1/",
        "notices/results/ana/breast/1/",
        "registry/0002.yaml",
        "results/zoe/other/1/",
    ]


def test_the_same_commit_differs_in_nothing_and_reads_no_folder(store: Store) -> None:
    commit = write_root(store, FILES, message="a", author=WHO)
    views = Snapshot.at(store, commit), Snapshot.at(store, commit)
    mark = store.meter.mark()
    assert list(iter_differing(*views)) == []
    assert store.meter.since(mark).objects_read == 0


def test_the_cost_follows_the_difference(store: Store) -> None:
    many = {f"results/m{n}/bench/1/north.d.1/ana.net.1/0001.yaml": b"x" for n in range(60)}
    before = write_root(store, {**FILES, **many}, message="a", author=WHO)
    added: Mapping[str, bytes | None] = {"results/m7/bench/1/north.d.1/ana.net.1/0002.yaml": b"y"}
    after = write_commit(store, before, added, message="b", author=WHO)
    views = Snapshot.at(store, before), Snapshot.at(store, after)
    mark = store.meter.mark()
    assert list(iter_differing(*views)) == ["results/m7/bench/1/"]
    assert store.meter.since(mark).trees_read <= 2 * 4  # the root, results, m7, bench: on both sides
