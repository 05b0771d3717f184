"""Content digests of datasets."""

import os
import sys
from pathlib import Path

import pytest

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import digest_of
from medperf_git.runner.manifest import (
    commitment,
    content_digest,
    manifest_of,
    medperf_hash,
    parse_manifest,
    verify_content,
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    data, labels = tmp_path / "data", tmp_path / "labels"
    data.mkdir()
    labels.mkdir()
    (data / "nums.txt").write_text("1 2 3\n4 5 6\n7 8\n")
    (labels / "ans.txt").write_text("18\n34\n34\n")
    return data, labels


def test_medperf_hash_is_the_known_one(folders: tuple[Path, Path]) -> None:
    assert medperf_hash(folders) == "fed6c0db8f02b94daa71e100cbfc139667a6e102fd9d5d81a4c264469d436039"


def test_medperf_hash_of_many_folders_is_that_of_all_their_files_together(tmp_path: Path) -> None:
    together = tmp_path / "together"
    together.mkdir()
    many = [tmp_path / f"part{number}" for number in range(12)]
    for number, folder in enumerate(many):
        for place in (folder / "deep", together):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.txt").write_text(str(number))
    assert medperf_hash(many) == medperf_hash([together]) == medperf_hash(reversed(many))


def test_a_manifest_is_read_as_it_was_written_and_its_bytes_have_the_datasets_digest(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    odd = ("a\rb.txt", os.fsdecode(b"\xff")) if sys.platform == "linux" else ()  # others take only text
    for name in ("c d.txt", *odd):
        (tmp_path / "data" / name).write_text(name.encode("utf-8", "surrogateescape").hex())
    entries = manifest_of({"data": tmp_path / "data"})
    data = b"".join(entry.line() for entry in entries)
    assert parse_manifest(data) == entries
    assert digest_of(data) == content_digest({"data": tmp_path / "data"})
    for torn in (data[:-1], data + b"x", data.replace(b"\0", b" "), b"data\0x\x00-1\0" + b"0" * 64 + b"\n"):
        with pytest.raises(ValueError):  # noqa: PT011  (which of many words is wrong does not matter)
            parse_manifest(torn)


def test_mgds_v1_is_the_digest_of_its_sorted_lines(folders: tuple[Path, Path]) -> None:
    data, labels = folders
    lines = b"".join(
        b"%s\0%s\0%d\0%s\n" % (role, path.name.encode(), path.stat().st_size, digest_of(path.read_bytes())[7:].encode())
        for role, path in ((b"data", data / "nums.txt"), (b"labels", labels / "ans.txt"))
    )
    seen: list[tuple[int, int]] = []
    found = content_digest({"data": data, "labels": labels}, progress=lambda done, total: seen.append((done, total)))
    assert found == digest_of(lines)
    assert seen[-1] == (25, 25)


def test_name_and_role_and_byte_each_change_the_digest(folders: tuple[Path, Path]) -> None:
    data, labels = folders
    first = content_digest({"data": data, "labels": labels})
    assert content_digest({"data": labels, "labels": data}) != first
    (data / "nums.txt").rename(data / "other.txt")
    assert content_digest({"data": data, "labels": labels}) != first


def test_t14_one_flipped_byte_is_seen(folders: tuple[Path, Path]) -> None:
    data, _ = folders
    before = content_digest({"data": data})
    verify_content({"data": data}, before, moment="before the run")
    (data / "nums.txt").write_text("1 2 3\n4 5 6\n7 9\n")
    with pytest.raises(IntegrityBroken, match="have changed"):
        verify_content({"data": data}, before, moment="before the run")


@pytest.mark.parametrize(
    ("target", "fault"), [("/etc/hostname", "leaves the dataset"), ("nowhere", "leads nowhere"), (".", "to a folder")]
)
def test_a_link_that_does_not_stay_within_is_refused(folders: tuple[Path, Path], target: str, fault: str) -> None:
    (folders[0] / "link").symlink_to(target)
    with pytest.raises(Refused, match=fault):
        content_digest({"data": folders[0]})


def test_a_link_within_counts_as_the_file_it_leads_to(folders: tuple[Path, Path]) -> None:
    data = folders[0]
    (data / "again.txt").symlink_to("nums.txt")
    linked = content_digest({"data": data})
    (data / "again.txt").unlink()
    (data / "again.txt").write_bytes((data / "nums.txt").read_bytes())
    assert content_digest({"data": data}) == linked


def test_a_fifo_does_not_hang_and_is_refused(folders: tuple[Path, Path]) -> None:
    os.mkfifo(folders[0] / "pipe")
    with pytest.raises(Refused, match="no regular file"):
        content_digest({"data": folders[0]})


def test_t64_two_salts_give_two_commitments() -> None:
    digest = digest_of(b"x")
    assert commitment(digest, b"a" * 32) != commitment(digest, b"b" * 32)
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(digest, b"short")
