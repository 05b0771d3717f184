"""What stands in the way of sending is said before anything is signed."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows import preflight as looked
from medperf_git.flows.preflight import preflight, refuse_unready
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.api import Cause, Fault
from medperf_git.registry.remotes import Transport
from tests.support.paper_forge import PaperForge
from tests.support.people import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.found("ana")
    return town


def states(workspace: Workspace) -> dict[str, str]:
    return {one.what: one.state for one in preflight(workspace)}


def test_a_member_with_a_key_and_a_registry_is_ready(town: Town) -> None:
    assert states(town.founder.workspace()) == {"member": "ok", "key": "ok", "registry": "ok"}
    said = town.founder.run("submit", "--dry-run").out
    assert "nothing of yours is unfinished" in said
    assert "ok      member: ana" in said


def test_nobody_yet_is_told_to_join(town: Town) -> None:
    bob = town.add("bob")
    (member, _registry) = preflight(bob.workspace())
    assert (member.state, member.remedy.split(";")[0]) == ("warn", "medperf-git join")


def test_a_lost_key_and_a_lost_way_are_named_with_what_helps(town: Town) -> None:
    ana = town.founder
    ana.run("sync")
    ana.key.unlink()
    town.repository.rename(town.folder / "away.git")
    said = ana.run("submit", "--dry-run", code=3).out
    assert "fail    key" in said
    assert "fail    registry" in said
    assert "submit --no-push" in said


@pytest.mark.parametrize(
    ("off", "state", "told"),
    [(4, "ok", "as at the host"), (-30, "fail", "30 minutes behind"), (90, "fail", "90 minutes ahead of")],
)
def test_a_clock_that_is_wrong_is_told_before_anything_is_signed(town: Town, off: int, state: str, told: str) -> None:
    workspace = town.founder.workspace()
    theirs = workspace.context.clock() - timedelta(minutes=off)
    remote = mock.Mock(transport=Transport.HTTPS, url="https://forge.example/org/heart")
    with (
        mock.patch("medperf_git.forge.clock.read_clock", return_value=theirs),
        mock.patch.object(looked.Remote, "parse", return_value=remote),
    ):
        found = {one.what: one for one in preflight(workspace)}["clock"]
        assert (found.state, told in found.found) == (state, True)
        if state == "fail":
            with pytest.raises(EnvironmentProblem, match="clock is") as refused:
                refuse_unready(workspace)
            assert "nothing was signed" in refused.value.hint
        else:
            refuse_unready(workspace)


def test_a_token_that_is_not_accepted_is_said_and_what_is_signed_is_kept(town: Town, tmp_path: Path) -> None:
    workspace = town.founder.workspace()
    forge = PaperForge(tmp_path / "forge")
    said: list[str] = []
    workspace.forge = forge.pulls("ana")  # type: ignore[misc]
    workspace.context = replace(workspace.context, say=said.append)
    forge.fail("me", Fault(Cause.STATUS, 401, "Bad credentials"))
    refuse_unready(workspace)
    assert len(said) == 1
    assert "does not accept the token from MEDPERF_GIT_TOKEN" in said[0]
    assert "Bad credentials" in said[0]
