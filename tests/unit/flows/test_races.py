"""Thresholds, co-signing and races between people, through real Git and the real hook."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.propose import Draft, Proposed, Unacceptable, next_link, propose
from medperf_git.forge.plain import PlainGit
from medperf_git.forge.port import Sent, Words
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.convert import value_of
from medperf_git.records.names import Ref
from medperf_git.registry.transport import PushOutcome
from tests.support import registry_builder as rb
from tests.support.people import Human, Town, git_environ

BENCHMARK = rb.BENCHMARK


def house_of(human: Human) -> rb.House:
    """Return the registry as this person sees it, as a factory of records."""
    view = human.workspace().view
    return rb.House({path: view.blob(path) or b"" for path, _ in view.iter_blob_ids()})


def drafts(human: Human, *records: models.Record) -> list[Draft]:
    view = human.workspace().view
    placed = []
    for record in records:
        folder = layout.expected_folder(record.KIND, value_of(record))
        if record.KIND in layout.CHAINS:
            number, previous = next_link(view, folder)
            placed.append(Draft(layout.numbered(folder, number), replace(record, previous=previous)))
        else:
            placed.append(Draft(folder, record))
    return placed


def send(human: Human, *records: models.Record, title: str = "Add records") -> Proposed:
    return propose(human.workspace(), drafts(human, *records), title=title)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with a benchmark of two committee members, and a model that asks to join it."""
    town = Town(tmp_path_factory.mktemp("town"))
    town.found("ana")
    for name in ("dora", "emil", "moa", "south"):
        town.join(name)
    dora, emil, moa = (town.people[name] for name in ("dora", "emil", "moa"))
    for ref, role in ((rb.PREPARATOR, "data-preparator"), (rb.REFERENCE, "model"), (rb.METRICS, "metrics")):
        assert send(dora, rb.cube(ref, role)).merged
    benchmark = house_of(dora).benchmark()
    proposed = send(dora, benchmark, house_of(dora).first_policy(benchmark), title="Open a benchmark")
    assert not proposed.merged
    assert "emil" in proposed.waits_for
    assert "ana" in proposed.waits_for
    emil.run("sign", proposed.id[:10], "--yes")
    assert "merged" in town.founder.run("sign", proposed.id, "--yes").out
    assert send(moa, rb.cube(rb.MODEL, "model")).merged
    ask = house_of(moa).event("request", by="moa", subject=rb.MODEL, kind="cube")
    assert send(moa, ask).merged
    return town.folder


@pytest.fixture
def town(settled: Path, tmp_path: Path) -> Town:
    """A copy of the settled town, in which everybody starts from the same state."""
    shutil.copytree(settled, tmp_path / "town", symlinks=True)
    for config in (tmp_path / "town").rglob("config.json"):
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(str(settled), str(tmp_path / "town")), encoding="utf-8")
    town = Town(tmp_path / "town")
    for name in ("ana", "dora", "emil", "moa", "south"):
        town.human(name)
    return town


def decide(human: Human, event: str) -> models.Association:
    return house_of(human).event(event, by=human.name, side="committee", subject=rb.MODEL, kind="cube")


def manually(*people: Human) -> None:
    for human in people:
        human.run("registry", "use", "heart", "--merge", "manual")


def test_two_contrary_decisions_cannot_both_be_merged_and_the_loser_is_told_what_holds(town: Town) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    manually(dora, emil)
    first = send(dora, decide(dora, "approve"), title="Approve the forest")
    second = send(emil, decide(emil, "reject"), title="Reject the forest")
    assert {first.verdict.outcome, second.verdict.outcome} == {Outcome.PASS}
    assert {first.waits_for, second.waits_for} == {"a merge"}
    dora.run("merge", first.id)
    before = town.main
    said = emil.run("merge", second.id, code=1)
    assert "number" in said.out
    assert town.main == before
    said = emil.run("submit", code=1)
    assert "submit --resume" in said.out
    said = emil.run("submit", "--resume", code=1)
    assert "no longer applies: it is now approved (approve by dora" in said.out
    assert emil.run("status", "--json").value == []


