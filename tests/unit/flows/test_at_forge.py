"""A registry at a forge (on paper, with real repositories): what is proposed, said, closed and merged there."""

from pathlib import Path

import pytest

from medperf_git.flows import workspace as seen
from medperf_git.flows.at_forge import look_there
from medperf_git.flows.status import list_submissions
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.port import Checks, State
from medperf_git.forge.pulls import Pulls
from tests.support.paper_forge import PaperForge
from tests.support.people import Human, Town


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperForge:
    """A forge that holds Ana's registry; everybody speaks to it as themselves."""
    forge = PaperForge(tmp_path / "forge", writers={"ana"})
    town = Town(tmp_path / "forge" / "org", "heart")
    town.found("ana")
    forge.town = town  # type: ignore[attr-defined]

    def at_forge(_url: str, environ: dict[str, str], **_: object) -> Pulls:
        return forge.pulls(Path(environ["HOME"]).name)

    monkeypatch.setattr(seen, "forge_for", at_forge)
    return forge


@pytest.fixture
def town(forge: PaperForge) -> Town:
    return forge.town  # type: ignore[attr-defined, no-any-return]


def asked(town: Town, name: str) -> Human:
    """Let somebody ask to join, from a fork."""
    human = town.human(name)
    human.run("registry", "add", town.url)
    said = human.run("join", "--as", name, "--key", human.key, "--yes").out
    assert "waits for: a maintainer" in said
    assert "https://forge.example/org/heart/pull/" in said
    return human


def test_a_member_joins_from_a_fork_and_is_admitted_by_a_merge_of_the_forge(town: Town, forge: PaperForge) -> None:
    bob = asked(town, "bob")
    assert [one.source for one in forge.open] == ["bob/heart"]
    assert "sign" in town.founder.run("inbox").out
    said = town.founder.run("admit", "bob", "--yes").out
    assert "merged: submit/" in said
    assert [one.state for one in forge.requests] == [State.CLOSED, State.MERGED], "Ana's, with both signatures"
    assert "Replaces #1" in forge.requests[1].body
    assert forge.comments[1][0].text == "This stands in main now."
    assert "stands in the registry" in bob.run("submit").out
    assert forge.git("for-each-ref", "refs/heads/submit", slug="bob/heart") == "", "Bob's branch is tidied up by Bob"
    assert bob.run("whoami", "--json").value["status"] == "active"
    assert town.founder.run("audit").code == 0


def test_the_judges_words_are_said_once_and_kept_up_to_date(town: Town, forge: PaperForge) -> None:
    asked(town, "bob")
    said = town.founder.run("check", "--comment").out
    assert "needs-a-person" in said
    assert "pull/1" in said
    town.founder.run("check", "--comment", "--json")
    (comment,) = forge.comments[1]
    assert comment.author == "ana"
    assert "needs a person" in comment.text
    forge.fail("comments", *[Fault(Cause.STATUS, 500)] * 4)
    assert "trouble of its own" in town.founder.run("check", "--comment", code=3).out


def test_a_proposal_that_people_closed_is_told_and_not_forced_upon_them(town: Town, forge: PaperForge) -> None:
    bob = asked(town, "bob")
    forge.close(1, "ana")
    (row,) = bob.run("status", "--json").value
    assert (row["state"], row["there"]) == ("closed", "closed by ana: #1")
    assert row["url"] in bob.run("status").out
    said = bob.run("submit", code=1).out
    assert "#1 was closed by ana without being merged" in said
    assert len(forge.requests) == 1


def test_where_it_stands_there_is_said_with_the_verdict_of_the_forges_judge(
    town: Town, forge: PaperForge, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = asked(town, "bob")
    workspace = bob.workspace()
    (row,) = list_submissions(workspace)
    assert (row["state"], row["there"]) == ("needs-a-person", "")
    proposal = forge.requests[0].proposal
    for checks, told in ((Checks.RUNNING, "at work"), (Checks.PASSED, "passes it"), (Checks.FAILED, "refuses it")):
        monkeypatch.setattr(type(workspace.forge.api), "checks", lambda *_, it=checks: it)  # type: ignore[attr-defined]
        assert told in look_there(workspace, proposal).judge
    forge.fail("requests_of", *[Fault(Cause.TIMEOUT)] * 4)
    assert look_there(workspace, proposal).url == ""


def test_somebody_elses_branch_of_another_name_is_known_by_its_content(town: Town, forge: PaperForge) -> None:
    asked(town, "bob")
    request = forge.requests[0]
    forge.git("branch", "-m", request.branch, "patch-1", slug="bob/heart")
    forge.change(request.number, branch="patch-1")
    town.founder.run("sync")
    assert "merged: submit/" in town.founder.run("admit", "bob", "--yes").out
