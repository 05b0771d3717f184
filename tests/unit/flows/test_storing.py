"""What takes room is shown, what may go goes, and a move to another disk loses nothing at any moment."""

import sys
from types import SimpleNamespace

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused, UsageProblem
from medperf_git.flows import storing
from medperf_git.flows.preparation_progress import standing_of
from medperf_git.flows.prepared import find_prepared, iter_prepared
from medperf_git.flows.run_rows import run_store
from medperf_git.flows.storing import move, prune, readable, stored
from medperf_git.flows.unchanged import refuse_changed
from medperf_git.runner import relocate
from medperf_git.runner.disk import DiskFull
from medperf_git.runner.preparation import PreparationFolder, held
from medperf_git.runner.scratch import own_scratch
from tests.unit.flows.test_carrying_data import prepared

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")


@pytest.fixture
def home(tmp_path):
    """A home with one of everything."""
    home = tmp_path / "home"
    prepared(home)
    for place in ("cache/assets/a", "cache/unpacked/b/c", "scratch/dead/x", "runs/r/plan.json", "logs/report.log"):
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_bytes(b"x" * 5000)
    (home / "datasets" / ".import" / "dead").mkdir(parents=True)
    (home / "datasets" / ".import" / "dead" / "x").write_bytes(b"x" * 5000)
    half = home / "datasets" / ".0123456789ab.clinic.half.partial"
    (half / "work").mkdir(parents=True)
    (half / "work" / "x").write_bytes(b"x" * 5000)
    PreparationFolder(half).write_state("waits-for-a-person")
    return home


def context(home):
    return SimpleNamespace(home=home, say=print)


def test_everything_that_takes_room_has_a_line(home):
    rows = {row.what: row for row in stored(home)}
    assert set(rows) == {
        "dataset fresh (60 cases, number 1)", "unfinished preparation of half (waits-for-a-person)", "runs", "scratch",
        "fetched files of records", "unpacked files of records", "an import that was stopped", "logs",
    }  # fmt: skip
    assert rows["dataset fresh (60 cases, number 1)"].prune == "no"
    assert all(row.size > 0 for row in rows.values())
    assert [readable(size) for size in (5, 1500, 2 * 10**9, 3 * 10**13)] == ["5 B", "1.5 kB", "2.0 GB", "30.0 TB"]


def test_prune_removes_what_comes_again_and_nothing_of_a_person(home):
    planned = {row.what for row in prune(context(home), preparations=False, dry_run=True)}
    assert (home / "cache" / "assets" / "a").exists()
    gone = {row.what for row in prune(context(home), preparations=False, dry_run=False)}
    assert gone == planned
    assert not (home / "cache" / "assets").exists()
    assert not (home / "scratch" / "dead").exists()
    assert not (home / "datasets" / ".import").exists()
    assert {row.what for row in stored(home)} == {
        "dataset fresh (60 cases, number 1)", "unfinished preparation of half (waits-for-a-person)", "runs", "logs",
    }  # fmt: skip
    refuse_changed(find_prepared(home, "fresh"))
    half = home / "datasets" / ".0123456789ab.clinic.half.partial"
    with held(half):
        prune(context(home), preparations=True, dry_run=False)
        assert half.exists()
    prune(context(home), preparations=True, dry_run=False)
    assert not half.exists()
    assert not half.with_suffix(".lock").exists()


def test_the_scratch_stays_while_the_engine_cannot_be_asked(home):
    def gone():
        raise EnvironmentProblem("no engine answers")

    prune(context(home), preparations=False, dry_run=False, reap=gone)
    assert (home / "scratch" / "dead" / "x").exists()


def test_the_cache_stays_while_a_command_is_at_work(home):
    with own_scratch(home / "scratch"):
        prune(context(home), preparations=False, dry_run=False)
    assert (home / "cache" / "assets" / "a").exists()


