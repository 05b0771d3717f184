"""Keys, waiting periods and offices at their edges."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from medperf_git.records import layout, models
from medperf_git.records.names import MemberName
from tests.support import registry_builder as rb
from tests.support.registry_builder import House, Proposal, settled

from .examples import a_member, after, announce, recovered, retired, with_checkpoint
from .judging import FAIL, PASS, UNREADABLE, judged, rules

SOON = "2027-12-01T00:00:00Z"


def test_a_recovered_member_takes_the_day_it_was_promised() -> None:
    ready = recovered(days=14)(settled())
    assert ready.judge().outcome is PASS
    assert ready.later(ready.at - timedelta(seconds=1)).judge().outcome is FAIL


def test_a_member_that_comes_back_may_replace_its_announcement() -> None:
    ended = after(announce)(lambda house: house.propose(house.member_now("north", pending=None)).sign("north:recovery"))
    assert judged(ended).outcome is PASS


def test_who_is_no_maintainer_may_retire_where_maintainers_are_few() -> None:
    few = after(retired("cam"))
    assert judged(few(retired("north"))).outcome is PASS
    assert judged(few(retired("ben"))).outcome is FAIL


def test_a_member_may_ask_for_as_many_keys_as_it_has() -> None:
    wish = models.Cosigning(2, 2)
    assert judged(lambda house: house.propose(house.member_now("south", cosigning=wish)).sign("south")).outcome is PASS
    more = models.Cosigning(2, 3)
    assert rules(lambda house: house.propose(house.member_now("south", cosigning=more)).sign("south")) == ["cosigning"]


def test_the_key_of_the_checkpoints_is_no_members() -> None:
    published = after(with_checkpoint(rb.key("zoe:notes").key))
    assert rules(published(a_member(rb.member("zoe", keys=rb.keys("zoe:notes")), "zoe:notes"))) == ["key"]
    assert judged(published(a_member(rb.member("zoe"), "zoe", "zoe:recovery"))).outcome is PASS


@pytest.mark.parametrize("where", ["signing", "recovery", "pending"])
def test_an_end_of_a_key_is_a_time_that_exists(where: str) -> None:
    ends = replace(rb.key("zoe:3"), expires="2026-02-30T00:00:00Z")
    keys, pending = rb.keys("zoe", recovery=["zoe:recovery"]), None
    if where == "pending":
        pending = models.Keys((ends,))
    else:
        more: Any = {where: (*(getattr(keys, where) or ()), ends)}
        keys = replace(keys, **more)
    example = a_member(rb.member("zoe", keys=keys, pending=pending), "zoe", "zoe:recovery", "zoe:3")
    found = [one.pointer for one in judged(example).findings if one.rule in ("key", "schema")]
    assert [pointer.rpartition("/")[2] for pointer in found] == ["expires"]


def test_a_key_that_was_announced_is_somebodys() -> None:
    assert "key" in rules(after(announce)(a_member(rb.member("zoe", keys=rb.keys("north:3")), "north:3")))


def test_a_new_member_recovers_nothing() -> None:
    new = rb.member("zoe", recovered=models.Recovered(rb.HEAD))
    assert rules(a_member(new, "zoe", "zoe:recovery")) == ["recovery"]


def test_a_registry_may_ask_for_a_longer_wait() -> None:
    longer = after(lambda house: house.propose(house.registry_now(recovery_days=30)).sign("ana", "ben"))
    assert judged(longer(recovered(days=29))).outcome is FAIL
    assert judged(longer(recovered(days=30))).outcome is PASS


def test_only_the_maintainer_that_leaves_is_blamed() -> None:
    few = after(retired("cam"))
    both = few(
        lambda house: house.propose(
            house.member_now("ben", status="retired"), house.member_now("north", status="retired")
        )
    )
    found = [one.path for one in judged(both).findings if one.rule == "retirement"]
    assert found == [layout.member_path("ben", 2)]


def test_a_maintainer_whose_record_is_broken_does_not_stay() -> None:
    house = settled()
    house.files[layout.member_path("ben", 1)] = UNREADABLE
    assert "retirement" in {one.rule for one in retired("cam")(house).judge().findings}


def test_other_keys_than_the_announced_are_refused_for_that_alone() -> None:
    assert rules(recovered(keys=rb.keys("north:5"))) == ["recovery"]


@pytest.mark.parametrize(
    ("signing", "recovery", "refused"),
    [(SOON, None, False), (None, SOON, False), (SOON, SOON, True)],
)
def test_a_maintainer_whose_keys_all_end_does_not_stay(
    signing: str | None, recovery: str | None, refused: bool
) -> None:
    first, second = (replace(rb.key(seed), expires=end) for seed, end in (("ben", signing), ("ben:recovery", recovery)))
    ending = models.Keys((first,), (second,))
    few = after(retired("cam"))
    found = rules(few(lambda house: house.propose(house.member_now("ben", keys=ending)).sign("ben", "ben:recovery")))
    assert ("retirement" in found) is refused
    enough = rules(lambda house: house.propose(house.member_now("ben", keys=ending)).sign("ben", "ben:recovery"))
    assert enough == []


def test_a_maintainer_is_admitted_before_it_takes_office() -> None:
    def example(house: House) -> Proposal:
        names = tuple(map(MemberName, ("ana", "ben", "zoe")))
        return house.propose(house.registry_now(maintainers=names), rb.member("zoe"))

    assert {"office", "separation"} <= set(rules(example))


def test_who_stays_is_not_blamed_where_others_are_missing() -> None:
    house = settled()
    house.merge(retired("cam")(house))
    house.files[layout.member_path("ben", 1)] = UNREADABLE
    update = house.propose(house.member_now("ana", title="Ana")).sign("ana")
    assert update.judge().findings == ()
