"""What a file may be that somebody carried in."""

import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.registry.bare import open_copy
from medperf_git.registry.carried import fetch_carried, write_bundle
from medperf_git.registry.commits import set_ref, write_commit, write_root
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import MAIN, MAIN_REFSPEC, fetch
from tests.unit.registry.hand import author

ID = "a" * 32


@pytest.fixture
def proposed(tmp_path: Path) -> tuple[Store, str, str]:
    """A repository with main and a proposal; return both commits."""
    other = open_copy(tmp_path / "other.git")
    base = write_root(other, {"README.md": b"hello\n"}, message="Begin\n", author=author())
    set_ref(other, MAIN, base)
    commit = write_commit(other, base, {"a.yaml": b"a: 1\n"}, message="Add\n", author=author())
    return other, base, commit


def test_a_bundle_brings_its_proposals(store: Store, proposed: tuple[Store, str, str], tmp_path: Path) -> None:
    other, base, commit = proposed
    fetch(store.path, Remote.at_path(other.path), [MAIN_REFSPEC])
    write_bundle(other, tmp_path / "file", {ID: commit}, base=base)
    assert fetch_carried(store.path, tmp_path / "file") == {ID: commit}


def test_a_bundle_that_leaves_contents_out_is_not_taken_in(
    store: Store, proposed: tuple[Store, str, str], tmp_path: Path
) -> None:
    other, _, commit = proposed
    command = ["git", f"--git-dir={other.path}", "pack-objects", "--revs", "--stdout", "--filter=blob:none", "-q"]
    pack = subprocess.run(command, input=f"{commit}\n".encode(), capture_output=True, check=True).stdout
    head = f"# v3 git bundle\n@filter=blob:none\n{commit} refs/heads/submit/{ID}\n\n"
    (tmp_path / "file").write_bytes(head.encode() + pack)
    with pytest.raises(EnvironmentProblem, match="no Git bundle that this client writes"):
        fetch_carried(store.path, tmp_path / "file")
    assert not list(store.path.rglob("*.promisor"))
    assert not store.has_commit(commit)


def test_a_file_that_points_to_another_repository_is_not_followed(
    store: Store, proposed: tuple[Store, str, str], tmp_path: Path
) -> None:
    other, _, commit = proposed
    set_ref(other, f"refs/heads/submit/{ID}", commit)
    (tmp_path / "file").write_text(f"gitdir: {other.path}\n", encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="no Git bundle"):
        fetch_carried(store.path, tmp_path / "file")
    assert not store.has_commit(commit)
