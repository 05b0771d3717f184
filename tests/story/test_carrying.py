"""A proposal leaves a network that reaches nothing as one file, and somebody else sends it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.records.names import Ref
from medperf_git.registry.carried import write_bundle
from medperf_git.registry.commits import Author, submission_id, write_commit
from medperf_git.registry.objects import Store
from tests.support import registry_builder as rb
from tests.support.people import Human, Town, git_environ
from tests.support.story import RESULT, copy_town, house_of, send


@contextmanager
def nothing_reached(town: Town) -> Iterator[None]:
    """Put the registry where nobody finds it for a while."""
    away = town.repository.with_name("away.git")
    town.repository.rename(away)
    try:
        yield
    finally:
        away.rename(town.repository)


@pytest.fixture
def closed(second_town: Town, tmp_path: Path) -> Town:
    """A registry in which north has a result that it has not sent."""
    return copy_town(second_town, tmp_path / "closed")


def carry(town: Town, out: Path) -> Human:
    """Let north sign its result in a closed network and write the file; return north."""
    north = town.human("north")
    north.run("sync")
    result = house_of(town).result()
    with nothing_reached(town):
        with pytest.raises(EnvironmentProblem, match="signed and kept on this machine, not sent"):
            send(north, result)
        said = north.run("submit", "--no-push", "--out", out)
    assert RESULT in said.out
    assert "can change nothing" in said.out
    return north


def test_a_result_is_carried_out_of_a_closed_network_and_sent_by_somebody_without_a_key(
    closed: Town, tmp_path: Path
) -> None:
    file = tmp_path / "results.bundle"
    north = carry(closed, file)
    before = closed.main
    post = closed.add("post")
    said = post.run("submit", "--from-bundle", file, "--yes")
    assert "merged: submit/" in said.out
    assert closed.main != before
    assert closed.git("cat-file", "-e", f"{closed.main}:{RESULT}") == ""
    assert north.run("status").out.startswith("nothing of yours is unfinished")
    again = post.run("submit", "--from-bundle", file, "--yes")
    assert "merged" in again.out
    assert closed.main == closed.git("rev-parse", "main")


def test_carrying_twice_and_sending_twice_is_sending_once(closed: Town, tmp_path: Path) -> None:
    one, two = tmp_path / "one.bundle", tmp_path / "two.bundle"
    north = carry(closed, one)
    north.run("submit", "--no-push", "--out", two)
    post = closed.add("post")
    post.run("submit", "--from-bundle", one, "--yes")
    main = closed.main
    post.run("submit", "--from-bundle", two, "--yes")
    assert closed.main == main


def test_a_dry_run_writes_and_sends_nothing(closed: Town, tmp_path: Path) -> None:
    file = tmp_path / "results.bundle"
    north = carry(closed, file)
    assert "nothing was written" in north.run("submit", "--no-push", "--dry-run", "--out", tmp_path / "x").out
    assert not (tmp_path / "x").exists()
    main = closed.main
    said = closed.add("post").run("submit", "--from-bundle", file, "--dry-run")
    assert "would be accepted" in said.out
    assert closed.main == main
    assert closed.git("for-each-ref", "refs/heads/submit") == ""


def test_a_file_is_not_written_over_and_odd_words_are_told(closed: Town, tmp_path: Path) -> None:
    file = tmp_path / "results.bundle"
    north = carry(closed, file)
    assert "is there already" in north.run("submit", "--no-push", "--out", file, code=2).err
    assert "--no-push" in north.run("submit", "--out", file, code=2).err
    assert "leave the other words out" in north.run("submit", "--from-bundle", file, "--no-push", code=2).err
    assert "there is no file" in north.run("submit", "--from-bundle", tmp_path / "none", code=2).err
    assert "nothing of yours is unfinished" in closed.human("east").run("submit", "--no-push", code=2).err


def test_what_is_no_bundle_of_this_registry_is_refused_and_nothing_is_sent(closed: Town, tmp_path: Path) -> None:
    file = tmp_path / "results.bundle"
    carry(closed, file)
    post = closed.add("post")
    main = closed.main
    junk = tmp_path / "junk.bundle"
    junk.write_bytes(b"# v2 git bundle\nnot one")
    assert "holds no proposal" in post.run("submit", "--from-bundle", junk, "--yes", code=1).err
    cut = tmp_path / "cut.bundle"
    cut.write_bytes(file.read_bytes()[:-40])
    assert "cannot be read" in post.run("submit", "--from-bundle", cut, "--yes", code=3).err
    stranger = Town(tmp_path / "other", "other")
    stranger.found("ana")
    reader = stranger.add("reader")
    assert "is your copy as new" in reader.run("submit", "--from-bundle", file, "--yes", code=3).err
    assert closed.main == main


def test_a_bundle_whose_branch_bears_another_name_than_its_content_is_refused(closed: Town, tmp_path: Path) -> None:
    file, forged = tmp_path / "results.bundle", tmp_path / "forged.bundle"
    carry(closed, file)
    folder = tmp_path / "mallory.git"

    def git(*argv: str) -> str:
        command = ["git", f"--git-dir={folder}", *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=git_environ()).stdout.strip()

    subprocess.run(["git", "clone", "-q", "--bare", closed.url, folder], check=True, env=git_environ())
    git("fetch", "-q", str(file), "refs/heads/submit/*:refs/heads/kept/*")
    commit = git("for-each-ref", "--format=%(objectname)", "refs/heads/kept")
    git("update-ref", f"refs/heads/submit/{'0' * 32}", commit)
    git("bundle", "create", "-q", str(forged), f"refs/heads/submit/{'0' * 32}", "^main")
    main = closed.main
    said = closed.add("post").run("submit", "--from-bundle", forged, "--yes", code=1)
    assert "does not hold what its name says" in said.err
    assert closed.main == main


def test_what_the_judge_refuses_is_not_carried(closed: Town, tmp_path: Path) -> None:
    file = tmp_path / "results.bundle"
    carry(closed, file)
    emil, post = closed.human("emil"), closed.add("post")
    emil.run("reject", "north/wards", "--benchmark", str(house_of(closed).benchmark().ref), "--yes")
    main = closed.main
    said = post.run("submit", "--from-bundle", file, "--yes", code=1)
    assert "would not be accepted; it was not sent" in said.err
    assert closed.main == main


def two_waiting(town: Town, out: Path) -> list[str]:
    """Let south sign a withdrawal and then a request that it forbids, unreached, and write both; return their ids."""
    south = town.human("south")
    south.run("sync")
    with nothing_reached(town):
        south.run("withdraw", "south/wards", "--yes", code=3)
        south.run("association", "request", "dora/heart", "--dataset", "south/wards", "--yes", code=3)
        said = south.run("submit", "--no-push", "--out", out, "--json").value
    return list(said["proposals"])


def test_of_several_in_a_file_one_that_is_refused_keeps_no_other_back_and_each_is_told(
    closed: Town, tmp_path: Path
) -> None:
    file = tmp_path / "two.bundle"
    withdrawal, request = two_waiting(closed, file)
    post = closed.add("post")
    rehearsed = post.run("submit", "--from-bundle", file, "--dry-run", "--json").value
    assert [one["id"] for one in rehearsed] == [withdrawal, request], "in the order in which they were made"
    sent = post.run("submit", "--from-bundle", file, "--yes", "--json", code=1).value
    assert [(one["id"], one["sendable"]) for one in sent] == [(withdrawal, True), (request, False)]
    assert sent[0]["merged"]
    assert {finding["rule"] for finding in sent[1]["findings"]} == {"withdrawn"}
    again = post.run("submit", "--from-bundle", file, "--yes", code=1)
    assert f"merged: submit/{withdrawal[:12]}" in again.out
    assert f"submit/{request[:12]} would not be accepted; it was not sent" in again.err


@pytest.mark.parametrize("title", ["Add\x1b[31m it", "Add\u00a0it", "", "x" * 9000])
def test_a_title_that_somebody_changed_on_the_way_harms_no_outbox(closed: Town, tmp_path: Path, title: str) -> None:
    file, forged = tmp_path / "results.bundle", tmp_path / "forged.bundle"
    carry(closed, file)
    folder = tmp_path / "mallory.git"
    subprocess.run(["git", "clone", "-q", "--bare", closed.url, folder], check=True, env=git_environ())

    def git(*argv: str, data: bytes = b"") -> bytes:
        command = ["git", f"--git-dir={folder}", *argv]
        return subprocess.run(command, check=True, capture_output=True, input=data, env=git_environ()).stdout

    git("fetch", "-q", str(file), "refs/heads/submit/*:refs/heads/submit/*")
    ref = git("for-each-ref", "--format=%(refname)", "refs/heads/submit").decode().strip()
    head = git("cat-file", "commit", ref).partition(b"\n\n")[0]
    commit = git("hash-object", "-t", "commit", "-w", "--stdin", data=head + b"\n\n" + title.encode() + b"\n")
    git("update-ref", ref, commit.decode().strip())
    git("bundle", "create", "-q", str(forged), ref, "^main")
    post = closed.add("post")
    said = post.run("submit", "--from-bundle", forged, "--yes")
    assert "from north as it says" in said.err, "who made the commit is told, not whoever carries it"
    (row,) = post.run("status", "--all", "--json").value
    assert row["what"].isprintable()
    assert 0 < len(row["what"]) <= 200


def carried_by_hand(town: Town, out: Path, *, title: str, more: dict[str, bytes]) -> None:
    """Write a bundle with a new model of moa, under a title and with files that somebody made by hand."""
    files = {**house_of(town).propose(rb.cube(Ref("moa", "late", 1))).sign("moa", head=town.main).files, **more}
    copy = Store.open(town.repository)
    author = Author("moa", "moa@example.invalid", town.clock())
    commit = write_commit(copy, town.main, files, message=title, author=author)
    write_bundle(copy, out, {submission_id(files): commit}, base=town.main)


def test_a_title_that_acts_on_terminals_spoils_no_outbox(closed: Town, tmp_path: Path) -> None:
    carried_by_hand(closed, tmp_path / "file", title="Add\ta \x1b[31mmodel\n", more={})
    post = closed.add("post")
    assert "merged" in post.run("submit", "--from-bundle", tmp_path / "file", "--yes").out
    assert "nothing of yours is unfinished" in post.run("status").out
    post.run("submit")


def test_a_carried_file_that_is_no_text_is_refused(closed: Town, tmp_path: Path) -> None:
    carried_by_hand(closed, tmp_path / "file", title="Add\n", more={"cubes/moa/late/2.yaml": b"\xff"})
    said = closed.add("post").run("submit", "--from-bundle", tmp_path / "file", "--yes", code=1)
    assert "cubes/moa/late/2.yaml" in said.err + said.out
