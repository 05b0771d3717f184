"""Trees that a container left: deep, long, hidden; measured, given away, removed, and never followed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.runner.engine import User
from medperf_git.runner.staging import give_tree
from medperf_git.runner.trees import DEPTH, TooDeep, iter_entries, remove_tree
from medperf_git.runner.watch import usage

LONG = "x" * 200


def nest(root: Path, depth: int, name: str = LONG) -> None:
    """Make folders inside each other, deeper than a path may be long."""
    root.mkdir()
    handle = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=handle))
    os.close(handle)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "tree"
    remove_tree(tmp_path / "tree")  # pytest's own cleaning does not get so deep


@pytest.mark.parametrize("depth", [1, 60, 3000])
def test_a_tree_of_any_depth_is_removed(tree: Path, depth: int) -> None:
    nest(tree, depth)
    remove_tree(tree)
    assert not tree.exists()


def test_what_is_linked_to_stays(tree: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree.mkdir()
    (tree / "link").symlink_to(kept)
    (tree / "inner").mkdir()
    (tree / "inner" / "link").symlink_to(kept / "file")
    remove_tree(tree)
    assert not tree.exists()
    assert (kept / "file").exists()
    tree.symlink_to(kept)
    remove_tree(tree)
    assert (kept / "file").exists()
    tree.unlink()


def test_folders_without_any_mode_and_with_equal_names_are_removed(tree: Path) -> None:
    for path in ("a/a/a", "a/b/a", "b/a"):
        (tree / path).mkdir(parents=True)
        (tree / path / "file").touch()
    for path in ("a/b/a", "a/b", "b"):
        (tree / path).chmod(0)
    remove_tree(tree)
    assert not tree.exists()


def test_nothing_to_remove_is_no_error(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    remove_tree(tmp_path / "file")
    assert (tmp_path / "file").exists()


def test_t22_a_tree_too_deep_to_look_at_counts_as_full(tree: Path) -> None:
    nest(tree, DEPTH + 1)
    assert usage(tree)[0] >= 1 << 60
    with pytest.raises(TooDeep):
        list(iter_entries(tree))


def test_a_long_but_shallow_tree_is_measured(tree: Path) -> None:
    nest(tree, 30)
    size, entries = usage(tree)
    assert (size < 1 << 30, entries) == (True, 31)


def test_what_vanished_and_single_files_are_measured(tmp_path: Path) -> None:
    assert usage(tmp_path / "nowhere") == (0, 0)
    (tmp_path / "file").write_bytes(b"x" * 5000)
    assert usage(tmp_path / "file")[0] >= 5000


def test_links_in_a_tree_are_not_given_away(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch()
    tree.mkdir()
    (tree / "link").symlink_to(outside)
    before = stat.S_IMODE(outside.stat().st_mode), outside.stat().st_uid
    give_tree(tree, User(65534, 65534))
    assert (stat.S_IMODE(outside.stat().st_mode), outside.stat().st_uid) == before
