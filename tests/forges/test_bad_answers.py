"""Every bad answer at every call of a submission: never two proposals, never a lost one, and a sentence that fits.

After each the host is healed and the same is done again, as a person does: then exactly one proposal stands.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medperf_git.errors import MedperfGitError
from medperf_git.forge.credentials import Token
from medperf_git.forge.forgejo import Forgejo
from medperf_git.forge.guard import Patience
from medperf_git.forge.host import Host
from medperf_git.forge.port import Request, State, Words
from medperf_git.forge.pulls import MARK, Pulls
from medperf_git.registry.remotes import Remote
from tests.support.faulty import BADS, Bad, Faulty, standing
from tests.support.people import git_environ
from tests.support.small_forge import SmallForge

SLUG, ID, SECRET = "ana/heart", "0123456789abcdef" * 2, "token-of-bob-0123456789"
BRANCH = f"submit/{ID}"
WORDS, OTHER = Words("Add a model", "It adds one record."), Words("Add a model", "It adds one record, signed twice.")
VERDICT = "The judge says: pass."
BOUND = 20.0  # seconds for one run in these tests, whose patience is short


@dataclass
class Place:
    """A forge behind the faulty server, and the machine of somebody who has a proposal for it."""

    server: Faulty
    forge: SmallForge
    copy: Path
    commit: str

    def pulls(self, who: str = "bob", patience: Patience | None = None) -> Pulls:
        """Return the port as a command makes it, anew for each."""
        remote = Remote.at_path(self.forge.folder / f"{SLUG}.git")
        api = Forgejo.open(f"{self.server.url}/api/v1", SECRET.replace("bob", who), {})
        token = Token(SECRET.replace("bob", who), "MEDPERF_GIT_TOKEN")
        page = f"https://127.0.0.1/{SLUG}"
        return Pulls(remote, Host.FORGEJO, api, SLUG, page, token, patience=patience or Patience())

    @property
    def ours(self) -> list[dict[str, object]]:
        return [one for one in self.forge.open_pulls() if one["branch"] == BRANCH]

    def request(self) -> Request:
        """Return the one pull request as a good server tells it."""
        (found,) = (one for one in self.pulls().requests(ID) if one.state is State.OPEN)
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with standing(lambda _: pytest.fail("no forge"), tmp_path_factory.mktemp("faulty"), tls=False) as found:
        yield found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Make a registry of one commit, and a copy of it with a proposal."""
    folder = tmp_path_factory.mktemp("template")
    registry, copy = folder / f"forge/{SLUG}.git", folder / "copy.git"

    def git(place: Path, *argv: str, said: str = "") -> str:
        command = ["git", f"--git-dir={place}", *argv]
        environ = git_environ() | {
            f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return subprocess.run(
            command, input=said, capture_output=True, text=True, check=True, env=environ
        ).stdout.strip()

    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(registry)], check=True, env=git_environ())
    empty = git(registry, "mktree")
    git(registry, "update-ref", "refs/heads/main", git(registry, "commit-tree", empty, "-m", "genesis"))
    shutil.copytree(registry, copy)
    blob = git(copy, "hash-object", "-w", "--stdin", said="record\n")
    tree = git(copy, "mktree", said=f"100644 blob {blob}\trecord.yaml\n")
    return folder, git(copy, "commit-tree", tree, "-p", "refs/heads/main", "-m", "Add a model")


@pytest.fixture
def place(template: tuple[Path, str], server: Faulty, tmp_path: Path) -> Place:
    folder, commit = template
    shutil.copytree(folder, tmp_path / "world")
    forge = SmallForge(tmp_path / "world/forge", "https://127.0.0.1")
    forge.tokens = {SECRET: "bob", SECRET.replace("bob", "ana"): "ana"}
    server.inner = forge.answer
    server.heal()
    return Place(server, forge, tmp_path / "world/copy.git", commit)


def propose(place: Place, patience: Patience | None = None) -> None:
    place.pulls(patience=patience).propose(place.copy, ID, place.commit, WORDS)


def propose_more(place: Place, patience: Patience | None = None) -> None:
    place.pulls(patience=patience).propose(place.copy, ID, place.commit, OTHER)


def read_verdict(place: Place, patience: Patience | None = None) -> None:
    request = Request(1, BRANCH, place.commit, "bob/heart", "bob", State.OPEN, "", "")
    place.pulls(patience=patience).checks(request)


