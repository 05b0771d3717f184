"""Who may say what of an association, beside the examples of its rules."""

from typing import Any

import pytest

from medperf_git.records.names import Ref
from tests.support import registry_builder as rb
from tests.support.registry_builder import NORTH, settled

from .examples import WRONG, a_dataset, after, an_event
from .judging import NOWHERE, PASS, judged, rules


@pytest.mark.parametrize("name", ["request", "approve", "withdraw"])
@pytest.mark.parametrize("side", ["owner", "committee"])
def test_an_event_about_a_benchmark_that_nobody_registered_is_refused(name: str, side: Any) -> None:
    policy: Any = {"policy": WRONG} if name == "request" else {}
    found = rules(an_event(name, "north", side=side, subject=NORTH, benchmark=NOWHERE, **policy))
    assert "reference" in found


def test_the_preparator_of_a_dataset_says_nothing_about_a_container_of_the_same_name() -> None:
    house, ref, prep = settled(), Ref("moa", "tree", 1), Ref("dora", "prep", 2)
    house.merge(house.propose(rb.cube(prep, "data-preparator")).sign("dora"))
    house.merge(a_dataset(house, ref, preparator=house.cube_reference(prep)))
    house.merge(house.propose(rb.cube(ref)).sign("moa"))
    assert an_event("request", "moa", subject=ref, kind="cube")(house).judge().findings == ()


def test_a_new_request_is_not_compared_with_what_was_asked_before() -> None:
    again = after(an_event("request", "south"), an_event("withdraw", "south"))
    assert judged(again(an_event("request", "south"))).outcome is PASS
    assert rules(again(an_event("request", "south", digest=WRONG))) == ["reference"]


def test_an_answer_to_nothing_is_only_that() -> None:
    assert rules(an_event("reject", "emil", side="committee")) == ["association-state"]


def test_what_owner_and_committee_may_say_after_an_approval() -> None:
    for example in (
        an_event("reject", "emil", side="committee", subject=NORTH),
        an_event("withdraw", "north", subject=NORTH),
        an_event("prioritise", "dora", side="committee", subject=NORTH),
    ):
        assert judged(example).outcome is PASS
    assert rules(an_event("approve", "dora", side="committee", subject=NORTH)) == ["association-state"]