def test_git_itself_refuses_to_merge_both(town: Town) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    manually(dora, emil)
    ids = [send(dora, decide(dora, "approve")).id, send(emil, decide(emil, "reject")).id]
    clone = town.folder / "clone"
    environ = git_environ()
    subprocess.run(["git", "clone", "-q", town.url, str(clone)], check=True, env=environ)
    codes = [
        subprocess.run(
            ["git", "merge", "-q", "--no-ff", "-m", "m", f"origin/submit/{one}"],
            cwd=clone,
            env=environ,
            check=False,
            capture_output=True,
        ).returncode
        for one in ids
    ]
    assert codes == [0, 1]


def test_the_loser_of_two_equal_decisions_has_nothing_to_do(town: Town) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    manually(dora, emil)
    first = send(dora, decide(dora, "approve"))
    send(emil, replace(decide(emil, "approve"), created="2026-11-25T10:30:00Z"))
    dora.run("merge", first.id)
    said = emil.run("submit", "--resume")
    assert "nothing to do: it is already approved, by dora" in said.out


def test_what_is_not_a_decision_is_numbered_anew_and_signed_again(town: Town) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    assert send(dora, decide(dora, "approve")).merged
    manually(dora, emil)
    first = send(dora, replace(decide(dora, "prioritise"), priority=1))
    send(emil, replace(decide(emil, "prioritise"), priority=2))
    dora.run("merge", first.id)
    said = emil.run("submit", "--resume")
    assert "numbered anew and signed again" in said.out
    emil.run("merge")
    folder = layout.association_folder(BENCHMARK, "cube", rb.MODEL)
    view = emil.workspace().view
    assert [name for name in view.names(folder) if name.endswith(".yaml")] == [f"000{n}.yaml" for n in (1, 2, 3, 4)]


def test_doing_it_twice_does_nothing_twice(town: Town) -> None:
    dora = town.people["dora"]
    record = decide(dora, "approve")
    placed = drafts(dora, record)
    first = propose(dora.workspace(), placed, title="Approve")
    main = town.main
    again = propose(dora.workspace(), placed, title="Approve")
    assert (first.merged, again.merged, first.id) == (True, True, again.id)
    assert town.main == main


