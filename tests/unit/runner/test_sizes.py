"""What folders take on disk."""

import os
from pathlib import Path

import pytest

from medperf_git.runner.sizes import freed_by, size_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "file").write_bytes(b"x" * 10_000)
    (tmp_path / "a" / "other").write_bytes(b"x" * 5000)
    return tmp_path


def on_disk(*paths: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in paths)


def test_every_file_counts_however_deep(folder: Path) -> None:
    files = folder / "a" / "deep" / "file", folder / "a" / "other"
    assert size_of(folder / "a") == on_disk(*files) > 0
    assert size_of(files[0]) == on_disk(files[0])
    assert size_of(folder / "missing") == 0


def test_a_file_with_two_names_counts_once_and_comes_free_with_the_last(folder: Path) -> None:
    (folder / "b").mkdir()
    os.link(folder / "a" / "other", folder / "b" / "twin")
    assert size_of(folder / "a", folder / "b") == size_of(folder / "a")
    assert freed_by([folder / "b"]) == 0
    assert freed_by([folder / "a"]) == on_disk(folder / "a" / "deep" / "file")
    assert freed_by([folder / "a", folder / "b"]) == size_of(folder / "a")


def test_links_are_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "large").write_bytes(b"x" * 100_000)
    before = size_of(folder / "a")
    (folder / "a" / "folder").symlink_to(elsewhere)
    (folder / "a" / "file").symlink_to(elsewhere / "large")
    assert size_of(folder / "a") == before
