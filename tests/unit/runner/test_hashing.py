"""Hashing by two processes gives what one gives, whatever becomes of the second."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.runner import hashing
from medperf_git.runner.hashing import NoFile, hash_file, hash_files
from medperf_git.runner.manifest import content_digest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="one process is enough elsewhere")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """600 files, some of them larger than one piece, one empty, one with an odd name."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(600):
        (folder / f"{number:04d}.bin").write_bytes(number.to_bytes(4, "big") * (number % 7) * 20_000)
    odd = b"odd \xff name" if sys.platform == "linux" else b"odd name"  # others take only text
    (folder / os.fsdecode(odd)).write_bytes(b"odd")
    return sorted(folder.iterdir())


def digests(files: list[Path]) -> list[bytes]:
    return [hashlib.sha256(file.read_bytes()).digest() for file in files]


def hashed(files: list[Path], told: hashing.Told | None = None) -> list[bytes]:
    sizes = [file.stat().st_size for file in files]
    return [digest for _, digest in hash_files([str(file) for file in files], sizes, told)]


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """The helpers that are started, on a machine of two processors."""
    started = []

    def start() -> "subprocess.Popen[bytes] | None":
        started.append(real())
        return started[-1]

    real = hashing._helper
    monkeypatch.setattr(hashing, "_processors", lambda: 2)
    monkeypatch.setattr(hashing, "_helper", start)
    return started


def test_two_processes_give_what_one_gives_in_the_same_order(
    files: list[Path], helpers: list["subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    assert hashed(files, heard.append) == digests(files)
    assert sum(heard) == sum(file.stat().st_size for file in files)
    assert [helper.returncode for helper in helpers] == [0]
    monkeypatch.setattr(hashing, "_processors", lambda: 1)
    assert hashed(files) == digests(files)
    assert len(helpers) == 1


def test_a_helper_that_dies_or_cannot_start_changes_nothing(
    files: list[Path], helpers: list["subprocess.Popen[bytes]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = hashing._helper

    def short_lived() -> "subprocess.Popen[bytes] | None":
        helper = start()
        assert helper is not None
        helper.kill()
        return helper

    monkeypatch.setattr(hashing, "_helper", short_lived)
    assert hashed(files) == digests(files)
    monkeypatch.setattr(hashing, "_helper", lambda: None)
    assert hashed(files) == digests(files)
    assert len(helpers) == 1


def test_a_file_that_cannot_be_read_is_told_by_this_process(
    files: list[Path], helpers: list["subprocess.Popen[bytes]"]
) -> None:
    os.mkfifo(files[0].parent / "pipe")
    with pytest.raises(NoFile):
        hashed([*files, files[0].parent / "pipe"])
    with pytest.raises(Refused, match="no regular file"):
        content_digest({"data": files[0].parent})
    (files[0].parent / "pipe").unlink()
    names = [str(file) for file in files]
    files[300].unlink()
    with pytest.raises(FileNotFoundError):
        hash_files(names, [1] * len(names))
    assert all(helper.returncode is not None for helper in helpers)


def test_a_disk_that_fails_while_hashing_is_a_sentence(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error", "x.bin")

    monkeypatch.setattr("medperf_git.runner.manifest.hash_files", broken)
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        content_digest({"data": files[0].parent})


def test_one_file_is_read_in_pieces_and_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_TELL", 1 << 19)
    (tmp_path / "large").write_bytes(b"x" * (3 << 19))
    heard: list[int] = []
    size, digest = hash_file(str(tmp_path / "large"), heard.append)
    assert (size, digest) == (3 << 19, hashlib.sha256(b"x" * (3 << 19)).digest())
    assert heard == [1 << 19] * 3 + [0]


def test_the_helper_starts_with_the_bare_interpreter() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", hashing.__file__], input=b"", capture_output=True, check=True)
    assert done.stdout == done.stderr == b""
