"""Everything that can be pushed beside a record: other refs, deletions, force, links, modes, Git's own files (T34)."""

import subprocess

import pytest

from tests.support.registry_builder import House
from tests.support.story import Clone
from tests.support.story_attacks import SECOND

OTHER_REFS = (
    "refs/tags/v1",
    "refs/heads/foo",
    "refs/heads/Main",
    "refs/heads/submit/mine",
    f"refs/heads/submit/{'0' * 31}",
    f"refs/heads/submit/{'A' * 32}",
    f"refs/heads/submit/{'0' * 32}/more",
    "refs/notes/commits",
    f"refs/replace/{'0' * 40}",
    "refs/pull/1/head",
    "refs/for/main",
    "refs/upstream/main",
)


def good(clone: Clone) -> dict[str, bytes]:
    house: House = clone.house
    return house.propose(house.result(attempt=2)).sign("north", head=clone.main).files


def refused(done: subprocess.CompletedProcess[str], rule: str) -> None:
    assert done.returncode != 0, done.stderr
    assert f"[{rule}]" in done.stderr, done.stderr
    assert "fix: " in done.stderr, done.stderr


def test_no_other_branch_tag_or_ref_is_taken(clone: Clone) -> None:
    standing = clone.refs()
    for ref in OTHER_REFS:
        refused(clone.push(clone.main, ref), "ref")
    assert clone.refs() == standing


def test_an_annotated_tag_is_taken_nowhere(clone: Clone) -> None:
    clone.git("tag", "-a", "-m", "A tag", "v1")
    standing = clone.refs()
    refused(clone.push("refs/tags/v1", "refs/tags/v1"), "ref")
    for ref in ("refs/heads/main", f"refs/heads/submit/{'0' * 32}"):
        assert clone.push("refs/tags/v1", ref).returncode != 0
    assert clone.refs() == standing


def test_one_refused_ref_refuses_the_whole_push(clone: Clone) -> None:
    commit = clone.commit(dict(good(clone)))
    standing = clone.refs()
    done = clone.run("push", "-q", "origin", f"{commit}:{clone.branch_of(commit)}", f"{commit}:refs/heads/foo")
    assert done.returncode != 0
    assert clone.refs() == standing


def test_main_is_never_deleted_and_never_forced(clone: Clone) -> None:
    standing = clone.refs()
    refused(clone.push("", "refs/heads/main"), "ref")
    root = clone.git("rev-list", "--max-parents=0", clone.main)
    other = clone.git("commit-tree", f"{clone.main}^{{tree}}", "-m", "Another beginning")
    for commit in (clone.git("rev-parse", "origin/main~1"), root, other):
        refused(clone.push(commit, "refs/heads/main", "--force"), "ref")
    assert clone.refs() == standing


def test_an_unmerged_proposal_is_not_deleted_nor_moved_back_nor_aside(clone: Clone) -> None:
    files = good(clone)
    commit = clone.commit(dict(files))
    branch = clone.branch_of(commit)
    assert clone.push(commit, branch).returncode == 0
    standing = clone.refs()
    refused(clone.push("", branch), "ref")
    aside = clone.commit(dict(files), message="The same files in another commit")
    assert aside != commit
    refused(clone.push(aside, branch, "--force"), "ref")
    refused(clone.push(clone.main, branch, "--force"), "ref")
    assert clone.refs() == standing


def test_a_proposal_on_another_beginning_is_refused(clone: Clone) -> None:
    files = good(clone)
    commit = clone.commit(dict(files))
    alone = clone.git("commit-tree", f"{commit}^{{tree}}", "-m", "No parent")
    refused(clone.push(alone, clone.branch_of(commit)), "history")


ENTRIES = {
    "a symbolic link": ("120000", "results/link", "[git-object]"),
    "a symbolic link in place of a record": ("120000", SECOND, "[git-object]"),
    "an executable record": ("100755", SECOND, "[git-object]"),
    "a submodule": ("160000", "results/module", "[git-object]"),
    "attributes": ("100644", ".gitattributes", "[git-object]"),
    "attributes in a folder": ("100644", "results/.gitattributes", "[git-object]"),
    "modules": ("100644", ".gitmodules", "[git-object]"),
    "a workflow nobody listed": ("100644", ".github/workflows/own.yml", "[separation]"),
    "a script": ("100644", "setup.py", "[layout]"),
    "a name on two systems": ("100644", "results/NUL.yaml", "[git-object]"),
}
MODES = {
    "100664": "[git-object]",
    "100777": "[git-object]",
    "100600": "[git-object]",
    "140000": "[git-object]",
    "0100644": "zeroPaddedFilemode",  # Git's own check refuses this one
}


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_no_plain_record_file_is_refused_on_the_branch_and_on_main(clone: Clone, name: str) -> None:
    mode, path, reason = ENTRIES[name]
    files = good(clone)
    branch = clone.branch_of(clone.commit(dict(files)))
    blob = clone.git("rev-parse", f"HEAD:{SECOND}")
    entry = clone.main if mode == "160000" else blob
    clone.git("update-index", "--add", "--replace", "--cacheinfo", f"{mode},{entry},{path}")
    clone.git("commit", "-q", "--amend", "-m", "With something beside it")
    refuse_commit(clone, clone.git("rev-parse", "HEAD"), branch, reason)


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_git_would_normalise_is_refused_as_written(clone: Clone, mode: str) -> None:
    files = good(clone)
    commit = clone.commit(dict(files))
    branch = clone.branch_of(commit)
    folder, _, name = SECOND.rpartition("/")
    entries = []
    for line in clone.git("ls-tree", f"{commit}:{folder}").splitlines():
        words, _, entry = line.partition("\t")
        plain, _, oid = words.split()
        entries.append((mode if entry == name else plain, entry, oid))
    tree = raw_tree(clone, entries)
    for step in reversed(folder.split("/")):
        folder = folder.rpartition("/")[0]
        tree = replaced(clone, f"{commit}:{folder}", step, tree)
    crafted = clone.git("commit-tree", tree, "-p", clone.main, "-m", "A mode of my own")
    refuse_commit(clone, crafted, branch, MODES[mode])


def refuse_commit(clone: Clone, commit: str, branch: str, reason: str) -> None:
    standing = clone.refs()
    for what, ref in ((commit, branch), (commit, "refs/heads/main"), (clone.merged(commit), "refs/heads/main")):
        done = clone.push(what, ref)
        assert done.returncode != 0, done.stderr
        assert reason in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert "could not check" not in done.stderr, done.stderr
        assert clone.refs() == standing


def raw_tree(clone: Clone, entries: list[tuple[str, str, str]]) -> str:
    data = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in entries)
    command = ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"]
    return (
        subprocess.run(command, cwd=clone.folder, input=data, capture_output=True, check=True).stdout.decode().strip()
    )


def replaced(clone: Clone, tree: str, name: str, new: str) -> str:
    entries = []
    for line in clone.git("ls-tree", tree.rstrip(":") if tree.endswith(":") else tree).splitlines():
        words, _, entry = line.partition("\t")
        mode, _, oid = words.split()
        entries.append((mode.lstrip("0"), entry, new if entry == name else oid))
    return raw_tree(clone, entries)
