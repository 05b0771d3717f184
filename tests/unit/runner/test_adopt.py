"""Folders of a site's own are copied whole or not at all, and seen to change."""

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from medperf_git.errors import ContainerFailed, EnvironmentProblem, Interrupted, Refused
from medperf_git.runner import adopt, taking_over
from medperf_git.runner.adopt import copy_in, fingerprint
from medperf_git.runner.disk import DiskFull
from medperf_git.runner.engine import GIB, Limits
from medperf_git.runner.manifest import digest_of_entries, manifest_of
from medperf_git.runner.preparation import PreparationFolder
from medperf_git.runner.taking_over import take_over

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

LIMITS = Limits(memory_bytes=GIB, cpus=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.txt").write_text("a")
    (folder / "b.txt").symlink_to("deep/a.txt")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target" / "labels").mkdir(parents=True)
    (tmp_path / "target" / "labels" / "of an earlier attempt").touch()
    return tmp_path / "target"


def copied(data: Path, target: Path, stop: threading.Event | None = None) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    entries = copy_in({"data": data}, target, progress=lambda *told: seen.append(told), stop=stop or threading.Event())
    assert digest_of_entries(entries) == digest_of_entries(manifest_of({"data": target / "data"}))
    assert digest_of_entries(entries) == digest_of_entries(manifest_of({"data": data}))
    return seen


def test_links_within_are_copied_as_the_files_they_lead_to(data: Path, target: Path) -> None:
    assert copied(data, target) == [(1, 2), (2, 2)]
    assert not (target / "data" / "b.txt").is_symlink()
    assert not (target / "labels").exists()


def test_a_copy_that_has_no_room_names_the_way_without_one(
    data: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopt, "room_for_containers", lambda _: 1)
    with pytest.raises(DiskFull, match="room for") as full:
        copied(data, target)
    assert "--in-place" in full.value.hint
    monkeypatch.undo()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        copied(data, target, stop)
    (data / "out").symlink_to("/etc/hostname")
    with pytest.raises(Refused, match="leaves the dataset"):
        copied(data, target)


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EACCES, EnvironmentProblem)])
def test_what_the_disk_refuses_is_a_sentence(
    data: Path, target: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(kind):
        adopt._copied("data", next(iter(adopt.iter_files(data))), target / "data" / "x")


def test_whatever_is_touched_below_a_folder_changes_how_it_looks(data: Path, tmp_path: Path) -> None:
    seen = {fingerprint(data)}
    assert seen == {fingerprint(data)}
    (data / "deep" / "a.txt").write_text("ab")
    seen.add(fingerprint(data))
    os.utime(data / "deep" / "a.txt", ns=(1, 1))
    seen.add(fingerprint(data))
    (data / "deep" / "a.txt").rename(data / "deep" / "c.txt")
    seen.add(fingerprint(data))
    (data / "empty").mkdir()
    seen.add(fingerprint(data))
    seen.add(fingerprint(tmp_path / "none"))
    assert len(seen) == 6


def test_what_was_prepared_is_not_copied_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = PreparationFolder(tmp_path)
    (folder.work / "output_path").mkdir(parents=True)
    (folder.work / "output_path" / "a.txt").write_bytes(b"x" * 10_000)
    assert [entry.path for entry in take_over(folder, LIMITS)] == ["a.txt"]
    monkeypatch.setattr(taking_over, "room_for_containers", lambda _: -20_000)
    with pytest.raises(DiskFull, match="room for") as full:
        take_over(folder, LIMITS)
    assert "storage move datasets" in full.value.hint
    assert (tmp_path / "data" / "a.txt").exists()


def test_t21_hostile_output_of_a_preparator_is_refused_by_name(tmp_path: Path) -> None:
    folder = PreparationFolder(tmp_path)
    (folder.work / "output_path").mkdir(parents=True)
    (folder.work / "output_path" / "link").symlink_to("/etc/shadow")
    with pytest.raises(ContainerFailed, match="link which is a symbolic link"):
        take_over(folder, LIMITS)
    assert not (tmp_path / "data").exists()
