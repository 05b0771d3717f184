"""A forge without a token: branches are pushed, a person opens the page, and everybody still sees what is proposed."""

import subprocess
from pathlib import Path
from unittest.mock import ANY

import pytest

from medperf_git.cli.session import TerminalPerson
from medperf_git.flows import registries as known
from medperf_git.flows import workspace as seen
from medperf_git.forge.browser import Browser
from medperf_git.forge.gathering import heads_of
from medperf_git.forge.host import Host
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import NO_ACCESS
from tests.support.paper_forge import PaperApi, PaperForge
from tests.support.people import Human, Town, git_environ


@pytest.fixture
def forge(tmp_path: Path) -> PaperForge:
    return PaperForge(tmp_path / "forge", writers={"ana"})


@pytest.fixture
def town(forge: PaperForge, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Ana's registry, at a forge that everybody but its pages speaks Git to."""
    town = Town(forge.folder / "org", "heart")
    town.found("ana")
    remote = Remote.at_path(town.repository)

    def in_browser(_url: str, _environ: object, *, fork: str | None = None, **_: object) -> Browser:
        own = Remote.parse(fork) if fork else None
        return Browser(
            remote, host=Host.GITHUB, own=own, listed=lambda most: heads_of(remote, "refs/pull/*/head", NO_ACCESS, most)
        )

    monkeypatch.setattr(seen, "forge_for", in_browser)
    monkeypatch.setattr(known, "forge_for", in_browser)
    return town


def at_github(human: Human, town: Town) -> None:
    human.run("registry", "add", town.url, "--host", "github")


def forked(forge: PaperForge, town: Town, name: str) -> Human:
    """Let somebody make a fork by hand and ask to join from it."""
    human = town.human(name)
    at_github(human, town)
    PaperApi(forge, name).fork("org/heart")
    human.run("submit", "--fork", forge.repository(f"{name}/heart"))
    return human


def pressed(forge: PaperForge, name: str) -> None:
    """Press the button: the registry's repository shows the head from now on."""
    branch = forge.git("for-each-ref", "--format=%(refname)", "refs/heads/submit", slug=f"{name}/heart")
    forge.git("fetch", "-q", str(forge.repository(f"{name}/heart")), f"+{branch}:refs/pull/7/head")


def test_until_the_button_is_pressed_the_author_is_waited_for(town: Town, forge: PaperForge) -> None:
    bob = forked(forge, town, "bob")
    said = bob.run("join", "--as", "bob", "--key", bob.key, "--yes").out
    assert "waits for: you: open this page and press the button" in said
    assert "/compare/main..." in said
    assert forge.git("for-each-ref", "refs/heads/submit") == "", "nothing is pushed to the registry"
    (row,) = bob.run("status", "--json").value
    assert "press the button" in row["waits_for"]
    assert "nothing waits for you in heart" in town.founder.run("inbox").out
    pressed(forge, "bob")
    assert "a maintainer" in bob.run("status", "--json").value[0]["waits_for"]


def test_a_maintainer_without_a_token_sees_what_lies_in_forks_and_the_keys_it_brings(
    town: Town, forge: PaperForge
) -> None:
    at_github(town.founder, town)
    bob = forked(forge, town, "bob")
    bob.run("join", "--as", "bob", "--key", bob.key, "--yes")
    pressed(forge, "bob")
    assert "sign" in town.founder.run("inbox").out
    said = town.founder.run("admit", "bob", "--yes")
    assert f"signing key of bob: {bob.signer().public.fingerprint}" in said.err
    assert "submit/" in said.out


def test_what_main_has_is_no_open_proposal_although_its_head_is_still_shown(town: Town, forge: PaperForge) -> None:
    at_github(town.founder, town)
    bob = forked(forge, town, "bob")
    bob.run("join", "--as", "bob", "--key", bob.key, "--yes")
    pressed(forge, "bob")
    town.founder.run("admit", "bob", "--yes")
    branch = forge.git("for-each-ref", "--format=%(refname)", "refs/heads/submit")
    tree = forge.git("merge-tree", "--write-tree", "main", branch)
    merge = forge.git("commit-tree", tree, "-p", "main", "-p", branch, "-m", "Merge by the button")
    forge.git("update-ref", "refs/heads/main", merge)
    forge.git("update-ref", "-d", branch)
    assert forge.git("for-each-ref", "refs/pull") != ""
    assert town.founder.workspace().proposals() == {}
    assert bob.run("whoami", "--json").value["status"] == "active"


def test_what_is_no_fork_of_this_registry_is_refused_and_not_remembered(
    town: Town, forge: PaperForge, tmp_path: Path
) -> None:
    other = PaperForge(tmp_path / "other")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", other.repository()], check=True, env=git_environ())
    other.git("update-ref", "refs/heads/main", other.git("commit-tree", other.git("mktree"), "-m", "Another"))
    bob = town.human("bob")
    at_github(bob, town)
    assert "no main of this registry" in bob.run("submit", "--fork", other.repository(), code=1).err
    bob.run("submit", "--fork", tmp_path / "nothing", code=3)
    assert bob.workspace().known.fork is None


def test_a_plain_host_has_no_forks(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.found("ana")
    assert "plain Git host" in town.founder.run("submit", "--fork", tmp_path / "x.git", code=1).err


def test_whoever_says_no_has_published_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town(tmp_path)
    town.found("ana")
    town.join("bob")
    before = town.main
    asked: list[str] = []

    def no(_self: TerminalPerson, question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(TerminalPerson, "confirm", no)
    monkeypatch.setattr(TerminalPerson, "new_passphrase", lambda *_: "")
    eve = town.add("eve")
    eve.run("join", "--as", "eve", "--key", eve.key, code=130)
    bob = town.human("bob")
    bob.run("member", "rotate", "--keep", code=130)
    bob.run("member", "revoke", "--all", code=130)
    assert [question.split()[0] for question in asked] == ["Ask", ANY, "Leave"]
    assert town.main == before
    assert town.git("for-each-ref", "refs/heads/submit") == ""
