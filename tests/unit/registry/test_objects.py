import os
from pathlib import Path

import pygit2
import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.registry.objects import BadObject, Store

from .hand import add, blob, genesis, git, raw_commit, raw_tree


def test_no_repository_is_found_in_a_folder_above(store: Store) -> None:
    below = store.path / "inner"
    below.mkdir()
    with pytest.raises(EnvironmentProblem):
        Store.open(below)


def test_a_working_copy_is_opened_by_its_folder(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "work")
    assert Store.open(tmp_path / "work").path == tmp_path / "work" / ".git"


def test_reading_is_measured_trees_apart(store: Store) -> None:
    mark = store.meter.mark()
    commit = store.commit(genesis(store))
    tree = store.tree(commit.tree)
    read = store.meter.since(mark)
    assert (read.trees_read, read.tree_bytes, read.others_read) == (1, len(tree), 1)
    assert read.objects_read == 2
    assert read.bytes_read == read.tree_bytes + read.other_bytes


def test_a_blob_over_its_limit_is_not_read(store: Store) -> None:
    bomb = blob(store, b"0" * 30_000_000)
    with pytest.raises(BadObject) as caught:
        store.blob(bomb, limit=65536)
    assert caught.value.finding.rule == "too-large"
    assert caught.value.finding.got == "30000000"
    assert store.meter.bytes_read == 0


def test_a_tree_where_a_blob_belongs_is_refused(store: Store) -> None:
    with pytest.raises(BadObject, match="is not a blob"):
        store.blob(raw_tree(store), limit=100)


def test_a_missing_object_is_our_trouble(store: Store) -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        store.tree(b"\x01" * 20)
    assert "fetch again" in caught.value.hint


def test_a_damaged_object_is_a_broken_promise(store: Store) -> None:
    good, other = blob(store, b"good"), blob(store, b"other")
    folder = store.path / "objects"
    places = [folder / oid.hex()[:2] / oid.hex()[2:] for oid in (good, other)]
    places[0].chmod(0o644)
    places[0].write_bytes(places[1].read_bytes())
    with pytest.raises(IntegrityBroken):
        Store.open(store.path).blob(good, limit=100)


@pytest.mark.parametrize("time", [999_999_999_999, 253_402_300_800])
def test_a_commit_beyond_the_calendar_is_refused(store: Store, time: int) -> None:
    with pytest.raises(BadObject, match="malformed"):
        store.commit(raw_commit(store, raw_tree(store), time=time))


def test_only_full_ids_of_commits_are_commits(store: Store) -> None:
    root = genesis(store)
    assert store.has_commit(root)
    for other in (root[:12], "main", "0" * 40, store.commit(root).tree.hex(), root + "\n"):
        assert not store.has_commit(other)


def test_ancestors_are_known(store: Store) -> None:
    root = genesis(store)
    child = add(store, root, {"a.yaml": b"a"})
    assert store.descends(child, root)
    assert store.descends(root, root)
    assert not store.descends(root, child)


def test_no_configuration_outside_the_repository_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(os.environ["HOME"])
    (home / ".gitconfig").write_text("[user]\n\tname = canary\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    assert "user.name" not in Store.open(store.path).repository.config
    for level in pygit2.enums.ConfigLevel.SYSTEM, pygit2.enums.ConfigLevel.GLOBAL, pygit2.enums.ConfigLevel.XDG:
        assert pygit2.settings.search_path[level] == ""


def test_git_variables_do_not_redirect_reading(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert Store.open(store.path).has_commit(genesis(store))


def test_what_was_read_lately_is_not_read_again_and_keeps_its_limits(store: Store) -> None:
    small = blob(store)
    assert store.blob(small, limit=5) == store.blob(small, limit=5) == b"data\n"
    assert store.meter.others_read == 1
    with pytest.raises(BadObject, match="5 bytes where 4 are allowed"):
        store.blob(small, limit=4)
    with pytest.raises(BadObject, match="is not a tree"):
        store.tree(small)


def test_what_was_read_long_ago_is_forgotten(store: Store) -> None:
    first, *others = (blob(store, b"%060000d" % number) for number in range(100))
    for raw_id in (first, *others, first):
        store.blob(raw_id, limit=60_000)
    assert store.meter.others_read == 101
