"""What is remembered is used only when it is this user's own, whole, and of this checker."""

import os
import stat
import sys
from pathlib import Path

import pytest

from medperf_git.registry import cache
from medperf_git.registry.cache import Verified, checker_digest, entry_for

ONE, OTHER = entry_for(b"record", b"a/b.yaml", b"\1" * 20), entry_for(b"record", b"a/b.yaml", b"\2" * 20)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    known = Verified.load(tmp_path / "folder" / "verified")
    known.add(ONE)
    known.save()
    return tmp_path / "folder" / "verified"


def test_what_was_saved_is_known_again_and_nothing_else(file: Path) -> None:
    known = Verified.load(file)
    assert ONE in known
    assert OTHER not in known
    assert len(known) == 1


def test_more_is_added_to_what_was_there(file: Path) -> None:
    known = Verified.load(file)
    known.add(OTHER)
    known.save()
    assert Verified.load(file).entries == {ONE, OTHER}


@pytest.mark.skipif(sys.platform == "win32", reason="the rights of the folder decide there")
def test_only_this_user_may_read_or_write_the_file(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="the rights of the folder decide there")
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o640, 0o666])
def test_a_file_that_others_could_reach_counts_as_none(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert len(Verified.load(file)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such owners there")
def test_a_file_of_somebody_else_counts_as_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert len(Verified.load(file)) == 0


@pytest.mark.parametrize("place", [0, 30, 60, 90, -1])
def test_a_file_with_one_changed_byte_counts_as_none(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))
    assert len(Verified.load(file)) == 0


def test_a_file_that_was_cut_off_counts_as_none(file: Path) -> None:
    for length in (0, 10, 86, 87, 90):
        file.write_bytes(file.read_bytes()[:length])
        assert len(Verified.load(file)) == 0


def test_a_folder_or_a_missing_file_counts_as_none(tmp_path: Path) -> None:
    assert len(Verified.load(tmp_path)) == len(Verified.load(tmp_path / "none")) == 0


def test_what_another_checker_verified_counts_as_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "checker_digest", lambda: b"\0" * 32)
    assert len(Verified.load(file)) == 0


def test_another_schema_makes_another_checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = checker_digest()
    (tmp_path / "result.1.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(cache, "asset_folder", lambda _: tmp_path)
    checker_digest.cache_clear()
    assert checker_digest() != before
    monkeypatch.undo()
    checker_digest.cache_clear()
    assert checker_digest() == before


def test_parts_of_an_entry_do_not_run_into_each_other() -> None:
    assert entry_for(b"ab", b"c") != entry_for(b"a", b"bc") != entry_for(b"a", b"b", b"c")


def test_without_a_file_nothing_is_written() -> None:
    known = Verified()
    known.add(ONE)
    known.save()
    assert known.take_fresh() == {ONE}
    assert known.take_fresh() == frozenset()


def test_a_file_that_grew_too_long_starts_again_with_what_is_new(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Verified.load(file)
    known.add(OTHER)
    monkeypatch.setattr(cache, "MAX_BYTES", 110)
    known.save()
    assert Verified.load(file).entries == {OTHER}


def test_nothing_is_left_behind_when_the_disk_refuses(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Verified.load(file)
    known.add(OTHER)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        known.save()
    assert [one.name for one in file.parent.iterdir()] == ["verified"]
