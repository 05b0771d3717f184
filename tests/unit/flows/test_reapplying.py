"""What becomes of one record when others were merged first, field by field and kind by kind."""

from dataclasses import replace
from typing import Any

import pytest

from medperf_git.flows.propose import Draft, next_link
from medperf_git.flows.reapplying import Became, Fate, fate_of
from medperf_git.records import layout, models
from medperf_git.records.convert import value_of
from medperf_git.records.digests import digest_of
from medperf_git.records.folds import member_state, policy_state, registry_state
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from tests.support.flows_world import BOB, CLINIC, World, world

BENCHMARK = Ref("ana", "cells", 1)
COMMIT = "ab" * 20


@pytest.fixture
def made() -> World:
    made = world()
    made.benchmark()
    return made


def policy(made: World) -> models.Policy:
    found = policy_state(made.view, BENCHMARK)
    assert found is not None
    return found


def following(made: World, record: Any) -> Draft:
    """Return a record as the next of its chain, in the state of now."""
    folder = layout.expected_folder(record.KIND, value_of(record))
    number, previous = next_link(made.view, folder)
    return Draft(layout.numbered(folder, number), replace(record, previous=previous))


def fate(made: World, draft: Draft) -> Fate:
    return fate_of(made.view, draft.path, write_record(draft.record))


def both(made: World, theirs: Any, mine: Any) -> Fate:
    """Return the fate of mine when theirs, made on the same state, was merged first."""
    drafts = [following(made, one) for one in (theirs, mine)]
    made.put(drafts[0])
    return fate(made, drafts[1])


def test_what_keeps_its_place_goes_on_and_what_stands_needs_nothing(made: World) -> None:
    draft = following(made, replace(policy(made), closes="2026-12-31T00:00:00Z"))
    assert fate(made, draft).became is Became.KEPT
    made.put(draft)
    assert fate(made, draft).became is Became.STANDS


def test_different_fields_of_a_whole_state_are_laid_over_each_other(made: World) -> None:
    now = policy(made)
    theirs = replace(now, closes="2026-12-31T00:00:00Z", thresholds=models.Thresholds(1, 2))
    mine = replace(now, opens="2026-12-01T00:00:00Z", disclosure=replace(now.disclosure, min_cases=20))
    said = both(made, theirs, mine)
    assert (said.became, said.asks) == (Became.PLACED, True)
    assert said.draft is not None
    assert said.draft.path.endswith("/policy/0003.yaml")
    merged = said.draft.record
    assert isinstance(merged, models.Policy)
    assert (merged.closes, merged.opens, merged.thresholds.events, merged.disclosure.min_cases) == (
        "2026-12-31T00:00:00Z",
        "2026-12-01T00:00:00Z",
        2,
        20,
    )
    made.put(said.draft)


def test_the_same_change_twice_says_that_it_stands(made: World) -> None:
    mine = replace(policy(made), closes="2026-12-31T00:00:00Z")
    said = both(made, replace(mine, opens="2026-12-01T00:00:00Z"), replace(mine, created="2026-11-25T10:00:01Z"))
    assert (said.became, said.draft) == (Became.STANDS, None)


@pytest.mark.parametrize(
    ("theirs", "mine", "field"),
    [
        ({"closes": "2026-12-31T00:00:00Z"}, {"closes": "2027-12-31T00:00:00Z"}, "closes"),
        ({"committee": (BOB,)}, {"committee": (BOB, CLINIC)}, "committee"),
        ({"disclosure": models.Disclosure(20, 3, "exact")}, {"disclosure": models.Disclosure(30, 2, "exact")}, "cases"),
    ],
)
def test_one_field_changed_by_two_is_named_and_refused(made: World, theirs: Any, mine: Any, field: str) -> None:
    said = both(made, replace(policy(made), **theirs), replace(policy(made), **mine))
    assert said.became is Became.LAPSED
    assert said.note.startswith("no longer applies: you and ")
    assert field in said.note
    assert "decimals" not in said.note


def test_a_key_that_was_given_up_meanwhile_does_not_come_back_with_a_new_title(made: World) -> None:
    now = member_state(made.view, "bob")
    assert now is not None
    other = models.KeyEntry("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43)
    said = both(made, replace(now, keys=models.Keys((other,))), replace(now, title="Bob's laboratory"))
    assert said.draft is not None
    merged = said.draft.record
    assert isinstance(merged, models.Member)
    assert (merged.keys.signing, merged.title) == ((other,), "Bob's laboratory")


def test_a_field_that_i_took_away_stays_away(made: World) -> None:
    now = replace(policy(made), closes="2026-12-31T00:00:00Z")
    made.put(following(made, now))
    now = policy(made)
    said = both(made, replace(now, opens="2026-12-01T00:00:00Z"), replace(now, closes=None))
    assert said.draft is not None
    assert isinstance(said.draft.record, models.Policy)
    assert (said.draft.record.closes, said.draft.record.opens) == (None, "2026-12-01T00:00:00Z")


def test_house_files_of_two_registry_records_are_both_listed(made: World) -> None:
    now = registry_state(made.view)
    assert now is not None
    now = replace(now, genesis=None)
    readme, licence = digest_of(b"readme"), digest_of(b"licence")
    said = both(made, replace(now, house_files={"LICENSE": licence}), replace(now, house_files={"README.md": readme}))
    assert said.draft is not None
    assert isinstance(said.draft.record, models.Registry)
    assert said.draft.record.house_files == {"LICENSE": licence, "README.md": readme}


def test_what_has_no_valid_form_together_lapses(made: World) -> None:
    theirs = replace(policy(made), committee=(CLINIC,))
    said = both(made, theirs, replace(policy(made), thresholds=models.Thresholds(2, 2)))
    assert said.became is Became.LAPSED
    assert "has no valid form" in said.note


def test_a_set_aside_step_is_set_aside_once(made: World) -> None:
    def aside(commit: str, *paths: str) -> models.Quarantine:
        return models.Quarantine(created="2026-11-25T10:00:00Z", commit=commit, paths=paths, reason="forged")

    paths = ("members/bob/0001.yaml", "members/clinic/0001.yaml")
    assert both(made, aside(COMMIT, *paths), aside(COMMIT, paths[0])).became is Became.STANDS
    said = both(made, aside("cd" * 20, paths[0]), aside("ef" * 20, paths[1]))
    assert (said.became, said.asks) == (Became.PLACED, True)
    assert "cdcdcdcdcdcd set aside" in said.note


def test_a_version_that_was_taken_is_told(made: World) -> None:
    path = "cubes/bob/tree/1.yaml"
    made.cube(BOB, "tree")
    mine = made.files[path].replace(b"title: tree", b"title: other")
    assert mine != made.files[path]
    said = fate_of(made.view, path, mine)
    assert said.became is Became.LAPSED
    assert "becomes the next version" in said.note


def test_what_cannot_be_read_any_more_is_told(made: World) -> None:
    assert fate_of(made.view, "members/bob/0002.yaml", b"kind: member\nspec: 99\n").became is Became.LAPSED
