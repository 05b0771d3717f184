"""The last steps of main, read from real Git."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.flows.recent_steps import RecentStep, recent_steps
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.news import iter_news
from medperf_git.leaderboard.reading import read_tables
from medperf_git.registry.bare import create_registry, open_copy
from medperf_git.registry.commits import Author, set_ref, write_commit, write_merge, write_root
from medperf_git.registry.light import LightSupply
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.transport import MAIN, MAIN_REFSPEC, NO_ACCESS, fetch, mark_light
from tests.support.rich_registry import rich

START = datetime(2026, 11, 25, 10, tzinfo=UTC)


def author(minutes: int) -> Author:
    return Author("Ana", "ana@example.org", START + timedelta(minutes=minutes))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_copy(tmp_path / "copy.git")


def test_steps_come_newest_first_with_the_paths_each_added(store: Store) -> None:
    root = write_root(store, {"registry/0001.yaml": b"a"}, message="Begin", author=author(0))
    next_one = write_commit(store, root, {"b/2.yaml": b"b", "b/1.yaml": b"c"}, message="Add", author=author(1))
    assert recent_steps(store, next_one) == (
        RecentStep(next_one, "2026-11-25T10:01:00Z", ("b/1.yaml", "b/2.yaml")),
        RecentStep(root, "2026-11-25T10:00:00Z", ("registry/0001.yaml",)),
    )


def test_a_merge_is_one_step_with_what_its_proposal_added(store: Store) -> None:
    root = write_root(store, {"registry/0001.yaml": b"a"}, message="Begin", author=author(0))
    proposal = write_commit(store, root, {"x.yaml": b"x"}, message="Add", author=author(1))
    proposal = write_commit(store, proposal, {"y.yaml": b"y"}, message="Add", author=author(2))
    merged = write_merge(
        store, root, proposal, files={"x.yaml": b"x", "y.yaml": b"y"}, message="Merge", author=author(3)
    )
    assert [step.paths for step in recent_steps(store, merged)] == [("x.yaml", "y.yaml"), ("registry/0001.yaml",)]


def test_only_the_last_steps_are_read(store: Store) -> None:
    at = write_root(store, {"registry/0001.yaml": b"a"}, message="Begin", author=author(0))
    for number in range(6):
        at = write_commit(store, at, {f"{number}.yaml": b"x"}, message="Add", author=author(number))
    assert [step.paths for step in recent_steps(store, at, most=2)] == [("5.yaml",), ("4.yaml",)]


def test_the_steps_of_a_real_history_are_told_in_sentences(store: Store) -> None:
    files = list(rich().files.items())
    at = write_root(store, dict(files[:-60]), message="Begin", author=author(0))
    for number, (path, data) in enumerate(files[-60:]):
        at = write_commit(store, at, {path: data}, message="Add", author=author(number))
    view = Snapshot.at(store, at)
    analyses = [analyse(table) for table in read_tables(view).benchmarks]
    texts = [news.text for news in iter_news(view, analyses, recent_steps(store, at))]
    assert len(recent_steps(store, at)) == 50
    assert texts[0] == "Signatures were added to records that were there."
    assert texts[1] == "Ben’s group withdrew the model Nearest neighbours (error found)."
    assert "Hospital River registered the dataset Archive: 50–99 cases." in texts


def test_a_light_copy_asks_as_often_for_many_steps_as_for_few(tmp_path: Path) -> None:
    registry = create_registry(tmp_path / "registry.git", pre_receive="#!/bin/sh\nexit 0\n")
    at = write_root(registry, {"registry/0001.yaml": b"a"}, message="Begin", author=author(0))
    for number in range(12):
        path = f"results/a/b/1/c.d.1/e.f{number}.1/0001.yaml"
        at = write_commit(registry, at, {path: b"%d" % number}, message="Add", author=author(number))
    set_ref(registry, MAIN, at)
    light = open_copy(tmp_path / "light.git")
    mark_light(light.path, 2)
    remote = Remote.at_path(registry.path)
    supply = LightSupply(light, remote, lambda: NO_ACCESS)
    light.supply = supply
    fetch(light.path, remote, [MAIN_REFSPEC])
    assert recent_steps(light, at) == recent_steps(registry, at)
    assert supply.questions <= 14
