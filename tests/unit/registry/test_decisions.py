"""What the hook decides, branch by branch, in this process; `test_receive` pushes for real."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Verdict
from medperf_git.records.findings import Finding, Severity
from medperf_git.registry.bare import create_registry
from medperf_git.registry.commits import proposal_ref, submission_id
from medperf_git.registry.objects import Store
from medperf_git.registry.receive import (
    MAIN,
    STEP_AGE,
    RefUpdate,
    RefVerdict,
    judge_push,
    open_received,
    parse_updates,
)

from .hand import FILE, FOLDER, START, add, believing_git, blob, genesis, merge, moved, raw_commit, raw_tree

NOTHING = "0" * 40
PATH = "cubes/ana/model/1.yaml"
BUNDLE = PATH + ".0123456789abcdef.sigstore.json"
FILES = {PATH: b"cube\n"}
SIGNED = FILES | {BUNDLE: b"{}"}
NAME = proposal_ref(submission_id(FILES))
Judge = Callable[[Change], Verdict]


def decide(
    store: Store, old: str, new: str, ref: str, *, at: datetime = START, judge: Judge = believing_git
) -> RefVerdict:
    return judge_push(store, [RefUpdate(old, new, ref)], at=at, judge=judge)[0]


def said(verdict: RefVerdict) -> str:
    assert not verdict.accepted
    return " / ".join(f"{finding.rule} {finding.message}" for finding in verdict.findings)


@pytest.fixture
def root(store: Store) -> str:
    return moved(store, genesis(store))


def test_a_push_of_several_refs_is_decided_one_by_one(store: Store, root: str) -> None:
    head = add(store, root, FILES)
    updates = [RefUpdate(NOTHING, head, NAME), RefUpdate(NOTHING, head, "refs/tags/v1"), RefUpdate(root, head, MAIN)]
    found = judge_push(store, updates, at=START, judge=believing_git)
    assert [(one.update, one.accepted) for one in found] == list(zip(updates, (True, False, True), strict=True))
    assert "no other branch or tag" in said(found[1])


def test_nothing_is_proposed_before_there_is_a_main(store: Store) -> None:
    assert "the registry has no main yet" in said(decide(store, NOTHING, add(store, genesis(store), FILES), NAME))


def test_main_begins_with_a_genesis_of_any_age(store: Store) -> None:
    found = decide(store, NOTHING, genesis(store), MAIN, at=START + timedelta(days=900))
    assert found.accepted
    assert len(found.judgements) == 1


def test_main_is_never_deleted(store: Store, root: str) -> None:
    assert said(decide(store, root, NOTHING, MAIN)) == f"ref {MAIN}: main is never deleted"


def test_main_points_to_a_commit(store: Store, root: str) -> None:
    assert "must point to a commit" in said(decide(store, root, blob(store).hex(), MAIN))
    assert "must point to a commit" in said(decide(store, NOTHING, blob(store).hex(), NAME))


def test_main_never_goes_back(store: Store, root: str) -> None:
    later = moved(store, add(store, root, FILES))
    assert "only moves forward" in said(decide(store, later, root, MAIN))


def test_main_takes_passing_steps_and_shows_each(store: Store, root: str) -> None:
    first = add(store, root, FILES)
    found = decide(store, root, add(store, first, {"b.yaml": b"b"}, minutes=2), MAIN)
    assert found.accepted
    assert [set(one.change.added) for one in found.judgements] == [{PATH}, {"b.yaml"}]


@pytest.mark.parametrize("name", ["wait.yaml", "bad.yaml"])
def test_main_takes_nothing_but_what_passes(store: Store, root: str, name: str) -> None:
    assert "main takes nothing else" in said(decide(store, root, add(store, root, {name: b"x"}), MAIN))


def test_a_malformed_step_is_refused_with_its_finding(store: Store, root: str) -> None:
    bad = raw_commit(store, raw_tree(store), (root,), time=999_999_999_999)
    assert "git-object" in said(decide(store, root, bad, MAIN))
    assert "git-object" in said(decide(store, NOTHING, bad, NAME))


@pytest.mark.parametrize(("minutes", "accepted"), [(-11, False), (-10, True), (10, True), (11, False)])
def test_a_step_on_main_is_of_now_give_or_take_ten_minutes(
    store: Store, root: str, minutes: int, accepted: bool
) -> None:
    step = add(store, root, FILES, minutes=60 + minutes)
    found = decide(store, root, step, MAIN, at=START + timedelta(minutes=60))
    assert found.accepted is accepted
    assert accepted or "step-time" in said(found)


def test_a_mirror_may_take_old_steps(store: Store, root: str) -> None:
    step = add(store, root, FILES)
    later = START + timedelta(days=3)
    assert "claims to be old" in said(decide(store, root, step, MAIN, at=later))
    store.repository.config[STEP_AGE] = 4 * 86400
    assert decide(store, root, step, MAIN, at=later).accepted


def test_main_takes_no_step_that_changes_nothing(store: Store, root: str) -> None:
    empty = raw_commit(store, store.commit(root).tree, (root,), time=int(START.timestamp()))
    assert said(decide(store, root, empty, MAIN)).endswith("changes nothing")


def test_a_proposal_is_named_after_its_files(store: Store, root: str) -> None:
    head, other = add(store, root, FILES), proposal_ref("0" * 32)
    assert decide(store, NOTHING, head, NAME).findings == ()
    assert "not named after its files" in said(decide(store, NOTHING, head, other))


@pytest.mark.parametrize(("name", "accepted"), [("wait.yaml", True), ("bad.yaml", False)])
def test_a_proposal_may_wait_and_not_fail(store: Store, root: str, name: str, accepted: bool) -> None:
    files = {name: b"x"}
    found = decide(store, NOTHING, add(store, root, files), proposal_ref(submission_id(files)))
    assert found.accepted is accepted


def test_a_proposal_only_moves_forward(store: Store, root: str) -> None:
    old = add(store, root, FILES)
    assert "only moves forward" in said(decide(store, old, add(store, root, FILES, minutes=2), NAME))
    assert decide(store, old, add(store, old, SIGNED, minutes=2), NAME).accepted


def without_bundle(store: Store, signed: str) -> str:
    """Return a commit on top of `signed` that has the record alone."""
    tree = store.commit(add(store, genesis(store), FILES)).tree
    return raw_commit(store, tree, (signed,), time=int(START.timestamp()) + 120)


def finding_about_bundle(rule: str, severity: Severity) -> Judge:
    """Find something about the bundle where it is there."""

    def judge(change: Change) -> Verdict:
        found = (Finding(rule, "about the bundle", path=BUNDLE, severity=severity),)
        return Verdict.of((*change.faults, *(found if BUNDLE in change.added else ())))

    return judge


@pytest.mark.parametrize(
    ("rule", "severity", "accepted"),
    [
        ("signature", Severity.ERROR, True),
        ("head", Severity.ERROR, True),
        ("lookalike", Severity.WARNING, False),
    ],
)
def test_a_signature_of_others_stays_unless_it_counts_for_nothing(
    store: Store, root: str, rule: str, severity: Severity, accepted: bool
) -> None:
    signed = add(store, root, SIGNED)
    found = decide(store, signed, without_bundle(store, signed), NAME, judge=finding_about_bundle(rule, severity))
    assert found.accepted is accepted
    assert accepted or [one.path for one in found.findings] == [BUNDLE]


def test_there_must_be_something_to_delete(store: Store, root: str) -> None:
    assert "there is no such proposal" in said(decide(store, NOTHING, NOTHING, NAME))


def test_a_proposal_that_main_went_through_or_took_over_may_be_deleted(store: Store, root: str) -> None:
    head = add(store, root, FILES)
    assert "only a merged proposal" in said(decide(store, head, NOTHING, NAME))
    for main in (head, add(store, root, FILES, minutes=5), merge(store, root, head, FILES)):
        moved(store, main)
        assert decide(store, head, NOTHING, NAME).accepted


def test_a_proposal_of_which_main_has_other_bytes_or_a_part_stays(store: Store, root: str) -> None:
    head = add(store, root, FILES | {"b.yaml": b"b"})
    for main in (add(store, root, {PATH: b"other\n", "b.yaml": b"b"}), add(store, root, FILES)):
        moved(store, main)
        assert "only a merged proposal" in said(decide(store, head, NOTHING, NAME))


def test_a_proposal_of_nothing_stays(store: Store, root: str) -> None:
    empty = raw_commit(store, store.commit(root).tree, (root,))
    moved(store, add(store, root, FILES))
    assert "only a merged proposal" in said(decide(store, empty, NOTHING, NAME))


def test_a_proposal_that_removes_something_stays(store: Store, root: str) -> None:
    """Main has all that it adds, and none of it was judged."""
    folder = raw_tree(store, (FILE, b"b.yaml", blob(store, b"b")))
    head = raw_commit(store, raw_tree(store, (FOLDER, b"cubes", folder)), (root,))
    moved(store, add(store, root, {"cubes/b.yaml": b"b"}))
    assert "only a merged proposal" in said(decide(store, head, NOTHING, NAME))


def test_lines_of_the_hook_name_two_commits_and_a_ref() -> None:
    old, new = NOTHING, "1" * 40
    updates = parse_updates(f"{old} {new} {MAIN}\n{new} {old} {NAME}\n")
    assert updates == (RefUpdate(old, new, MAIN), RefUpdate(new, old, NAME))
    assert [(one.creates, one.deletes) for one in updates] == [(True, False), (False, True)]
    for line in (f"xyz {new} {MAIN}", f"{old} xyz {MAIN}", f"{old} {new} "):
        with pytest.raises(ValueError, match="pre-receive"):
            parse_updates(line)


def test_the_hook_reads_what_lies_in_quarantine_and_keeps_other_settings(store: Store, tmp_path: Path) -> None:
    root = genesis(store)
    registry = create_registry(tmp_path / "registry.git", pre_receive="#!/bin/sh\n")
    environment = {"GIT_DIR": str(registry.path), "GIT_OBJECT_DIRECTORY": str(store.path / "objects"), "LANG": "C"}
    assert open_received(environment, tmp_path).has_commit(root)
    assert environment == {"LANG": "C"}
    assert not open_received({"GIT_DIR": "registry.git"}, tmp_path).has_commit(root)
