"""The order in which a forge is spoken to: never two proposals, none over people's heads, from a fork where need be."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.forge import gathering
from medperf_git.forge.api import Cause, Fault, Repository
from medperf_git.forge.faults import ForgeProblem
from medperf_git.forge.port import Request, State, Words
from medperf_git.forge.pulls import MARK
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Access, PushOutcome, fetch
from tests.support.paper_forge import PaperForge
from tests.support.people import git_environ

ID = "0123456789abcdef0123456789abcdef"
WORDS = Words("Add a record", "Sent by `alice`.")
LOST = Fault(Cause.TIMEOUT)
BRANCH = f"refs/heads/submit/{ID}"


def git(folder: Path, *argv: str) -> str:
    command = ["git", f"--git-dir={folder}", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=git_environ()).stdout.strip()


@pytest.fixture
def forge(tmp_path: Path) -> PaperForge:
    forge = PaperForge(tmp_path / "forge")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", forge.repository()], check=True, env=git_environ())
    tree = forge.git("mktree", "--missing")
    forge.git("update-ref", "refs/heads/main", forge.git("commit-tree", tree, "-m", "Begin"))
    return forge


@pytest.fixture
def copy(forge: PaperForge, tmp_path: Path) -> Path:
    """Somebody's local copy; its objects are everybody's here."""
    folder = tmp_path / "copy.git"
    subprocess.run(["git", "clone", "-q", "--bare", forge.repository(), folder], check=True, env=git_environ())
    return folder


def record(copy: Path, text: str, parent: str = "main", *, data: bytes = b"") -> str:
    """Commit one more file; return the commit."""
    blob = copy / "new"
    blob.write_bytes(data or text.encode())
    made = git(copy, "hash-object", "-w", str(blob))
    index = {"GIT_INDEX_FILE": str(copy / "index")}
    env = {**git_environ(), **index}
    for argv in (["read-tree", parent], ["update-index", "--add", "--cacheinfo", f"100644,{made},{text}.yaml"]):
        subprocess.run(["git", f"--git-dir={copy}", *argv], check=True, env=env)
    done = subprocess.run(
        ["git", f"--git-dir={copy}", "write-tree"], check=True, env=env, capture_output=True, text=True
    )
    return git(copy, "commit-tree", done.stdout.strip(), "-p", parent, "-m", text)


def test_who_may_write_pushes_to_the_registry_and_opens_one_request(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    sent = forge.pulls("maint").propose(copy, ID, commit, WORDS)
    assert (sent.accepted, sent.url) == (True, "https://forge.example/org/heart/pull/1")
    assert [(one.source, one.commit, one.title) for one in forge.open] == [("org/heart", commit, WORDS.title)]
    assert "fork" not in forge.asked


def test_who_may_not_write_gets_a_fork_and_waits_until_it_is_filled(forge: PaperForge, copy: Path) -> None:
    forge.slow_forks = 3
    said: list[str] = []
    pulls = forge.pulls("alice", say=said.append)
    sent = pulls.propose(copy, ID, record(copy, "one"), WORDS)
    assert sent.accepted
    assert [one.source for one in forge.open] == ["alice/heart"]
    assert forge.git("for-each-ref", BRANCH) == "", "nothing was pushed to the registry"
    assert "making a fork" in said[0]
    assert forge.asked.count("fork") == 1


def test_a_fork_that_is_never_filled_is_told_and_nothing_is_opened(forge: PaperForge, copy: Path) -> None:
    forge.slow_forks = 10_000
    with pytest.raises(ForgeProblem, match="the forge has not finished it"):
        forge.pulls("alice").propose(copy, ID, record(copy, "one"), WORDS)
    assert not forge.open


def test_twice_does_nothing_twice(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    urls = {forge.pulls("alice").propose(copy, ID, commit, WORDS).url for _ in range(3)}
    assert len(urls) == len(forge.requests) == 1
    assert forge.asked.count("edit_request") == 0
    forge.pulls("alice").propose(copy, ID, commit, Words("Another title", WORDS.body))
    assert [one.title for one in forge.requests] == ["Another title"]


@pytest.mark.parametrize("call", ["me", "repository", "find_fork", "fork", "requests_of", "open_request"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("times", [1, 3])
def test_an_answer_that_is_lost_leaves_one_request(
    forge: PaperForge, copy: Path, call: str, after: bool, times: int
) -> None:
    forge.fail(call, *[LOST] * times, after=after)
    forge.pulls("alice").propose(copy, ID, record(copy, "one"), WORDS)
    assert [one.source for one in forge.open] == ["alice/heart"]
    assert len(forge.requests) == 1


@pytest.mark.parametrize("call", ["me", "repository", "requests_of", "open_request"])
def test_a_forge_that_stays_broken_ends_in_a_sentence_and_later_in_one_request(
    forge: PaperForge, copy: Path, call: str
) -> None:
    commit = record(copy, "one")
    forge.fail(call, *[Fault(Cause.STATUS, 503)] * 4)
    with pytest.raises(ForgeProblem, match="trouble of its own"):
        forge.pulls("alice").propose(copy, ID, commit, WORDS)
    forge.faults.clear()
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    assert len(forge.requests) == 1


def test_a_request_that_was_opened_twice_all_the_same_is_closed_again(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    late = forge.requests[0]
    forge.requests.clear()

    pulls = forge.pulls("alice")
    api_open = pulls.api.open_request

    def late_one(*argv: object) -> Request:
        """What a call that was given up had asked for comes now, before the one that was asked instead."""
        forge.requests.append(late)
        return api_open(*argv)  # type: ignore[arg-type]

    pulls.api.open_request = late_one  # type: ignore[method-assign]
    sent = pulls.propose(copy, ID, commit, WORDS)
    assert [one.number for one in forge.open] == [1]
    assert sent.url.endswith("/pull/1")
    assert "opened twice" in forge.comments[2][0].text


def test_what_people_have_closed_is_not_opened_over_their_heads(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    forge.close(1, "maint")
    with pytest.raises(Refused, match="#1 was closed by maint without being merged") as told:
        forge.pulls("alice").propose(copy, ID, commit, WORDS)
    assert "https://forge.example/org/heart/pull/1" in told.value.hint
    assert len(forge.requests) == 1


def test_a_fork_that_was_deleted_is_made_again_and_the_proposal_opened_anew(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    forge.delete_fork("alice")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    assert [one.source for one in forge.open] == ["", "alice/heart"]
    assert "Replaces #1" in forge.open[1].body


def test_a_signer_opens_a_request_of_their_own_that_names_the_one_it_replaces(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    signed = record(copy, "two", parent=commit)
    forge.pulls("bob").propose(copy, ID, signed, WORDS)
    assert [(one.source, one.commit) for one in forge.open] == [("alice/heart", commit), ("bob/heart", signed)]
    assert "Replaces #1" in forge.open[1].body
    forge.pulls("bob").propose(copy, ID, signed, WORDS)
    assert len(forge.requests) == 2


def test_a_branch_with_other_content_is_told_and_not_written_over(forge: PaperForge, copy: Path) -> None:
    first = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, first, WORDS)
    pulls = forge.pulls("alice")
    sent = pulls.propose(copy, ID, record(copy, "two"), WORDS)
    assert sent.outcome is PushOutcome.NOT_FORWARD
    assert forge.git("rev-parse", BRANCH, slug="alice/heart") == first
    assert pulls.bring(copy, ID) == first
    assert git(copy, "rev-parse", f"refs/upstream/own/{ID}") == first


def test_every_open_request_is_fetched_and_what_is_closed_is_dropped(forge: PaperForge, copy: Path) -> None:
    first, second = record(copy, "one"), record(copy, "two")
    forge.pulls("alice").propose(copy, ID, first, WORDS)
    forge.pulls("bob").propose(copy, "f" * 32, second, WORDS)
    reader = forge.pulls("maint")
    reader.fetch(copy)
    pulled = "for-each-ref", "--format=%(refname) %(objectname)", "refs/upstream/pull"
    assert git(copy, *pulled).split("\n") == [f"refs/upstream/pull/1 {first}", f"refs/upstream/pull/2 {second}"]
    forge.close(1, "alice")
    reader.fetch(copy)
    assert git(copy, *pulled) == f"refs/upstream/pull/2 {second}"


def test_a_silent_interface_keeps_main_and_the_requests_of_last_time(forge: PaperForge, copy: Path) -> None:
    forge.pulls("alice").propose(copy, ID, record(copy, "one"), WORDS)
    said: list[str] = []
    reader = forge.pulls("maint", say=said.append)
    reader.fetch(copy)
    forge.fail("open_requests", *[LOST] * 4)
    reader.fetch(copy)
    assert git(copy, "for-each-ref", "refs/upstream/pull") != ""
    assert "those of the last time" in said[-1]


def test_a_merge_takes_the_judged_head_and_no_other(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    maint = forge.pulls("maint")
    with pytest.raises(Refused, match="changed meanwhile"):
        maint.merge(forge.requests[0], forge.git("rev-parse", "main"), WORDS)
    forge.fail("merge_request", LOST, after=True)
    maint.merge(forge.requests[0], commit, WORDS)
    assert forge.requests[0].state is State.MERGED
    assert forge.git("rev-parse", "main^2") == commit
    assert forge.git("rev-list", "--count", "--first-parent", "main") == "2", "merged once"


def test_who_may_not_merge_is_told_so(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    alice = forge.pulls("alice")
    alice.propose(copy, ID, commit, WORDS)
    assert not alice.may_merge()
    assert forge.pulls("maint").may_merge()
    with pytest.raises(ForgeProblem, match="does not let the token from MEDPERF_GIT_TOKEN do that"):
        alice.merge(forge.requests[0], commit, WORDS)


def test_what_is_done_with_is_closed_with_a_word_and_its_branch_deleted(forge: PaperForge, copy: Path) -> None:
    commit = record(copy, "one")
    forge.pulls("alice").propose(copy, ID, commit, WORDS)
    forge.pulls("bob").propose(copy, ID, commit, WORDS)
    forge.fail("close_request", LOST, after=True)
    forge.pulls("alice").forget(copy, ID, "This stands in main now.")
    assert [one.source for one in forge.open] == ["bob/heart"], "somebody else's is left alone"
    assert [one.text for one in forge.comments[1]] == ["This stands in main now."]
    assert forge.git("for-each-ref", BRANCH, slug="alice/heart") == ""


def test_who_may_merge_closes_what_main_holds_already(forge: PaperForge, copy: Path) -> None:
    first, other = record(copy, "one"), record(copy, "two")
    forge.pulls("alice").propose(copy, ID, first, WORDS)
    forge.pulls("bob").propose(copy, ID, first, WORDS)
    forge.pulls("carol").propose(copy, ID, other, WORDS)
    forge.git("update-ref", "refs/heads/main", forge.git("rev-parse", BRANCH, slug="alice/heart"), slug="alice/heart")
    forge.git("fetch", "-q", str(forge.repository("alice/heart")), "+refs/heads/main:refs/heads/main")
    maintainer = forge.pulls("maint")
    maintainer.fetch(copy)
    maintainer.forget(copy, ID, "This stands in main now.")
    assert [one.source for one in forge.open] == ["carol/heart"], "what main does not hold is left alone"


def test_one_comment_is_kept_up_to_date(forge: PaperForge, copy: Path) -> None:
    forge.pulls("alice").propose(copy, ID, record(copy, "one"), WORDS)
    request, judge = forge.requests[0], forge.pulls("maint")
    forge.pulls("alice").comment(request, "hello")
    forge.fail("add_comment", LOST, after=True)
    judge.comment(request, "passes")
    judge.comment(request, "passes")
    judge.comment(request, "does not pass")
    told = [(one.author, one.text.removeprefix(MARK).strip()) for one in forge.comments[1]]
    assert told == [("alice", "hello"), ("maint", "does not pass")]


def test_the_account_is_described_without_its_token(forge: PaperForge) -> None:
    assert forge.pulls("alice").describe_account() == (
        "alice by the token from MEDPERF_GIT_TOKEN, scopes: repo; pushes to your fork, which is made when needed"
    )
    assert "token-of-alice" not in repr(forge.pulls("alice"))


def stranger(forge: PaperForge, commit: str) -> Request:
    """Show the pull request of a stranger, whose fork is gone."""
    number = len(forge.requests) + 1
    ref, url = f"refs/pull/{number}/head", f"https://forge.example/pull/{number}"
    forge.git("update-ref", ref, commit)
    made = Request(number, "x", commit, "", "eve", State.OPEN, url, ref)
    forge.requests.append(made)
    return made


def damaged(forge: PaperForge, folder: Path) -> str:
    """Write a commit that many hosts take and our own Git refuses: the mode of a file has a zero too much."""
    blob = forge.git("hash-object", "-w", str(forge.repository() / "HEAD"))
    bad = folder / "tree"
    bad.write_bytes(b"0100644 a\0" + bytes.fromhex(blob))
    tree = forge.git("hash-object", "-t", "tree", "-w", "--literally", str(bad))
    return forge.git("commit-tree", tree, "-p", "main", "-m", "x")


def test_one_damaged_request_keeps_no_other_out_and_costs_few_questions(
    forge: PaperForge, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = [stranger(forge, forge.git("commit-tree", "main^{tree}", "-p", "main", "-m", str(n))) for n in range(30)]
    bad = stranger(forge, damaged(forge, tmp_path))
    asked: list[int] = []

    def fetched(folder: Path, remote: Remote, specs: Sequence[str], *, access: Access, most: int | None = None) -> None:
        asked.append(len(specs))
        fetch(folder, remote, specs, access=access, most=most)

    monkeypatch.setattr(gathering, "fetch", fetched)
    said: list[str] = []
    forge.pulls("maint", say=said.append).fetch(copy)
    there = git(copy, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/upstream/pull").split()
    assert set(there) == {str(one.number) for one in sound}
    assert [one.startswith(f"note: {bad.ref} cannot be fetched") for one in said] == [True]
    assert len(asked) <= 2 + 2 * 5


def test_a_damaged_request_that_is_slow_to_come_leaves_main_as_it_was_fetched(
    forge: PaperForge, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger(forge, damaged(forge, tmp_path))
    monkeypatch.setattr(gathering, "SILENT_SECONDS", {Transport.PATH: 0.0})
    said: list[str] = []
    forge.pulls("maint", say=said.append).fetch(copy)
    assert git(copy, "rev-parse", "refs/upstream/main") == forge.git("rev-parse", "main")
    assert len(said) == 1
    assert "those of the last time" in said[0]


@pytest.mark.parametrize(
    ("address", "registry", "fork"),
    [
        ("https://forge.example/org/heart", "forge.example/org/heart.git", "evil.example/me/heart.git"),
        ("git@forge.example:org/heart.git", "forge.example:org/heart.git", "evil.example:me/heart.git"),
        ("https://forge.example/org/heart", "org/heart.git", "me/../../x/heart.git"),
        ("https://forge.example/org/heart", "eart.git", "me/heart.git"),
    ],
)
def test_t37_a_forge_leads_no_push_and_no_token_to_another_place(
    forge: PaperForge, address: str, registry: str, fork: str
) -> None:
    pulls = replace(forge.pulls("alice"), remote=Remote.parse(address), slug="org/heart")
    pulls._registry = Repository("org/heart", registry, may_push=False)
    with pytest.raises(ForgeProblem, match=r"does not end with|lies at another place"):
        pulls._remote_of(pulls._guard(), Repository("me/heart", fork, may_push=True))


def test_what_a_stranger_opened_from_our_fork_and_closed_is_no_word_of_people(forge: PaperForge, copy: Path) -> None:
    alice = forge.pulls("alice")
    alice.propose(copy, ID, record(copy, "one"), WORDS)
    forge.change(1, author="eve", state=State.CLOSED, closed_by="eve")
    sent = forge.pulls("alice").propose(copy, ID, record(copy, "one"), WORDS)
    assert sent.accepted
    assert [(one.author, one.source) for one in forge.open] == [("alice", "alice/heart")]


def test_the_branch_of_a_request_that_somebody_else_opened_is_left_alone(forge: PaperForge, copy: Path) -> None:
    forge.writers.add("alice")
    commit = record(copy, "one")
    forge.pulls("maint").propose(copy, ID, commit, WORDS)
    forge.pulls("alice").forget(copy, ID, "Its author gives it up.")
    assert [one.author for one in forge.open] == ["maint"]
    assert forge.git("rev-parse", BRANCH) == commit


def test_t35_a_pull_request_of_a_size_that_no_proposal_has_is_left_out_and_fills_no_disk(
    forge: PaperForge, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_BYTES", 1024 * 1024)
    forge.pulls("alice").propose(copy, ID, record(copy, "small"), WORDS)
    forge.pulls("mallory").propose(copy, "f" * 32, record(copy, "huge", data=os.urandom(3 * 1024 * 1024)), WORDS)
    reader = tmp_path / "reader.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", reader], check=True, env=git_environ())
    said: list[str] = []
    forge.pulls("maint", say=said.append).fetch(reader)
    assert git(reader, "for-each-ref", "--format=%(refname)", "refs/upstream/pull") == "refs/upstream/pull/1"
    assert "refs/pull/2/head cannot be fetched" in said[-1]
    assert sum(one.stat().st_size for one in reader.rglob("*") if one.is_file()) < 1024 * 1024