def test_a_lost_acknowledgement_is_harmless(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    dora = town.people["dora"]
    real = PlainGit.propose

    def lossy(self: PlainGit, copy: Path, proposal: str, commit: str, words: Words) -> None:
        real(self, copy, proposal, commit, words)
        raise EnvironmentProblem("the line broke", hint="try again")

    placed = drafts(dora, decide(dora, "approve"))
    monkeypatch.setattr(PlainGit, "propose", lossy)
    with pytest.raises(EnvironmentProblem):
        propose(dora.workspace(), placed, title="Approve")
    monkeypatch.undo()
    assert dora.run("status", "--json").value[0]["state"] == "pass"
    assert "merged" in dora.run("submit").out
    assert town.git("for-each-ref", "refs/heads/submit") == ""


def test_what_was_signed_while_the_host_was_away_is_sent_later(town: Town) -> None:
    dora = town.people["dora"]
    placed = drafts(dora, decide(dora, "approve"))
    workspace = dora.workspace()
    town.repository.rename(town.folder / "away")

    with pytest.raises(EnvironmentProblem):
        propose(workspace, placed, title="Approve")
    (town.folder / "away").rename(town.repository)
    assert dora.run("status", "--json").value[0]["state"] == "not sent"
    assert "merged" in dora.run("submit").out


def test_the_side_that_asked_cannot_approve(town: Town) -> None:
    moa = town.people["moa"]
    record = house_of(moa).event("approve", by="moa", side="owner", subject=rb.MODEL, kind="cube")
    main = town.main
    with pytest.raises(Unacceptable):
        send(moa, record)
    assert town.main == main


def test_a_dry_run_sends_and_keeps_nothing(town: Town) -> None:
    dora = town.people["dora"]
    proposed = propose(dora.workspace(), drafts(dora, decide(dora, "approve")), title="Approve", dry_run=True)
    assert (proposed.verdict.outcome, proposed.merged) == (Outcome.PASS, False)
    assert town.git("for-each-ref", "refs/heads/submit") == ""
    assert {row["state"] for row in dora.run("status", "--all", "--json").value} == {"merged"}


def test_sign_refuses_what_would_fail_whoever_signs(town: Town) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    said = emil.run("sign", "0" * 32, "--yes", code=2)
    assert "no open proposals begin with" in said.err
    newer = house_of(dora).policy_now(disclosure=models.Disclosure(min_cases=20, decimals=3, n="exact"))
    proposed = send(dora, replace(newer, created="2026-11-25T10:40:00Z"), title="Tighten")
    assert proposed.waits_for.startswith("2 committee members: emil")
    said = dora.run("sign", proposed.id, "--yes", code=1)
    assert "does not ask for your signature" in said.err
    said = town.people["moa"].run("sign", proposed.id, "--yes", code=1)
    assert "does not ask for your signature" in said.err
    assert [row["what"] for row in emil.run("inbox", "--json").value][:1] == ["sign"]
    assert "merged" in emil.run("sign", proposed.id, "--yes").out


def test_an_association_that_waits_for_the_committee_is_in_its_inbox(town: Town) -> None:
    rows = town.people["dora"].run("inbox", "--json").value
    assert [row["what"] for row in rows] == ["decide"]
    assert rows[0]["about"] == f"cube {rb.MODEL} in {BENCHMARK}"
    assert town.people["moa"].run("inbox", "--json").value == []


def test_a_merge_retries_when_somebody_else_moved_main_meanwhile(town: Town) -> None:
    dora, moa = town.people["dora"], town.people["moa"]
    stale = moa.workspace()
    assert send(dora, decide(dora, "approve")).merged
    cube = rb.cube(Ref("moa", "tree", 1), "model")
    proposed = propose(stale, [Draft(layout.cube_path(cube.ref), cube)], title="Add a tree")
    assert proposed.merged
    moa.run("audit")


def overtaken(monkeypatch: pytest.MonkeyPatch, first: Callable[[], object]) -> None:
    """Let something happen between the moment a proposal is sent and the first time its merge is."""
    real, left = PlainGit.advance, [first]

    def late(self: PlainGit, copy: Path, commit: str) -> Sent:
        if left:
            left.pop()()
        return real(self, copy, commit)

    monkeypatch.setattr(PlainGit, "advance", late)


def test_who_is_overtaken_by_a_contrary_decision_is_not_told_that_a_merge_is_waited_for(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora, emil = town.people["dora"], town.people["emil"]
    emils = drafts(emil, decide(emil, "reject"))
    overtaken(monkeypatch, lambda: propose(emil.workspace(), emils, title="Reject"))
    with pytest.raises(Unacceptable, match="others were merged first") as told:
        send(dora, decide(dora, "approve"))
    assert "submit --resume" in told.value.hint
    said = dora.run("submit", "--resume", code=1)
    assert "no longer applies: it is now rejected (reject by emil" in said.out


def test_what_somebody_else_merged_while_its_author_merged_it_is_merged(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = town.people["dora"]
    overtaken(monkeypatch, lambda: town.founder.run("merge"))
    assert send(dora, decide(dora, "approve")).merged
    assert [row["state"] for row in dora.run("status", "--all", "--json").value][-1] == "merged"


def test_who_loses_every_time_is_told_so_and_that_it_waits(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    dora = town.people["dora"]
    refused = Sent(PushOutcome.NOT_FORWARD, "fetch first")
    monkeypatch.setattr(PlainGit, "advance", lambda *_: refused)
    said = dora.run("approve", "moa/forest", "--yes")
    assert "others were merged first 20 times in a row; it waits there" in said.err
    assert "a merge" in said.out
    monkeypatch.undo()
    assert "merged" in dora.run("submit").out
    assert town.git("for-each-ref", "refs/heads/submit") == ""
