"""Refused by the check of the command line, by a push to submit/*, and by two forms of push to main."""

import subprocess
from pathlib import Path

import pytest

from medperf_git.flows.outbox import Outbox
from medperf_git.flows.propose import Unacceptable
from tests.support import registry_builder as rb
from tests.support.people import Town
from tests.support.registry_builder import MODEL, NORTH, SOUTH
from tests.support.story import RESULT, Clone, send
from tests.support.story_attacks import ROWS, Row, ask


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
def test_refused_by_check_by_a_push_to_its_branch_and_by_pushes_to_main(town: Town, tmp_path: Path, row: Row) -> None:
    row.before(town)
    clone = Clone.of(town, tmp_path / "clone")
    commit = clone.commit(row.files(clone.house, clone.main))
    refuse_everywhere(clone, commit, rule=row.rule, where=row.where)


def refuse_everywhere(clone: Clone, commit: str, *, rule: str, where: str = "") -> None:
    standing = clone.refs()
    told = clone.town.human("north").run(
        "check", "--repo", clone.folder, "--base", "main", "--head", commit, "--json", code=1
    )
    found = [finding for finding in told.value["findings"] if finding["rule"] == rule]
    assert told.value["verdict"] == "fail", told.out
    assert found, told.out
    for finding in found:
        assert len(finding["message"].split()) > 2, finding
        assert finding["fix"], finding
    assert any(where in f"{finding['path']}{finding.get('pointer', '')}" for finding in found), found
    for what, ref in ((commit, clone.branch_of(commit)), (commit, "refs/heads/main")):
        refused_clearly(clone.push(what, ref), rule, where)
        assert clone.refs() == standing
    refused_clearly(clone.push(clone.merged(commit), "refs/heads/main"), rule, where)
    assert clone.refs() == standing


def refused_clearly(done: subprocess.CompletedProcess[str], rule: str, where: str) -> None:
    assert done.returncode != 0
    assert f"[{rule}]" in done.stderr, done.stderr
    assert "fix: " in done.stderr, done.stderr
    assert "pre-receive hook declined" in done.stderr
    if where and not where.startswith("/"):
        assert where in done.stderr.replace("\nremote: ", ""), done.stderr
    assert "Traceback" not in done.stderr


def test_a_valid_result_replayed_into_a_second_registry_with_the_same_members_is_refused(
    town: Town, beside: Town, tmp_path: Path
) -> None:
    first = Clone.of(town, tmp_path / "first")
    second = Clone.of(beside, tmp_path / "second")
    files = {path: data for path, data in first.house.files.items() if path.startswith(RESULT)}
    assert len(files) == 2
    refuse_everywhere(second, second.commit(files), rule="signature", where=RESULT)
    fresh = second.house
    again = fresh.propose(fresh.result()).sign("north", head=second.main)
    assert again.files[RESULT] == files[RESULT], "the two registries must differ in nothing the record says"
    good = second.commit(dict(again.files))
    assert second.push(good, second.branch_of(good)).returncode == 0, "signed for this registry it is fine"


def test_the_refusal_of_a_replay_names_both_registries(town: Town, beside: Town, tmp_path: Path) -> None:
    first, second = Clone.of(town, tmp_path / "first"), Clone.of(beside, tmp_path / "second")
    commit = second.commit({path: data for path, data in first.house.files.items() if path.startswith(RESULT)})
    said = second.push(commit, second.branch_of(commit)).stderr.replace("\nremote: ", "")
    assert first.house.id in said
    assert second.house.id in said


def test_what_passes_is_taken_in_the_same_ways(town: Town, tmp_path: Path) -> None:
    clone = Clone.of(town, tmp_path / "clone")
    for model in (MODEL, rb.REFERENCE):
        house = clone.house
        changes = {"attempt": 2} if model == MODEL else {}
        commit = clone.commit(house.propose(house.result(NORTH, model, **changes)).sign("north", head=clone.main).files)
        branch = clone.branch_of(commit)
        assert clone.push(commit, branch).returncode == 0
        onto_main = clone.merged(commit) if model == MODEL else commit
        done = clone.push(onto_main, "refs/heads/main")
        assert done.returncode == 0, done.stderr
        assert clone.push("", branch).returncode == 0
        clone.git("fetch", "-q", "origin")
        assert town.main == onto_main == clone.main
        assert branch not in clone.refs()
    assert len(town.human("east").run("result", "ls", "--json").value) == 3


SENT = {
    "not-approved": ("south", lambda house: house.result(SOUTH)),
    "undeclared-metric": ("north", lambda house: house.result(attempt=2, values=rb.values(f1=rb.value("0.5")))),
    "range": ("north", lambda house: house.result(attempt=2, values=rb.values(auroc=rb.value("1.2")))),
    "signature": ("east", lambda house: house.result(attempt=2)),
    "attempt": ("north", lambda house: house.result(attempt=1, created="2026-11-25T10:00:01Z")),
}


