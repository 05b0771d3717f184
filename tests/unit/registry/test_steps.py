from datetime import timedelta

import pytest

from medperf_git.errors import IntegrityBroken
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.registry.objects import Store
from medperf_git.registry.steps import judge_genesis, judge_proposal, judge_step
from tests.support import registry_builder as rb

from .hand import START, add, believing_git, genesis, merge, raw_commit, raw_tree, rules

CUBE = {"cubes/ana/model/1.yaml": b"cube\n"}


def test_a_merge_of_a_proposal_passes(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, {"a.yaml": b"a"}, minutes=2)
    step = judge_step(store, merge(store, main, add(store, root, CUBE), CUBE, minutes=3), judge=believing_git)
    assert step.outcome is Outcome.PASS
    assert dict(step.change.added) == CUBE
    assert step.change.at == START + timedelta(minutes=3)
    assert step.meter.objects_read > 0


def test_a_squash_and_a_fast_forward_of_one_commit_pass(store: Store) -> None:
    step = judge_step(store, add(store, genesis(store), CUBE), judge=believing_git)
    assert step.outcome is Outcome.PASS


def test_a_merge_with_more_than_its_proposal_is_refused(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, {"a.yaml": b"a"}, minutes=2)
    step = judge_step(store, merge(store, main, add(store, root, CUBE), CUBE | {"x.yaml": b"x"}), judge=believing_git)
    assert [(finding.rule, finding.path) for finding in step.findings] == [("merge-form", "x.yaml")]


def test_a_merge_with_less_than_its_proposal_is_refused(store: Store) -> None:
    root = genesis(store)
    head = add(store, root, CUBE | {"x.yaml": b"x"})
    assert rules(judge_step(store, merge(store, root, head, CUBE), judge=believing_git)) == {"merge-form"}


def test_a_merge_with_other_bytes_than_its_proposal_is_refused(store: Store) -> None:
    root = genesis(store)
    step = merge(store, root, add(store, root, CUBE), {"cubes/ana/model/1.yaml": b"evil\n"})
    assert rules(judge_step(store, step, judge=believing_git)) == {"merge-form"}


def test_a_merge_that_drops_a_record_of_main_is_refused(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, {"a.yaml": b"a"}, minutes=2)
    head = add(store, root, CUBE)
    step = raw_commit(store, store.commit(head).tree, (main, head))
    assert "append-only" in rules(judge_step(store, step, judge=believing_git))


def test_a_merge_of_an_unrelated_history_is_refused(store: Store) -> None:
    stranger = genesis(store, CUBE)
    step = merge(store, genesis(store), stranger, CUBE)
    assert "history" in rules(judge_step(store, step, judge=believing_git))


def test_a_merge_of_three_is_refused(store: Store) -> None:
    root = genesis(store)
    heads = [add(store, root, {f"{name}.yaml": b"x"}) for name in "ab"]
    step = raw_commit(store, store.commit(heads[0]).tree, (root, *heads))
    assert "merge-form" in rules(judge_step(store, step, judge=believing_git))


def test_a_step_before_its_parent_is_refused(store: Store) -> None:
    step = judge_step(store, add(store, genesis(store), CUBE, minutes=-5), judge=believing_git)
    assert rules(step) == {"step-time"}


def test_the_root_is_judged_as_a_genesis(store: Store) -> None:
    step = judge_step(store, genesis(store), judge=believing_git)
    assert step.outcome is Outcome.PASS
    assert set(step.change.added) == {"registry/0001.yaml", "members/ana/0001.yaml"}


def test_a_genesis_has_no_parent(store: Store) -> None:
    later = add(store, genesis(store), CUBE)
    assert rules(judge_genesis(store, later, judge=believing_git)) == {"merge-form"}


def test_a_malformed_commit_is_a_finding(store: Store) -> None:
    root = genesis(store)
    bad = raw_commit(store, raw_tree(store), (root,), time=999_999_999_999)
    assert rules(judge_step(store, bad, judge=believing_git)) == {"git-object"}
    assert rules(judge_proposal(store, root, bad, at=START, judge=believing_git)) == {"git-object"}


def test_a_proposal_is_judged_with_its_cost(store: Store) -> None:
    root = genesis(store)
    judged = judge_proposal(store, root, add(store, root, {"wait.yaml": b"w"}), at=START, judge=believing_git)
    assert judged.outcome is Outcome.NEEDS_PERSON
    assert judged.meter.bytes_read > 0


def test_a_judge_cannot_pass_what_git_shows_to_be_wrong(store: Store) -> None:
    root = genesis(store)
    bad = add(store, root, {"members/ana/0001.yaml": b"changed\n"})
    with pytest.raises(IntegrityBroken):
        judge_step(store, bad, judge=lambda _: Verdict.of(()))


def test_a_step_at_the_very_time_of_its_parent_passes(store: Store) -> None:
    assert judge_step(store, add(store, genesis(store), CUBE, minutes=0), judge=believing_git).findings == ()


@pytest.mark.parametrize(("minutes", "found"), [(10, set()), (11, {"step-time"})])
def test_a_proposal_is_at_most_ten_minutes_ahead(store: Store, minutes: int, found: set[str]) -> None:
    root = genesis(store)
    head = add(store, root, CUBE, minutes=minutes)
    assert rules(judge_proposal(store, root, head, at=START, judge=believing_git)) == found


def test_a_step_that_changes_nothing_passes_unless_its_form_is_wrong(store: Store) -> None:
    root = genesis(store, rb.founded().files)
    tree, start = store.commit(root).tree, int(START.timestamp())
    assert judge_step(store, raw_commit(store, tree, (root,), time=start)).outcome is Outcome.PASS
    assert "step-time" in rules(judge_step(store, raw_commit(store, tree, (root,), time=start - 1)))


def test_a_merge_says_on_which_side_a_file_is_alone(store: Store) -> None:
    root = genesis(store)
    step = judge_step(store, merge(store, root, add(store, root, CUBE), {"x.yaml": b"x"}), judge=believing_git)
    messages = {finding.path: finding.message for finding in step.findings}
    assert messages["x.yaml"].endswith("see the merge")
    assert messages["cubes/ana/model/1.yaml"].endswith("see the proposal")


def test_what_proposal_and_merge_both_show_is_said_once(store: Store) -> None:
    root = genesis(store)
    head = add(store, root, {"members/ana/0001.yaml": b"changed\n"})
    step = judge_step(store, merge(store, root, head, {"members/ana/0001.yaml": b"changed\n"}), judge=believing_git)
    assert [finding.rule for finding in step.findings] == ["append-only"]


def test_all_files_of_a_proposal_name_it_also_those_that_main_has(store: Store) -> None:
    root = genesis(store)
    main = add(store, root, CUBE, minutes=2)
    judged = judge_proposal(
        store, main, add(store, root, CUBE | {"b.yaml": b"b"}, minutes=3), at=START, judge=believing_git
    )
    assert set(judged.files) == {*CUBE, "b.yaml"}
    assert set(judged.change.added) == {"b.yaml"}
    step = judge_step(store, main, judge=believing_git)
    assert step.files == step.change.added