def comment(place: Place, patience: Patience | None = None) -> None:
    request = Request(1, BRANCH, place.commit, "bob/heart", "bob", State.OPEN, "", "")
    place.pulls("ana", patience).comment(request, VERDICT)


def merge(place: Place, patience: Patience | None = None) -> None:
    request = Request(1, BRANCH, place.commit, "bob/heart", "bob", State.OPEN, "", "")
    if place.ours:
        place.pulls("ana", patience).merge(request, place.commit, WORDS)


def give_up(place: Place, patience: Patience | None = None) -> None:
    place.pulls(patience=patience).forget(place.copy, ID, "Given up.")


@dataclass(frozen=True)
class Flow:
    """Something that is done: after what, by which calls, and what must be true at its end."""

    first: Callable[[Place], None] | None
    act: Callable[[Place, Patience | None], None]
    calls: tuple[str, ...]
    holds: Callable[[Place], bool]


def is_proposed(place: Place, words: Words = WORDS) -> bool:
    (only,) = place.ours
    return (only["sha"], only["title"], only["body"]) == (place.commit, words.title, words.body)


FLOWS = {
    "propose": Flow(None, propose, ("who am I", "repository", "find fork", "fork", "find open", "open"), is_proposed),
    "update": Flow(propose, propose_more, ("update",), lambda place: is_proposed(place, OTHER)),
    "verdict": Flow(propose, read_verdict, ("verdict",), is_proposed),
    "comment": Flow(
        propose,
        comment,
        ("read comments", "comment"),
        lambda place: [one["body"] for one in place.forge.notes] == [f"{MARK}\n{VERDICT}"],
    ),
    "merge": Flow(
        propose,
        merge,
        ("merge",),
        lambda place: [one["state"] for one in place.forge.pulls] == ["merged"] and not place.ours,
    ),
    "give up": Flow(
        propose,
        give_up,
        ("close",),
        lambda place: (
            [one["state"] for one in place.forge.pulls] == ["closed"]
            and [one["body"] for one in place.forge.notes] == ["Given up."]
        ),
    ),
}
WRITES = ("fork", "open", "update", "comment", "merge", "close")
CELLS = [
    pytest.param(flow, call, bad, done, id=f"{call}, {bad.name}{', done' if done else ''}")
    for flow in FLOWS.values()
    for call in flow.calls
    for bad in BADS
    for done in ((False, True) if bad.late and call in WRITES else (False,))
    if "certificate" not in bad.name and "TLS" not in bad.name
]
SLOW = ("no answer", "slow drip", "silent from the start")
# What may go unnoticed, and is no harm: an answer of which nothing is read, a `404` that means there is none.
UNREAD = ("empty 200", "null", "a text for an object", "other lists", "fields missing", "slow drip")


def patience_for(bad: Bad) -> Patience:
    slow = bad.name in SLOW
    return Patience(
        attempts=2, call=0.3 if slow else 10.0, whole=0.25 if slow else 45.0, sleep=lambda _: None, draw=lambda: -0.5
    )


def said_by(run: Callable[[], object]) -> str:
    """Return what a person reads of a run that fails, empty for one that does not."""
    try:
        run()
    except MedperfGitError as problem:
        return f"{problem.message}\ndo now: {problem.hint or pytest.fail('nothing to do')}"
    return ""


@pytest.mark.parametrize(("flow", "call", "bad", "done"), CELLS)
def test_a_bad_answer_makes_no_second_proposal_and_loses_none(
    place: Place, flow: Flow, call: str, bad: Bad, done: bool
) -> None:
    if flow.first:
        flow.first(place)
    place.server.plan(bad, call, done=done)
    began = time.monotonic()
    told = said_by(lambda: flow.act(place, patience_for(bad)))
    assert time.monotonic() - began < BOUND
    assert not told or re.search(bad.told, told), told
    assert SECRET not in told
    assert "secret" not in told
    assert place.server.given or place.server._gone, place.server.calls
    if not told:
        assert done or bad.name in UNREAD or bad.name == "404", "nobody noticed"
    assert len(place.ours) <= 2
    place.server.heal()
    flow.act(place, None)
    place.forge.settle()
    assert flow.holds(place), (place.forge.pulls, place.forge.notes)
    assert len(place.forge.pulls) <= 2