@pytest.mark.parametrize("rule", SENT)
def test_the_flow_that_submits_refuses_and_sends_and_keeps_nothing(town: Town, clone: Clone, rule: str) -> None:
    name, record = SENT[rule]
    human, standing = town.human(name), clone.refs()
    kept = {entry.id for entry in Outbox.of(human.home, "heart").entries()}
    with pytest.raises(Unacceptable) as refused:
        send(human, record(clone.house))
    assert rule in {finding.rule for finding in refused.value.findings}
    assert all(finding.fix for finding in refused.value.findings)
    assert clone.refs() == standing
    assert {entry.id for entry in Outbox.of(human.home, "heart").entries()} == kept


def test_the_command_approve_refuses_the_side_that_asked_before_anything_is_sent(town: Town, clone: Clone) -> None:
    ask(town)
    standing = clone.refs()
    said = town.human("south").run("approve", "south/wards", "--yes", code=1)
    assert "do now: " in said.err
    assert clone.refs() == standing


def test_a_branch_whose_name_does_not_fit_its_files_is_refused_and_told_the_right_one(clone: Clone) -> None:
    commit = clone.commit(clone.house.propose(clone.house.result(attempt=2)).sign("north", head=clone.main).files)
    said = clone.push(commit, f"refs/heads/submit/{'0' * 32}")
    refused_clearly(said, "proposal-id", "")
    assert clone.branch_of(commit).removeprefix("refs/heads/") in said.stderr


def test_a_result_on_an_old_main_whose_number_was_taken_since_is_refused(clone: Clone) -> None:
    house, old = clone.house, clone.git("rev-parse", "origin/main~1")
    other = house.propose().add(house.result(values=rb.values(auroc=rb.value("0.99"))), path=RESULT, link=False)
    commit = clone.commit(other.sign("north", head=old).files, base=old)
    standing = clone.refs()
    refused_clearly(clone.push(commit, clone.branch_of(commit)), "number-taken", RESULT)
    assert clone.push(commit, "refs/heads/main").returncode != 0
    assert clone.refs() == standing


def test_several_commits_at_once_reach_main_only_when_each_passes_alone(clone: Clone) -> None:
    house = clone.house
    proposal = house.propose(house.result(attempt=2)).sign("north", head=clone.main)
    record = {path: data for path, data in proposal.files.items() if path.endswith(".yaml")}
    unsigned = clone.commit(record, message="The record")
    whole = clone.commit(dict(proposal.files), base=unsigned, message="Its signature")
    standing = clone.refs()
    refused_clearly(clone.push(whole, "refs/heads/main"), "unsigned", "")
    assert clone.refs() == standing
    assert clone.push(clone.merged(whole), "refs/heads/main").returncode == 0


def test_a_merge_that_smuggles_another_file_in_is_refused(clone: Clone) -> None:
    house = clone.house
    good = house.propose(house.result(attempt=2)).sign("north", head=clone.main)
    more = house.propose(house.dataset(rb.Ref("north", "clinic", 1))).sign("north", head=clone.main)
    proposal = clone.commit(dict(good.files))
    smuggled = clone.commit(good.files | more.files)
    tree = f"{smuggled}^{{tree}}"
    merge = clone.git("commit-tree", tree, "-p", clone.main, "-p", proposal, "-m", "Merge")
    refused_clearly(clone.push(merge, "refs/heads/main"), "merge-form", "")


def test_a_merge_with_its_parents_swapped_is_no_step_forward(clone: Clone) -> None:
    good = clone.house.propose(clone.house.result(attempt=2)).sign("north", head=clone.main)
    commit = clone.commit(dict(good.files))
    swapped = clone.git("commit-tree", f"{commit}^{{tree}}", "-p", commit, "-p", clone.main, "-m", "Merge")
    standing = clone.refs()
    assert clone.push(swapped, "refs/heads/main").returncode != 0 or clone.git("rev-parse", f"{swapped}^") == commit
    assert clone.refs() == standing


def test_a_step_from_the_future_is_refused(clone: Clone) -> None:
    good = clone.house.propose(clone.house.result(attempt=2)).sign("north", head=clone.main)
    clone.commit(dict(good.files))
    clone.git("commit", "--amend", "-q", "-m", "Late", env={"GIT_COMMITTER_DATE": "2099-01-01T00:00:00Z"})
    refused_clearly(clone.push(clone.git("rev-parse", "HEAD"), "refs/heads/main"), "step-time", "")
