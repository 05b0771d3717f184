"""A site that is brought up to date is the one that is built anew, whatever happened in between."""

import fcntl
import functools
import itertools
import os
import random
import shutil
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.leaderboard import build, build_cache, frames, sides, workers
from medperf_git.leaderboard.build import build_folder, build_site
from medperf_git.leaderboard.build_cache import BuildCache
from medperf_git.leaderboard.difference import compare_rankings
from medperf_git.leaderboard.sides import Tables
from medperf_git.leaderboard.writing import SiteFolder, write_site
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, write_commit, write_root
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from tests.support import leaderboard_registry as lr

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEY, EDITION = bytes(range(32)), b"edition"
ITER_REST = build._iter_rest


class Repository:
    """A registry of real Git objects that grows commit by commit."""

    def __init__(self, folder: Path, registry: lr.Registry) -> None:
        self.registry = registry
        self.store: Store = open_copy(folder)
        self.written: dict[str, bytes] = {}
        self.head = ""
        self.commit()

    def commit(self) -> str:
        """Commit what the registry has that main has not."""
        fresh: Mapping[str, bytes] = {
            path: data for path, data in self.registry.files.items() if self.written.get(path) != data
        }
        author = Author("Test", "test@medperf-git.invalid", AT)
        if self.head:
            self.head = write_commit(self.store, self.head, dict(fresh), message="More", author=author)
        else:
            self.head = write_root(self.store, fresh, message="Begin", author=author)
        self.written |= fresh
        return self.head

    def view(self) -> Snapshot:
        return Snapshot.at(self.store, self.head)


def open_view(path: Path, commit: str) -> Snapshot:
    return Snapshot.at(Store.open(path, trust_owner=True), commit)


def about(head: str, step: int = 0) -> dict[str, str]:
    time = (AT + timedelta(days=step)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"commit": head, "registry_id": lr.REGISTRY_ID, "step_time": time}


def cache(tmp_path: Path, *, key: bytes = KEY, edition: bytes = EDITION) -> BuildCache:
    return BuildCache(tmp_path / "kept" / "site.build", key=key, edition=edition)


