import pytest

from medperf_git.registry import snapshot
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import EmptyView, Overlay, Snapshot

from .hand import FILE, FOLDER, GENESIS, blob, genesis, raw_commit, raw_tree


def test_a_snapshot_shows_the_files_of_a_commit(store: Store) -> None:
    view = Snapshot.at(store, genesis(store))
    assert view.names("") == ("members/", "registry/")
    assert view.names("members") == ("ana/",)
    assert view.names("members/ana") == ("0001.yaml",)
    assert view.names("nowhere/at/all") == ()
    assert view.names("registry/0001.yaml") == ()
    assert view.blob("registry/0001.yaml") == GENESIS["registry/0001.yaml"]
    assert view.blob("members") is None
    assert [path for path, _ in view.iter_blob_ids()] == sorted(GENESIS)


def test_what_no_registry_may_hold_has_a_name_and_no_bytes(store: Store) -> None:
    members = raw_tree(store, (FILE, b"0001.yaml", blob(store, b"x" * 70_000)), (b"120000", b"0002.yaml", blob(store)))
    view = Snapshot.at(store, raw_commit(store, raw_tree(store, (FOLDER, b"members", members))))
    assert view.names("members") == ("0001.yaml", "0002.yaml")
    assert view.blob("members/0001.yaml") is None
    assert view.blob("members/0002.yaml") is None


def test_folders_are_read_once(store: Store) -> None:
    view = Snapshot.at(store, genesis(store))
    view.names("members/ana")
    mark = store.meter.mark()
    view.names("members/ana")
    assert store.meter.since(mark).objects_read == 0


def test_a_folder_too_large_to_keep_beside_others_is_not_read_again_for_each_in_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_CACHED_ENTRIES", 20)
    one = raw_tree(store, (FILE, b"0001.yaml", blob(store)))
    many = raw_tree(store, *((FOLDER, b"m%02d" % number, one) for number in range(60)))
    view = Snapshot.at(store, raw_commit(store, raw_tree(store, (FOLDER, b"members", many))))
    load, loaded = view._load, []
    monkeypatch.setattr(view, "_load", lambda path: loaded.append(path) or load(path))
    for name in view.names("members"):
        assert view.names(f"members/{name}") == ("0001.yaml",)
        assert view.names(f"notices/members/{name}a/b/c/d/e") == ()
    assert loaded.count("members") == 1
    assert len(view._folders) <= 33


def test_files_laid_over_a_view_win(store: Store) -> None:
    view = Overlay(Snapshot.at(store, genesis(store)), {"members/bo/0001.yaml": b"bo", "README.md": b"hi"})
    assert view.names("") == ("README.md", "members/", "registry/")
    assert view.names("members") == ("ana/", "bo/")
    assert view.names("members/bo") == ("0001.yaml",)
    assert view.blob("members/bo/0001.yaml") == b"bo"
    assert view.blob("members/ana/0001.yaml") == GENESIS["members/ana/0001.yaml"]


def test_nothing_is_in_the_empty_view() -> None:
    assert EmptyView().names("") == ()
    assert EmptyView().blob("a") is None
