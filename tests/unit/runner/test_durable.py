"""A small file of ours is the old one or the whole new one, whoever writes it at the same time."""

import os
import threading
import time
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.durable import read_json, write_durably, write_json


def test_many_writers_of_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    place, faults = tmp_path / "note.json", []

    def write(number: int) -> None:
        try:
            for _ in range(20):
                write_json(place, {"number": number, "filling": "x" * 5000})
                assert read_json(place) is not None
        except BaseException as error:  # noqa: BLE001  (told to the test's own thread)
            faults.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.json"]


def test_what_killed_writers_left_is_removed_by_a_later_one(tmp_path: Path) -> None:
    place = tmp_path / "note.json"
    old, older, young, other = (
        tmp_path / name
        for name in (".note.json.0a.partial", ".note.json.partial", ".note.json.1b.partial", ".else.json.2c.partial")
    )
    for path in (old, older, young, other):
        path.write_text("{")
    for path in (old, older, other):
        os.utime(path, (time.time() - 90_000,) * 2)
    write_durably(place, b"{}\n")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [other.name, young.name, place.name]


def test_a_disk_that_refuses_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "note.json"
    write_durably(place, b"old\n")

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(EnvironmentProblem, match="Input/output error"):
        write_durably(place, b"new\n")
    assert place.read_bytes() == b"old\n"
    assert list(tmp_path.iterdir()) == [place]