def files_of(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def again(repository: Repository, tmp_path: Path, **more: str) -> dict[str, bytes]:
    opened = functools.partial(open_view, tmp_path / "registry.git", repository.head)
    given = about(repository.head) | more
    build_folder(repository.view(), tmp_path / "site", cache=cache(tmp_path), open_view=opened, **given)
    return files_of(tmp_path / "site")


def update(repository: Repository, tmp_path: Path, step: int = 0, **more: BuildCache) -> dict[str, bytes]:
    build_folder(
        repository.view(), tmp_path / "site", cache=more.get("cache") or cache(tmp_path), **about(repository.head, step)
    )
    return files_of(tmp_path / "site")


def whole(repository: Repository, step: int = 0) -> dict[str, bytes]:
    return dict(build_site(repository.view(), **about(repository.head, step)))


def changes(registry: lr.Registry, chance: random.Random) -> Iterator[str]:
    """Do something to a registry, at random, for ever; say what it was."""
    models, sites = ["logit", "forest", "near"], ["north", "river", "summit"]
    new_names = (f"{one}{two}" for one, two in itertools.product("abcdefgh", "klmnopqr"))
    results = sorted(path for path in registry.files if path.startswith("results/") and path.endswith(".yaml"))
    deeds = ["result", "result", "supersede", "withdraw", "dispute", "model", "site", "subject", "failed", "member"]
    while True:
        deed = chance.choice(deeds)
        model, site = chance.choice(models), chance.choice(sites)
        value = chance.randrange(500, 999) / 1000
        match deed:
            case "result" | "supersede":
                numbers = {"auroc": value, "sensitivity": value, "brier": round(1 - value, 3)}
                results.append(registry.result(model, site, numbers))
            case "failed":
                results.append(registry.result(model, site, outcome="failed", reason="timeout"))
            case "withdraw" | "dispute":
                path = chance.choice(results)
                undone = {"withdraw": "reinstate", "dispute": "resolve"}[deed]
                last = [one for one in registry.files if one.startswith(layout.notice_folder(path) + "/")]
                event = undone if len(last) % 2 else deed
                registry.notice(path, event, by="ana", side="committee", reason="implausible")
            case "model":
                models.append(next(new_names))
                registry.model(models[-1], f"Model {models[-1]}")
            case "site":
                sites.append(next(new_names))
                registry.site(sites[-1], cases=chance.randrange(20, 200))
            case "subject":
                path = layout.cube_path(Ref("ben", model, 1))
                if not any(one.startswith(layout.notice_folder(path)) for one in registry.files):
                    registry.notice(path, "withdraw", by="ben", side="owner", reason="error-found")
            case "member":  # its next record: another title, which stands on no result's page, and a second key
                first = layout.member_path(site, 1)
                if layout.member_path(site, 2) not in registry.files:
                    keys = {"signing": [{"key": lr.key_of(site)}, {"key": lr.key_of(f"{site}-more")}]}
                    value = {"previous": digest_of(registry.files[first]), "member": site, "title": "New", "keys": keys}
                    registry._add(layout.member_path(site, 2), "member", {"status": "active", **value})
        yield deed


@pytest.mark.parametrize("seed", [1])
def test_brought_up_to_date_commit_by_commit_a_site_is_the_one_built_anew(tmp_path: Path, seed: int) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    doing = changes(repository.registry, random.Random(seed))
    assert update(repository, tmp_path) == whole(repository)
    for step in range(1, 15):
        deeds = [next(doing) for _ in range(1 + step % 3)]
        repository.commit()
        assert update(repository, tmp_path, step) == whole(repository, step), deeds


def test_one_new_result_writes_its_own_column_and_nothing_of_the_others(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.wide(4, 5))
    update(repository, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "site").rglob("*.html")}
    repository.registry.result("net-1", "site-b", {"auroc": 0.7, "sensitivity": 0.7, "brier": 0.2})
    repository.commit()
    update(repository, tmp_path)
    touched = {
        path.relative_to(tmp_path / "site").as_posix()
        for path, then in before.items()
        if path.exists() and path.stat().st_mtime_ns != then
    }
    results = {name for name in touched if name.startswith("results/")}
    assert results == {"results/ana/breast/1/site-b.tumours.1/ben.net-1.1/0001.html"}


def test_what_a_change_left_alone_is_read_once_for_both_of_its_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "registry.git", lr.wide(4, 5))
    before = repository.view()
    repository.registry.result("net-1", "site-b", {"auroc": 0.7, "sensitivity": 0.7, "brier": 0.2})
    repository.commit()
    after, read = repository.view(), frames.Frame.read_column
    folders: list[str] = []
    monkeypatch.setattr(
        frames.Frame, "read_column", lambda frame, folder, *more: folders.append(folder) or read(frame, folder, *more)
    )
    found = compare_rankings(Tables(before, after), (lr.BENCHMARK,))
    assert {folder for folder in folders if folders.count(folder) == 2} == {"results/ana/breast/1/site-b.tumours.1"}
    assert len(folders) == 5 + 1
    folders.clear()
    monkeypatch.setattr(sides, "_iter_same", lambda *_: iter(()))
    assert compare_rankings(Tables(before, after), (lr.BENCHMARK,)) == found
    assert len(folders) == 5 + 5


def test_nothing_new_reads_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    monkeypatch.setattr(workers._Hand, "do", lambda *_: pytest.fail("a column was read"))
    assert update(repository, tmp_path) == first


def test_the_same_commit_again_is_looked_through_and_whatever_others_changed_is_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first, made = again(repository, tmp_path), []
    monkeypatch.setattr(build, "_iter_rest", lambda *given: made.append(1) or ITER_REST(*given))
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    assert again(repository, tmp_path) == first
    assert not made
    (site / "models" / "stray.html").write_text("stray")
    assert again(repository, tmp_path) == first
    assert not made
    for times, spoil in enumerate(
        (
            lambda: (site / "methods.html").write_text("other"),
            lambda: (site / "index.json").write_text('{"made_by": "medperf-git leaderboard"}'),
            lambda: shutil.rmtree(site / "members"),
            lambda: (site / "models").rename(elsewhere) and (site / "models").symlink_to(elsewhere),
            lambda: (site / "results").rename(tmp_path / "r") and (site / "results").symlink_to(tmp_path / "r"),
        ),
        start=1,
    ):
        spoil()
        assert again(repository, tmp_path) == first
        assert len(made) == times
    assert not (site / "models").is_symlink()


