import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.commits import set_ref, submission_id, write_commit
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot

from .hand import GENESIS, add, author, genesis, git, merge


def test_the_same_change_makes_the_same_commit(store: Store) -> None:
    root = genesis(store)
    assert genesis(store) == root
    assert add(store, root, {"a/b/c.yaml": b"x"}) == add(store, root, {"a/b/c.yaml": b"x"})


def test_git_itself_finds_nothing_wrong(store: Store) -> None:
    root = genesis(store)
    side = add(store, root, {"members/bo/0001.yaml": b"bo", "cubes/a/b/1.yaml": b"c"})
    main = merge(store, root, side, {"members/bo/0001.yaml": b"bo", "cubes/a/b/1.yaml": b"c"})
    set_ref(store, "refs/heads/main", main)
    git(store.path, "fsck", "--strict", "--full")
    assert git(store.path, "log", "-1", "--format=%P %ct %an <%ae>", "main") == (
        f"{root} {side} {int(author(2).when.timestamp())} Ana <ana@example.org>"
    )
    assert git(store.path, "ls-tree", "-r", "--name-only", "main").split("\n") == sorted(
        [*GENESIS, "members/bo/0001.yaml", "cubes/a/b/1.yaml"]
    )


def test_what_is_there_stays(store: Store) -> None:
    view = Snapshot.at(store, add(store, genesis(store), {"members/ana/0002.yaml": b"2"}))
    assert view.names("members/ana") == ("0001.yaml", "0002.yaml")
    assert view.blob("registry/0001.yaml") == GENESIS["registry/0001.yaml"]


@pytest.mark.parametrize("path", ["../x", "a//b", "/a", ".git/config", "a/.gitattributes", "a/é"])
def test_a_path_no_registry_may_hold_is_not_written(store: Store, path: str) -> None:
    with pytest.raises(UsageProblem):
        write_commit(store, genesis(store), {path: b"x"}, message="No", author=author())


def test_a_proposal_is_named_after_its_files_and_not_its_bundles() -> None:
    files = {"b.yaml": b"2", "a.yaml": b"1"}
    name = submission_id(files)
    assert name == "3fbdd2d5f1c3eb92cebab44a38b3a4fb"
    assert submission_id(files | {"a.yaml.0123456789abcdef.sigstore.json": b"s"}) == name
    assert submission_id({"a.yaml": b"1"}) != name
    assert submission_id({"b.yaml": b"1", "a.yaml": b"2"}) != name


def test_a_ref_is_set_and_removed(store: Store) -> None:
    root = genesis(store)
    set_ref(store, "refs/heads/main", root)
    assert store.ref("refs/heads/main") == root
    assert store.refs("refs/heads/") == {"refs/heads/main": root}
    set_ref(store, "refs/heads/main", None)
    set_ref(store, "refs/heads/main", None)
    assert store.ref("refs/heads/main") is None


def test_a_repository_that_takes_nothing_is_named(store: Store) -> None:
    root = genesis(store)
    set_ref(store, "refs/heads/main", root)
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        set_ref(store, "refs/heads/main/below", root)
    for number in range(256):
        folder = store.path / "objects" / f"{number:02x}"
        if not folder.exists():
            folder.touch()  # where a folder of objects should be made
    with pytest.raises(EnvironmentProblem, match="cannot be written"):
        add(store, root, {f"a/{number}.yaml": str(number).encode() for number in range(50)})
