"""What happened while I was away: every such proposal ends in the right new attempt or in the right sentence."""

from pathlib import Path
from unittest import mock

import pytest

from medperf_git.errors import Refused
from medperf_git.flows.decisions import decide
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.propose import judge_entry, propose
from medperf_git.flows.propose import send as send_entry
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.verdict import Verdict
from medperf_git.registry.transport import UPSTREAM_MAIN
from tests.support.people import Human, Town
from tests.support.registry_builder import BENCHMARK, NORTH
from tests.support.story import RESULT, TREE, copy_town, house_of, send

CREATED = "2026-11-25T10:00:00Z"


@pytest.fixture
def waiting(second_town: Town, tmp_path: Path) -> Town:
    """North's result is sent and waits for a merge."""
    town = copy_town(second_town, tmp_path / "waiting")
    north = town.human("north")
    north.run("sync")
    north.run("registry", "use", "heart", "--merge", "manual")
    send(north, house_of(town).result())
    return town


def proposal_of(human: Human) -> str:
    (entry,) = [one for one in Outbox(human.home / "outbox" / "heart").entries() if one.state in ("ready", "sent")]
    return entry.id


def rotate(town: Town, name: str) -> None:
    """Let somebody bring a new key, and revoke the old one, which was stolen."""
    human = town.human(name)
    stolen = human.signer().public.fingerprint
    human.run("registry", "use", "heart", "--merge", "auto")
    human.run("member", "rotate", "--keep", "--yes")
    human.run("member", "revoke", stolen, "--recovery", human.recovery, "--yes")
    town.founder.run("sync")
    human.run("registry", "use", "heart", "--merge", "manual")


def test_main_that_moved_meanwhile_needs_nothing_but_a_merge(waiting: Town) -> None:
    north, before = waiting.human("north"), waiting.main
    waiting.join("pia")
    assert waiting.main != before
    said = north.run("submit", "--resume")
    assert "waits for a merge" in said.out
    waiting.founder.run("merge")
    assert waiting.git("cat-file", "-e", f"main:{RESULT}") == ""


@pytest.mark.parametrize("sent", [True, False])
def test_a_key_that_was_revoked_meanwhile_is_replaced_by_the_one_of_now(waiting: Town, sent: bool) -> None:
    north = waiting.human("north")
    proposal = proposal_of(north)
    if not sent:
        waiting.git("update-ref", "-d", f"refs/heads/submit/{proposal}")
        north.run("sync")
    rotate(waiting, "north")
    told = north.run("submit", code=1)
    assert "--resume" in told.out + told.err
    said = north.run("submit", "--resume", "--yes")
    assert "signed again, since a signature on it no longer counted" in said.out
    listed = waiting.git("ls-tree", "-r", "--name-only", f"submit/{proposal}", "results").split()
    assert len([path for path in listed if path.endswith(".sigstore.json")]) == 1, "the dead signature is gone"
    waiting.founder.run("merge")
    assert waiting.git("cat-file", "-e", f"main:{RESULT}") == ""


def test_an_association_that_was_withdrawn_meanwhile_is_told_and_nothing_is_lost(waiting: Town) -> None:
    north, main = waiting.human("north"), waiting.main
    waiting.human("emil").run("reject", str(NORTH), "--benchmark", str(BENCHMARK), "--yes")
    assert waiting.main != main
    said = north.run("submit", "--resume", "--yes", code=1)
    assert "association" in said.out
    assert "rejected" in said.out
    assert proposal_of(north), "the signed result is still kept"
    waiting.founder.run("merge")
    assert waiting.git("ls-tree", "main", RESULT) == "", "nor does anybody else's merge take it"


def test_a_branch_that_holds_something_else_is_not_written_over(waiting: Town) -> None:
    """On a forge anybody may give a branch any name; here the hook keeps that out, so it is put there by hand."""
    north = waiting.human("north")
    proposal = proposal_of(north)
    stranger = waiting.git("commit-tree", "main^{tree}", "-p", "main", "-m", "something else")
    waiting.git("update-ref", f"refs/heads/submit/{proposal}", stranger)
    workspace = north.workspace()
    entry = Outbox.of(north.home, "heart").get(proposal)
    assert entry is not None
    mine = workspace.store.ref(UPSTREAM_MAIN)
    assert mine is not None
    commit, verdict = _judged_alone(workspace, entry)
    with pytest.raises(Refused, match="holds something else already"):
        send_entry(workspace, entry, commit=commit, verdict=verdict)
    assert waiting.git("rev-parse", f"submit/{proposal}") == stranger
    assert proposal_of(north) == proposal


def test_the_same_proposal_on_an_older_main_is_gone_on_with(waiting: Town) -> None:
    north = waiting.human("north")
    proposal = proposal_of(north)
    workspace = north.workspace()
    entry = Outbox.of(north.home, "heart").get(proposal)
    assert entry is not None
    waiting.join("pia")
    workspace.refresh()
    commit, verdict = _judged_alone(workspace, entry)
    sent = send_entry(workspace, entry, commit=commit, verdict=verdict)
    assert sent.id == proposal
    waiting.founder.run("merge")
    assert waiting.git("cat-file", "-e", f"main:{RESULT}") == ""


def _judged_alone(workspace: Workspace, entry: Entry) -> tuple[str, Verdict]:
    """Commit a proposal on main as if nothing of it were known to lie at its branch."""
    with mock.patch.object(Workspace, "proposals", return_value={}):
        return judge_entry(workspace, entry)


def test_a_first_push_that_comes_too_late_for_its_number_is_numbered_anew(waiting: Town) -> None:
    """Two of the committee decide at once, and the slower one has pushed nothing yet."""
    dora, emil = waiting.human("dora"), waiting.human("emil")
    stale = dora.workspace()
    workspace = emil.workspace()
    drafts = [
        one.draft
        for one in decide(workspace.view, "prioritise", [str(TREE)], member="emil", created=CREATED, priority=5)
    ]
    propose(workspace, drafts, title="Five")
    late = decide(stale.view, "prioritise", [str(TREE)], member="dora", created=CREATED, priority=7)
    with pytest.raises(Refused):
        propose(stale, [one.draft for one in late], title="Seven")
    assert "somebody else's record with this number" in dora.run("submit", code=1).out
    said = dora.run("submit", "--resume", "--yes").out
    assert "numbered anew" in said
    assert "merged" in said
