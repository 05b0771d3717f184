"""Halves of writes that a kill left are removed once they are a day old; nothing else is, however it is called."""

from pathlib import Path

from medperf_git.flows.strays import DAY, MINUTE, remove_strays

STRAYS = (
    ".new-a1b2c3", "outbox/heart/.new-xyz_12", "registries/heart/.pin.json.4711", "cache/.sandbox.ok.0a1b.partial",
    "registries/heart/repo.git/objects/pack/tmp_pack_Ab12", "registries/heart/repo.git/objects/ab/tmp_obj_Xy99",
    "registries/heart/repo.git/.light.99",
)  # fmt: skip
KEPT = (
    "config.json", "outbox/heart/0123.json", "registries/heart/lock", "registries/heart/pin.json",
    "registries/heart/repo.git/objects/pack/pack-12.pack", "registries/heart/repo.git/objects/ab/cdef",
    "datasets/.abc.clinic.cohort.partial/source.json", "keys/.new-key",
)  # fmt: skip


def test_only_old_halves_are_removed(tmp_path: Path) -> None:
    for name in (*STRAYS, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    copy, written = tmp_path / "registries" / "heart" / "repo.git", (tmp_path / KEPT[0]).stat().st_mtime
    remove_strays(tmp_path, copy=copy, now=written + DAY - 60)
    assert all((tmp_path / name).exists() for name in (*STRAYS, *KEPT))
    remove_strays(tmp_path, copy=copy, now=written + DAY + 60)
    assert [name for name in STRAYS if (tmp_path / name).exists()] == []
    assert [name for name in KEPT if not (tmp_path / name).exists()] == []


def test_locks_that_a_killed_git_left_are_removed_after_a_minute(tmp_path: Path) -> None:
    copy = tmp_path / "registries" / "heart" / "repo.git"
    locks = [copy / name for name in ("packed-refs.lock", "config.lock", "refs/upstream/main.lock")]
    for lock in (*locks, tmp_path / "datasets" / ".abc.lock"):
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    written = locks[0].stat().st_mtime
    remove_strays(tmp_path, copy=copy, now=written + MINUTE - 30)
    assert all(lock.exists() for lock in locks)
    remove_strays(tmp_path, copy=copy, now=written + MINUTE + 30)
    assert not any(lock.exists() for lock in locks)
    assert (tmp_path / "datasets" / ".abc.lock").exists()


def test_a_home_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    remove_strays(tmp_path / "home", copy=tmp_path / "home" / "registries" / "heart" / "repo.git")
    assert list(tmp_path.iterdir()) == []
