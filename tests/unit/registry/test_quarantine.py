"""Who may set an invalid step aside, and what of it: real records in real commits, the real judge."""

from collections.abc import Mapping

import pytest

from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.names import MemberName
from medperf_git.records.record import write_record
from medperf_git.registry.objects import Store
from medperf_git.registry.quarantine import quarantine_in
from medperf_git.registry.steps import judge_proposal, judge_step
from medperf_git.registry.sync import audit
from tests.support import registry_builder as rb

from .hand import add, genesis

ZOE = layout.member_path("zoe", 1)
FORGED = {ZOE: write_record(rb.member("zoe"))}
SET_ASIDE = layout.numbered(layout.QUARANTINE, 1)
UNREADABLE = {SET_ASIDE: b"kind: quarantine\n"}


@pytest.fixture
def root(store: Store) -> str:
    return genesis(store, rb.founded().files)


@pytest.fixture
def forged(store: Store, root: str) -> str:
    return add(store, root, FORGED)


def setting_aside(commit: str, *paths: str, head: str, by: tuple[str, ...] = ("ana", "ben")) -> dict[str, bytes]:
    """Return a quarantine record with its signatures."""
    record = models.Quarantine(created=rb.CREATED, commit=commit, paths=tuple(sorted(paths)), reason="forged")
    return dict(rb.founded().propose(record).sign(*by, head=head).files)


def healed(store: Store, forged: str, files: Mapping[str, bytes], *, root: str) -> tuple[str, ...]:
    """Return what is set aside by a step that adds these files."""
    return quarantine_in(store, add(store, forged, files, minutes=2), about=forged, valid=root)


def test_the_threshold_of_maintainers_sets_a_forged_step_aside(store: Store, root: str, forged: str) -> None:
    assert healed(store, forged, setting_aside(forged, ZOE, head=root), root=root) == (ZOE,)


def test_what_else_the_same_step_holds_changes_nothing(store: Store, root: str, forged: str) -> None:
    more = {"README.md": b"x", "registry/0002.yaml": b"x", layout.numbered(layout.QUARANTINE, 2): b"x"}
    assert healed(store, forged, setting_aside(forged, ZOE, head=root) | more, root=root) == (ZOE,)


def test_one_maintainer_or_nobody_sets_nothing_aside(store: Store, root: str, forged: str) -> None:
    for by in (("ana",), ("zoe",), ()):
        assert healed(store, forged, setting_aside(forged, ZOE, head=root, by=by), root=root) == ()


def test_keys_that_the_invalid_step_brought_set_nothing_aside(store: Store, root: str) -> None:
    mine = rb.founded().propose(rb.founded().registry_now(maintainers=(MemberName("zoe"),), threshold=1))
    forged = add(store, root, FORGED | mine.files)
    record = setting_aside(forged, ZOE, mine.path, head=root, by=("zoe",))
    assert healed(store, forged, record, root=root) == ()


def test_a_record_about_another_step_or_none_sets_nothing_aside(store: Store, root: str, forged: str) -> None:
    for files in (setting_aside(root, ZOE, head=root), UNREADABLE, {"README.md": b"x"}):
        assert healed(store, forged, files, root=root) == ()
    assert quarantine_in(store, root, about=forged, valid=root) == ()


@pytest.mark.parametrize("paths", [(ZOE, "registry/0001.yaml"), ("registry/0001.yaml",)])
def test_a_record_that_names_other_paths_sets_nothing_aside(
    store: Store, root: str, forged: str, paths: tuple[str, ...]
) -> None:
    assert healed(store, forged, setting_aside(forged, *paths, head=root), root=root) == ()


def test_a_walk_goes_on_after_what_was_set_aside(store: Store, root: str, forged: str) -> None:
    assert audit(store, forged).stopped is not None
    tip = add(store, forged, setting_aside(forged, ZOE, head=root), minutes=2)
    report = audit(store, tip)
    assert (report.stopped, report.set_aside) == (None, (forged,))


def found(store: Store, base: str, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return what is said about quarantine in a proposal, and where."""
    judgement = judge_proposal(store, base, add(store, base, files, minutes=2), at=rb.AT)
    assert judgement.outcome in (Outcome.PASS, Outcome.FAIL)
    return [(one.pointer, one.message) for one in judgement.findings if one.rule == "quarantine"]


def test_an_invalid_step_may_be_named_with_what_it_added(store: Store, root: str, forged: str) -> None:
    assert found(store, forged, setting_aside(forged, ZOE, head=root)) == []


def test_only_a_step_of_main_can_be_set_aside(store: Store, root: str, forged: str) -> None:
    aside = add(store, root, FORGED, minutes=7)
    for commit in (aside, "ab" * 20, root):
        files = setting_aside(commit, ZOE, head=root)
        assert found(store, forged, files) == [("/commit", "this is no step of main")]


def test_a_valid_step_cannot_be_set_aside(store: Store, root: str) -> None:
    joining = rb.founded().propose(rb.member("zoe")).sign("ana", "zoe", "zoe:recovery", head=root)
    valid = add(store, root, joining.files)
    assert judge_step(store, valid).outcome is Outcome.PASS
    said = found(store, valid, setting_aside(valid, *joining.files, head=root))
    assert said == [("/commit", "this step is valid, and what it added stays")]


def test_a_step_that_changed_a_record_is_not_set_aside(store: Store, root: str) -> None:
    path = layout.member_path("ana", 1)
    changed = add(store, root, {path: b"changed\n"})
    said = found(store, changed, setting_aside(changed, path, head=root))
    assert said == [("/commit", "this step changed or removed what was merged")]


def test_all_paths_of_the_step_are_named_and_no_other(store: Store, root: str, forged: str) -> None:
    said = found(store, forged, setting_aside(forged, "members/zed/0001.yaml", head=root))
    assert said == [("/paths", "these are not the paths that the step added")]


def test_an_unreadable_quarantine_record_is_refused_as_such(store: Store, forged: str) -> None:
    judgement = judge_proposal(store, forged, add(store, forged, UNREADABLE, minutes=2), at=rb.AT)
    assert {one.rule for one in judgement.findings} == {"spec"}
