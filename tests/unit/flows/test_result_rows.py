"""Rows that were kept are those that a reader of everything makes, whatever happens to a result."""

import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows import kept_rows, result_rows
from medperf_git.flows.kept_rows import KeptRows
from medperf_git.flows.naming import iter_stored_results
from medperf_git.flows.result_rows import list_results, path_called
from medperf_git.records import layout, models
from medperf_git.records.digests import short
from medperf_git.records.folds import marks_of
from medperf_git.records.names import Ref
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, write_commit, write_root
from medperf_git.registry.snapshot import Snapshot
from tests.support.registry_builder import AT, BENCHMARK, MODEL, NORTH, REFERENCE, SOUTH, cube, key, settled

TREE, FLAWED = Ref("moa", "tree", 1), Ref("moa", "flawed", 1)
AUTHOR = Author("Test", "test@example.invalid", AT)


def path(dataset, model, number=1):
    return layout.numbered(layout.result_folder(BENCHMARK, dataset, model), number)


class Desk:
    """A registry in Git that grows by records, and a home folder beside it."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.store = open_copy(folder / "copy.git")
        self.house = settled()
        self.commit = self.base = write_root(self.store, self.house.files, message="Begin", author=AUTHOR)

    def add(self, record, *signers):
        files = self.house.propose(record).sign(*signers).files
        self.house.files |= files
        self.commit = write_commit(self.store, self.commit, files, message="Add", author=AUTHOR)

    @property
    def kept(self):
        return self.home / "registries" / "heart" / "result-rows"

    def workspace(self):
        view = Snapshot.at(self.store, self.commit)
        return SimpleNamespace(context=SimpleNamespace(home=self.home), alias="heart", store=self.store, view=view)

    def rows(self):
        return list_results(self.workspace())


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    for ref in (TREE, FLAWED):
        made.add(cube(ref), "moa")
    for dataset, model in ((NORTH, MODEL), (NORTH, TREE), (NORTH, FLAWED), (SOUTH, MODEL), (SOUTH, REFERENCE)):
        made.add(made.house.result(dataset, model), dataset.member)
    return made


def plainly(view):
    """Return state and texts of every result as one reads them who knows no short cut."""
    found = iter_stored_results(view)
    last = {stored.place.folder: stored.path for stored in found}
    rows = []
    for stored in found:
        marks, result = marks_of(view, stored.path), stored.record
        newest = last[stored.place.folder] == stored.path
        state = "withdrawn" if marks.withdrawn else "disputed" if marks.disputed else "live" if newest else "superseded"
        values = [f"{name} {value.value}" for name, value in (result.values or {}).items() if value.value is not None]
        rows.append(
            {
                "result": short(stored.digest),
                "benchmark": str(result.benchmark.ref),
                "dataset": str(result.dataset.ref),
                "model": str(result.model.ref),
                "outcome": result.outcome if result.reason is None else f"{result.outcome}: {result.reason}",
                "state": state,
                "cases": str(result.cases),
                "values": ", ".join(values),
                "finished": result.finished,
                "path": stored.path,
            }
        )
    return rows


def fail(desk):
    failed = desk.house.result(NORTH, TREE, outcome="failed", reason="exit-code", values=None, attempt=2)
    desk.add(failed, "north")


def notice(event, of, **more):
    return lambda desk: desk.add(desk.house.notice(event, of, by="north", **more), "north")


def quarantine(*paths):
    record = models.Quarantine(created="2026-11-25T10:00:00Z", commit="ab" * 20, paths=paths, reason="forged")
    return lambda desk: desk.add(record, "ana")


def revoke(desk):
    entry = models.RevokedKey(key("south").key, desk.base, "stolen")
    desk.add(desk.house.member_now("south", keys=models.Keys((key("south:2"),)), revoked=(entry,)), "south:2")


STEPS = [
    ("live", path(NORTH, MODEL), lambda _: None),
    ("withdrawn", path(NORTH, MODEL), notice("withdraw", path(NORTH, MODEL))),
    ("live", path(NORTH, MODEL), notice("reinstate", path(NORTH, MODEL))),
    ("disputed", path(NORTH, MODEL), notice("dispute", path(NORTH, MODEL))),
    ("superseded", path(NORTH, TREE), fail),
    ("live", path(NORTH, TREE, 2), lambda _: None),
    (None, path(NORTH, FLAWED), quarantine(path(NORTH, FLAWED))),
    ("live", path(NORTH, MODEL), quarantine(layout.numbered(layout.notice_folder(path(NORTH, MODEL)), 3))),
    ("disputed", path(SOUTH, REFERENCE), revoke),
    (None, path(SOUTH, MODEL), quarantine(path(SOUTH, MODEL))),
]


def test_rows_are_those_of_a_plain_reading_after_every_kind_of_step(desk):
    commits = []
    for state, of, step in STEPS:
        step(desk)
        commits.append(desk.commit)
        rows = desk.rows()
        view = desk.workspace().view
        assert rows == desk.rows() == result_rows.result_rows(view) == plainly(view)
        assert {row["path"]: row["state"] for row in rows}.get(of) == state
    for desk.commit in commits:  # an older state again: what was kept of a later one does not serve
        assert desk.rows() == plainly(desk.workspace().view)


def test_one_benchmark_alone_can_be_listed_and_an_unknown_one_has_none(desk):
    assert list_results(desk.workspace(), BENCHMARK) == desk.rows()
    assert list_results(desk.workspace(), MODEL) == []


def test_only_folders_that_changed_are_read_again(desk, monkeypatch):
    desk.rows()
    read = []
    cells_of = result_rows._cells_of
    monkeypatch.setattr(
        result_rows, "_cells_of", lambda view, one, dataset: read.append(dataset) or cells_of(view, one, dataset)
    )
    desk.rows()
    assert read == []
    fail(desk)
    desk.rows()
    assert read == [NORTH]


def test_rows_that_rest_on_earlier_steps_are_not_kept(desk):
    revoke(desk)
    desk.rows()
    assert SOUTH.folder.encode() not in desk.kept.read_bytes()
    assert NORTH.folder.encode() in desk.kept.read_bytes()


@pytest.mark.parametrize("place", [0, 31, 32, 200, -1])
def test_a_file_with_one_changed_byte_counts_as_absent(desk, place):
    rows = desk.rows()
    data = bytearray(desk.kept.read_bytes())
    data[place] ^= 1
    desk.kept.write_bytes(data)
    assert desk.rows() == rows
    assert KeptRows.load(desk.kept, code=Path(result_rows.__file__)).find("", "") is None


@pytest.mark.parametrize("data", [b"", b"{}", bytes(32)])
def test_a_file_that_is_none_of_ours_counts_as_absent(desk, data):
    rows = desk.rows()
    desk.kept.write_bytes(data)
    assert desk.rows() == rows


def test_rows_of_another_version_of_this_program_count_as_absent(desk, monkeypatch):
    rows = desk.rows()
    folder = f"results/{BENCHMARK.path}/{NORTH.folder}"
    kept = KeptRows.load(desk.kept, code=Path(result_rows.__file__))
    kept.keep(
        folder, result_rows._key(result_rows.FolderIds(desk.store, desk.workspace().view.tree), folder, NORTH), []
    )
    kept.save()
    assert len(desk.rows()) < len(rows)  # what is kept is used …
    monkeypatch.setattr(kept_rows, "checker_digest", lambda: bytes(32))
    assert desk.rows() == rows  # … by the program that kept it alone


@pytest.mark.skipif(sys.platform == "win32", reason="the rights of the folder decide there")
def test_only_this_user_may_read_what_is_kept(desk):
    desk.rows()
    assert stat.S_IMODE(desk.kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.kept.parent.stat().st_mode) == 0o700


def test_rows_are_listed_where_nothing_can_be_kept(desk, monkeypatch):
    def refuse(*_):
        raise EnvironmentProblem("no room", hint="make some")

    monkeypatch.setattr(kept_rows, "write_file", refuse)
    assert desk.rows() == plainly(desk.workspace().view)
    monkeypatch.undo()
    monkeypatch.setattr(kept_rows, "MAX_BYTES", 10)
    assert desk.rows() == plainly(desk.workspace().view)
    assert not desk.kept.exists()


def test_a_result_is_found_by_how_it_is_called(desk):
    row = desk.rows()[2]
    assert path_called(desk.workspace(), row["result"]) == row["path"]
    assert path_called(desk.workspace(), row["result"][:10]) == row["path"]
    assert path_called(desk.workspace(), row["path"]) == row["path"]
    for text in ("", row["result"][:3], "ffffffffffff", "results"):
        assert path_called(desk.workspace(), text) == text