def test_datasets_move_to_another_disk_and_are_found_as_before(home, tmp_path):
    (tmp_path / "disk").mkdir()
    before = find_prepared(home, "fresh")
    (before.folder / "data" / "link").symlink_to("deep/x.csv")
    target = move(context(home), "datasets", tmp_path / "disk")
    assert (home / "datasets").is_symlink()
    assert (home / "datasets").resolve() == target
    moved = find_prepared(home, "fresh")
    assert moved == before
    (moved.folder / "data" / "link").unlink()
    refuse_changed(moved)
    assert moved.folder.stat().st_mode == before.folder.stat().st_mode
    assert not [entry for entry in home.iterdir() if entry.name.startswith(".")]
    with pytest.raises(Refused, match="exists already"):
        move(context(home), "datasets", tmp_path / "disk")
    (tmp_path / "third").mkdir()
    move(context(home), "datasets", tmp_path / "third")
    refuse_changed(find_prepared(home, "fresh"))
    assert not target.exists()


def test_a_move_is_refused_while_something_is_at_work_or_the_disk_is_small(home, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    with held(home / "datasets" / ".0123456789ab.clinic.half.partial"), pytest.raises(Refused, match="at work"):
        move(context(home), "datasets", tmp_path / "disk")
    with own_scratch(home / "scratch"), pytest.raises(Refused, match="at work"):
        move(context(home), "cache", tmp_path / "disk")
    with pytest.raises(UsageProblem, match="no folder"):
        move(context(home), "runs", tmp_path / "none")
    with pytest.raises(Refused, match="cannot be moved"):
        move(context(home), "datasets", home / "datasets" / ".import")
    monkeypatch.setattr(relocate.shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(DiskFull):
        move(context(home), "datasets", tmp_path / "disk")
    assert not list((tmp_path / "disk").iterdir())


def test_a_copy_that_is_not_what_was_read_and_a_change_meanwhile_leave_all_as_it_was(home, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    real = relocate.hash_files

    def flipped(paths, sizes, told):
        return [(size, bytes(32)) for size, _ in real(paths, sizes, told)]

    monkeypatch.setattr(relocate, "hash_files", flipped)
    with pytest.raises(IntegrityBroken, match="not what was read"):
        move(context(home), "datasets", tmp_path / "disk")

    def changing(paths, sizes, told):
        (home / "datasets" / "new").touch()
        return real(paths, sizes, told)

    monkeypatch.setattr(relocate, "hash_files", changing)
    with pytest.raises(Refused, match="changed while it was copied"):
        move(context(home), "datasets", tmp_path / "disk")
    assert not list((tmp_path / "disk").iterdir())
    assert not (home / "datasets").is_symlink()
    refuse_changed(find_prepared(home, "fresh"))


@pytest.mark.parametrize("exchange", [True, False])
def test_what_a_stopped_move_left_is_named_and_pruned(home, tmp_path, monkeypatch, *, exchange):
    if not exchange:
        monkeypatch.setattr(relocate, "_exchanged", lambda *_: False)
    (tmp_path / "disk").mkdir()

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(relocate, "remove_tree", lambda path: killed(path) if path.name == ".datasets.moved" else None)
        with pytest.raises(KeyboardInterrupt):
            move(context(home), "datasets", tmp_path / "disk")
    refuse_changed(find_prepared(home, "fresh"))
    assert "old place of the datasets, which were moved" in {row.what for row in stored(home)}
    prune(context(home), preparations=False, dry_run=False)
    assert not (home / ".datasets.moved").exists()
    refuse_changed(find_prepared(home, "fresh"))
    assert storing.free_line(home).startswith("free: ")
    assert (home / "datasets").is_symlink()


@pytest.mark.parametrize(
    "look",
    [
        stored,
        lambda home: list(iter_prepared(home)),
        standing_of,
        run_store,
        lambda home: move(context(home), "runs", home),
    ],
)
def test_a_disk_that_is_not_mounted_is_named_and_nothing_is_said_to_be_gone(home, tmp_path, look):
    (tmp_path / "disk").mkdir()
    for area in ("datasets", "runs", "cache"):
        move(context(home), area, tmp_path / "disk")
    (tmp_path / "disk").rename(tmp_path / "away")
    with pytest.raises(EnvironmentProblem, match="which is not there") as refused:
        look(home)
    assert "mount that disk" in refused.value.hint
    (tmp_path / "away").rename(tmp_path / "disk")
    assert find_prepared(home, "fresh").cases == 60
