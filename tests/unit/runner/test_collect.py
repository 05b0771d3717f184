"""Outputs are taken over as hostile input."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.records.digests import digest_of
from medperf_git.runner.collect import Caps, HostileOutput, TakenFile, collect


def test_plain_files_come_over_with_our_modes_and_digests(tmp_path: Path) -> None:
    source = tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "mask.nii.gz").write_bytes(b"abc")
    (source / "deep" / "mask.nii.gz").chmod(0o4777)
    taken = collect(source, tmp_path / "taken")
    assert taken == (TakenFile("deep/mask.nii.gz", 3, digest_of(b"abc")),)
    assert (tmp_path / "taken" / "deep" / "mask.nii.gz").stat().st_mode & 0o7777 == 0o644


def test_large_files_come_over_beside_each_other_each_with_its_own_digest(tmp_path: Path) -> None:
    source, contents = tmp_path / "out", {f"{place}.bin": bytes([place]) * (9 << 20) for place in range(3)}
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "small").write_bytes(b"small")
    for name, data in contents.items():
        (source / "deep" / name).write_bytes(data)
    taken = {file.path: file for file in collect(source, tmp_path / "taken")}
    for name, data in contents.items():
        assert taken[f"deep/{name}"] == TakenFile(f"deep/{name}", len(data), digest_of(data))
        assert (tmp_path / "taken" / "deep" / name).read_bytes() == data
    assert list(taken) == sorted(taken)


def test_a_large_file_that_became_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "out"
    source.mkdir()
    for name in ("a", "b", "c"):
        (source / name).write_bytes(b"x" * (9 << 20))
    made = Path.mkdir

    def mkdir(path: Path, *args: int, **kwargs: bool) -> None:
        made(path, *args, **kwargs)
        (source / "b").unlink()
        (source / "b").symlink_to("/etc/passwd")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(HostileOutput, match="b which is not to be opened"):
        collect(source, tmp_path / "taken")


def test_a_single_file_comes_over(tmp_path: Path) -> None:
    (tmp_path / "results.yaml").write_text("x: 1\n")
    assert collect(tmp_path / "results.yaml", tmp_path / "taken")[0].size == 5


def _sparse(folder: Path) -> None:
    with (folder / "evil").open("wb") as file:
        file.truncate(1 << 20)


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        os.chdir(folder)
        sock.bind("evil")


def _twice(folder: Path) -> None:
    (folder / "evil").write_text("x")
    (folder / "evil2").hardlink_to(folder / "evil")


def _deep(folder: Path) -> None:
    folder.joinpath(*["evil"] * 6).mkdir(parents=True)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "a symbolic link": lambda folder: (folder / "evil").symlink_to("/etc/passwd"),
    "a symbolic link to a folder": lambda folder: (folder / "evil").symlink_to("/etc"),
    "a FIFO": lambda folder: os.mkfifo(folder / "evil"),
    "a socket": _socket,
    "a hard link": _twice,
    "a sparse file": _sparse,
    "named with": lambda folder: (folder / "evil\x1b]8;;").write_text("x"),
    "named": lambda folder: (folder / "-evil").write_text("x"),
    "deeper than": _deep,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_t21_each_hostile_entry_is_refused_by_name(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "out"
    source.mkdir()
    HOSTILE[kind](source)
    with pytest.raises(HostileOutput) as refused:
        collect(source, tmp_path / "taken", caps=Caps(depth=5))
    assert "evil" in refused.value.entry
    assert kind.removesuffix(" to a folder") in refused.value.message
    assert refused.value.message.isprintable()
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize(
    ("caps", "fault"), [(Caps(files=2), "more than 2"), (Caps(total_bytes=5), "more than 5 bytes")]
)
def test_caps_on_number_and_bytes_hold(tmp_path: Path, caps: Caps, fault: str) -> None:
    source = tmp_path / "out"
    source.mkdir()
    for number in range(3):
        (source / f"f{number}").write_text("xx")
    with pytest.raises(HostileOutput, match=fault):
        collect(source, tmp_path / "taken", caps=caps)


def test_an_output_that_was_replaced_by_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    with pytest.raises(HostileOutput):
        collect(tmp_path / "out", tmp_path / "taken")


def test_a_path_longer_than_ours_may_get_is_refused_in_a_short_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.joinpath(*["x" * 200] * 6).mkdir(parents=True)
    with pytest.raises(HostileOutput, match="a path of more than 1024 characters") as refused:
        collect(folder, tmp_path / "taken")
    assert len(refused.value.message) < 400