def test_another_registry_id_or_time_of_the_same_records_is_another_site(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    again(repository, tmp_path)
    for more in ({"registry_id": "mg1:" + "5" * 64}, {"step_time": "2026-12-01T00:00:00Z"}):
        given = about(repository.head) | more
        expected = dict(build_site(repository.view(), **given))
        assert again(repository, tmp_path, **given) == expected


@pytest.mark.parametrize("how", ["cut", "turned", "key", "edition", "moved"])
def test_a_cache_that_is_damaged_or_foreign_costs_time_and_nothing_else(tmp_path: Path, how: str) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    update(repository, tmp_path)
    kept = tmp_path / "kept" / "site.build"
    data = bytearray(kept.read_bytes())
    repository.registry.result("near", "summit", {"auroc": 0.5, "sensitivity": 0.5, "brier": 0.5})
    repository.commit()
    other = cache(tmp_path)
    match how:
        case "cut":
            kept.write_bytes(data[: len(data) // 2])
        case "turned":
            data[len(data) // 2] ^= 1
            kept.write_bytes(data)
        case "key":
            other = cache(tmp_path, key=bytes(32))
        case "edition":
            other = cache(tmp_path, edition=b"another")
        case "moved":
            (tmp_path / "site").rename(tmp_path / "elsewhere")
    assert update(repository, tmp_path, cache=other) == whole(repository)


def test_a_sealed_cache_of_any_shape_is_read_without_a_traceback(tmp_path: Path) -> None:
    chance = random.Random(5)
    repository = Repository(tmp_path / "registry.git", lr.demo())
    update(repository, tmp_path)
    guard = cache(tmp_path)
    body = (tmp_path / "kept" / "site.build").read_bytes()[len(build_cache._MAGIC) + build_cache._SEAL :]
    for _ in range(200):
        hostile = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            hostile[chance.randrange(len(hostile) // 2)] = chance.randrange(256)
        hostile = hostile[: chance.choice([len(hostile), chance.randrange(len(hostile))])]
        (tmp_path / "kept" / "site.build").write_bytes(build_cache._MAGIC + guard._seal(bytes(hostile)) + hostile)
        assert isinstance(guard.load(), build_cache.LastBuild)


def test_what_others_changed_in_the_site_is_put_right(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    site = tmp_path / "site"
    page = site / "results/ana/breast/1/north.tumours.1/ben.logit.1/0001.html"
    page.write_bytes(page.read_bytes().replace(b"north", b"south"))
    (site / "benchmarks/ana/breast/1/results/river.tumours.1.csv").unlink()
    (site / "benchmarks" / "extra.html").write_text("stray")
    (page.parent / "extra.html").write_text("stray")
    (page.parent.parent / "ben.other.1").mkdir()
    (page.parent.parent / "ben.other.1" / "0001.html").write_text("stray")
    (site / "models").mkdir(exist_ok=True)
    (site / "models" / "stray.html").write_text("stray")
    assert update(repository, tmp_path) == first


def test_a_link_in_the_site_leads_no_page_elsewhere(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "index.html").write_text("mine")
    shutil.rmtree(site / "benchmarks/ana/breast/1")
    (site / "benchmarks/ana/breast/1").symlink_to(elsewhere, target_is_directory=True)
    assert update(repository, tmp_path) == first
    assert files_of(elsewhere) == {"index.html": b"mine"}


@pytest.mark.parametrize(
    "folder",
    ["results", "results/ana/breast/1/north.tumours.1", "results/ana/breast/1/north.tumours.1/ben.logit.1",
     "benchmarks/ana/breast/1/table"],
)  # fmt: skip
def test_a_folder_moved_away_and_linked_to_is_written_again(tmp_path: Path, folder: str) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    (tmp_path / "site" / folder).rename(tmp_path / "elsewhere")
    (tmp_path / "site" / folder).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert update(repository, tmp_path) == first
    assert not (tmp_path / "site" / folder).is_symlink()


def test_what_others_keep_beside_the_site_stays(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    others = {
        ".git/HEAD": b"ref: refs/heads/pages",
        "CNAME": b"leaderboard.example.org",
        ".nojekyll": b"",
        "downloads/a.html": b"a",
        "404.html": b"<p>Not here</p>",
        "about.html": b"<p>Us</p>",
        "site.webmanifest.json": b"{}",
        "blog.atom": b"<feed/>",
    }
    for folder in (".git", "downloads"):
        (tmp_path / "site" / folder).mkdir()
    for name, data in others.items():
        (tmp_path / "site" / name).write_bytes(data)
    assert update(repository, tmp_path) == first | others
    write_site(whole(repository), tmp_path / "site")
    assert files_of(tmp_path / "site") == first | others


def test_a_folder_in_place_of_the_file_written_first_is_in_nobodys_way(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    first = update(repository, tmp_path)
    page = tmp_path / "site" / "methods.html"
    page.write_bytes(b"other")
    (tmp_path / "site" / "methods.html.medperf-git-new").mkdir()
    badge = tmp_path / "site" / "benchmarks/ana/breast/1/badge.svg"
    badge.write_bytes(b"other")
    badge.with_name("badge.svg.medperf-git-new").symlink_to(tmp_path / "nowhere")
    assert update(repository, tmp_path) == first


def test_two_builds_into_one_folder_come_one_after_the_other(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    (tmp_path / "site").mkdir()
    handle = os.open(tmp_path / "site", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    other = threading.Thread(target=update, args=(repository, tmp_path))
    other.start()
    other.join(0.5)
    assert other.is_alive()
    assert list((tmp_path / "site").iterdir()) == []
    os.close(handle)
    other.join(30)
    assert files_of(tmp_path / "site") == whole(repository)


@pytest.mark.parametrize("name", ["site.build", "site.build.new"])
def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path, name: str) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    (tmp_path / "kept" / name).mkdir(parents=True)
    with pytest.raises(EnvironmentProblem, match=r"remembered in .*/kept/site\.build: Is a directory") as problem:
        update(repository, tmp_path)
    assert "--no-cache" in problem.value.hint


def test_a_pipe_in_place_of_the_cache_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    os.mkfifo(tmp_path / "kept" / "site.build")
    assert cache(tmp_path).load() == build_cache.NOTHING


@pytest.mark.parametrize("after", [0, 11])
def test_a_build_that_was_stopped_anywhere_is_healed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    repository = Repository(tmp_path / "registry.git", lr.demo())
    update(repository, tmp_path)
    repository.registry.result("near", "summit", {"auroc": 0.5, "sensitivity": 0.5, "brier": 0.5})
    repository.registry.model("extra")
    repository.commit()
    put, left = SiteFolder.put, iter([*[True] * after, False])

    def stopping(folder: SiteFolder, url: str, data: bytes) -> int:
        if not next(left):
            raise OSError(28, "No space left on device")
        return put(folder, url, data)

    with monkeypatch.context() as patch:
        patch.setattr(SiteFolder, "put", stopping)
        with pytest.raises(EnvironmentProblem):
            update(repository, tmp_path)
    assert (tmp_path / "site" / "index.json").is_file()
    assert update(repository, tmp_path) == whole(repository)


def test_two_processes_write_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "registry.git", lr.wide(3, 4))
    monkeypatch.setattr(workers, "_WORTH_IT", 1)
    monkeypatch.setattr(workers, "_SHARE", 1)
    opening = functools.partial(open_view, tmp_path / "registry.git", repository.head)
    for place, processes in enumerate((1, 2)):
        out = tmp_path / f"site-{place}"
        build_folder(repository.view(), out, open_view=opening, processes=processes, **about(repository.head))
        assert files_of(out) == whole(repository)
