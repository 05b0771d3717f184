"""Who signs, and who is waited for, beside the rows of the table."""

from dataclasses import replace
from typing import Any

import pytest

from medperf_git.policy import authority, signatures
from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from tests.support import registry_builder as rb
from tests.support.registry_builder import NORTH, SOUTH, House, Proposal, settled

from .examples import (
    DATASET,
    RESULT,
    WRONG,
    a_dataset,
    a_member,
    a_notice,
    a_result,
    after,
    an_event,
    asked,
    recovered,
    retired,
)
from .judging import FAIL, PASS, UNREADABLE, broken, judged, messages, rules


def test_a_priority_is_signed_by_the_committee_whatever_side_it_names() -> None:
    assert rules(asked(an_event("prioritise", "south"))) == ["association-side", "missing-signature"]


def test_an_approval_is_signed_by_the_side_that_did_not_ask_whatever_side_it_names() -> None:
    assert rules(asked(an_event("approve", "south"))) == ["association-side", "missing-signature"]


def test_the_only_committee_member_decides_about_its_own_data() -> None:
    house, ref = settled(), Ref("emil", "own", 1)
    alone = {"committee": (MemberName("emil"),), "thresholds": models.Thresholds(1, 1)}
    house.merge(house.propose(house.policy_now(**alone)).sign("dora", "emil"))
    house.merge(a_dataset(house, ref))
    house.merge(an_event("request", "emil", subject=ref)(house))
    assert an_event("approve", "emil", side="committee", subject=ref)(house).judge().outcome is PASS


def test_a_committee_member_rejects_its_own_data_alone() -> None:
    house, ref = settled(), Ref("emil", "own", 1)
    house.merge(a_dataset(house, ref))
    house.merge(an_event("request", "emil", subject=ref)(house))
    assert an_event("reject", "emil", side="committee", subject=ref)(house).judge().outcome is PASS


def test_a_notice_about_a_member_can_be_signed_by_nobody() -> None:
    found = judged(a_notice("withdraw", "members/north/0001.yaml", "north")).findings
    assert "needs its owner, and no active members with enough keys could sign" in {one.message for one in found}


@pytest.mark.parametrize("name", ["withdraw", "dispute"])
def test_a_notice_about_nothing_is_refused_without_a_crash(name: str) -> None:
    def example(house: House) -> Proposal:
        notice = replace(house.notice("withdraw", DATASET, by="dora"), record=models.About(RESULT, WRONG))
        side = "committee" if name == "dispute" else "owner"
        return house.propose(replace(notice, event=name, side=side)).sign("dora")  # type: ignore[arg-type]

    assert "notice" in rules(example)


def test_a_key_with_an_end_that_is_no_time_never_counts() -> None:
    house = settled()
    path = layout.member_path("north", 1)
    now = house.member_now("north").keys
    ends = replace(now, signing=(replace(now.signing[0], expires="2026-02-30T00:00:00Z"),))
    house.files[path] = write_record(house.member_now("north", keys=ends))
    assert {"signature", "unsigned"} <= {one.rule for one in a_result(house).judge().findings}


def test_a_registry_whose_own_record_is_broken_takes_no_change_of_trust() -> None:
    house = settled()
    update = house.propose(house.registry_now(title="Mine")).sign("ana", "ben")
    joining = house.propose(rb.member("zoe")).sign("ana", "zoe", "zoe:recovery")
    lowered = house.propose(house.member_now("south", cosigning=None)).sign("south", "south:recovery")
    dropped = house.propose(house.member_now("north", keys=rb.keys("north"))).sign("north")
    waited = recovered()(settled())
    for proposal in (update, joining, dropped, lowered, waited):
        proposal.house.files[layout.registry_path(1)] = UNREADABLE
        assert proposal.judge().outcome is FAIL


def test_a_member_whose_own_record_is_broken_signs_nothing() -> None:
    path = layout.member_path("north", 1)
    for example in (
        a_result,
        lambda house: a_dataset(house, Ref("north", "clinic", 1)),
        lambda house: house.propose(house.member_now("north", title="North")).sign("north"),
        lambda house: house.propose(house.member_now("north", recovered=models.Recovered(rb.HEAD))).sign("north"),
        lambda house: house.propose(house.member_now("north", pending=rb.keys("north:3"))).sign("ana", "ben"),
    ):
        proposal = example(settled())
        broken(path)(proposal.house)
        assert proposal.judge().outcome is FAIL


def test_an_unsigned_record_is_only_that() -> None:
    assert rules(lambda house: house.propose(house.result())) == ["unsigned"]
    assert rules(lambda house: house.propose(house.member_now("north", title="North"))) == ["unsigned"]


def test_a_record_signed_by_what_it_brings_alone_says_so() -> None:
    example = lambda house: house.propose(house.member_now("north", keys=rb.keys("north", "eve"))).sign_as(  # noqa: E731
        "north", "eve", "members/north/0002.yaml"
    )
    assert "only keys that this record itself brings have signed it" in messages(example)
    assert "nobody whose signature counts has signed this record" in messages(
        lambda house: house.propose(house.result())
    )


def test_who_is_waited_for_is_who_could_still_sign() -> None:
    house = settled()
    trio = tuple(map(MemberName, ("dora", "emil", "moa")))
    house.merge(house.propose(house.policy_now(committee=trio)).sign("dora", "emil", "moa"))
    house.merge(retired("moa")(house))
    closing = house.policy_now(closes="2027-01-01T00:00:00Z", committee=trio[:2])
    waiting = house.propose(closing).sign("dora").judge()
    assert {one.message for one in waiting.findings} == {"waits for 2 committee members: emil"}


def test_of_one_member_with_two_keys_the_other_key_is_waited_for() -> None:
    asked_for = after(an_event("request", "south"), an_event("approve", "dora", side="committee"))
    assert messages(asked_for(lambda house: house.propose(house.result(SOUTH)).sign("south"))) == [
        "waits for the owner south with 2 of its keys: south"
    ]


def test_a_signing_key_does_not_stand_for_a_recovery_key() -> None:
    lowered = messages(lambda house: house.propose(house.member_now("south", cosigning=None)).sign("south"))
    assert [message.rpartition(": ")[2] for message in lowered] == ["south, ana, ben, cam"]


def test_two_keys_of_the_last_committee_member_do_not_make_two() -> None:
    house = settled()
    pair = tuple(map(MemberName, ("south", "emil")))
    both = house.policy_now(committee=pair, thresholds=models.Thresholds(2, 2))
    house.merge(house.propose(both).sign("dora", "emil", "south"))
    house.merge(retired("emil")(house))
    rejection = house.event("reject", by="south", side="committee", subject=NORTH)
    judgement = house.propose(rejection).sign("south", "south:2").judge()
    assert judgement.outcome is FAIL
    assert [one.got for one in judgement.findings] == ["1 that could sign"]


def test_each_signature_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    true = signatures.verify_vouch
    monkeypatch.setattr(
        signatures, "verify_vouch", lambda data, **more: seen.append(more["path"]) or true(data, **more)
    )
    assert a_member(rb.member("zoe"), "zoe", "zoe:recovery")(settled()).judge().outcome is PASS
    assert len(seen) == 3


def test_an_unreadable_dataset_is_no_twin_of_a_new_one() -> None:
    house = settled()
    house.files[DATASET] = UNREADABLE
    assert a_dataset(house, Ref("north", "clinic", 1)).judge().outcome is PASS


def test_another_committee_member_is_asked_only_about_what_a_committee_member_owns() -> None:
    example = asked(lambda house: house.propose(house.event("approve", by="dora", side="committee")))
    (found,) = judged(example).findings
    assert found.expected == "signed by a committee member and dora, in whose name it is"


def protected(*signing: str, recovery: tuple[str, ...] = (), ends: str | None = None, **changes: Any) -> models.Member:
    """Return a member with these keys, the first of which ends at a time."""
    keys = rb.keys(*signing, recovery=recovery)
    first = replace(keys.signing[0], expires=ends)
    return rb.member("north", keys=replace(keys, signing=(first, *keys.signing[1:])), **changes)


ONE, SURE = protected("a"), protected("a", recovery=("r",))
PAIR = {"cosigning": models.Cosigning(1, 2)}
BAD = models.RevokedKey(rb.key("b").key, rb.HEAD, "stolen")
SOON, LATE, NEVER = "2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z", "2026-02-30T00:00:00Z"


@pytest.mark.parametrize(
    ("old", "new", "lowered"),
    [
        (ONE, protected("a", title="North"), False),
        (ONE, protected("a", "b"), False),
        (ONE, SURE, False),
        (ONE, protected("a", status="retired"), True),
        (protected("a", status="retired"), protected("a", status="retired", title="North"), False),
        (protected("a", status="retired"), ONE, False),
        (SURE, protected("a", "b", recovery=("r",)), False),
        (SURE, protected("a", recovery=("r", "s")), True),
        (SURE, ONE, True),
        (protected("a", "b", **PAIR), protected("a", **PAIR), False),
        (protected("a", "b", **PAIR), protected("a", "b", "c", **PAIR), True),
        (protected("a", "b", **PAIR), protected("a", "b", recovery=("r",), **PAIR), True),
        (protected("a", "b", **PAIR), protected("a", "b"), True),
        (protected("a", cosigning=models.Cosigning(2, 1)), protected("a", "b", cosigning=models.Cosigning(2, 1)), True),
        (protected("a", cosigning=models.Cosigning(2, 1)), protected("a", cosigning=models.Cosigning(1, 1)), True),
        (protected("a"), protected("a", **PAIR), False),
        (protected("a", revoked=(BAD,)), protected("a", revoked=(BAD,)), False),
        (ONE, protected("a", revoked=(BAD,)), True),
        (protected("a", pending=rb.keys("p")), ONE, False),
        (protected("a", recovery=("r",), pending=rb.keys("p")), SURE, True),
        (ONE, protected("a", ends=SOON), False),
        (protected("a", ends=SOON), protected("a", ends=SOON, title="North"), False),
        (protected("a", ends=LATE), protected("a", ends=SOON), False),
        (protected("a", ends=SOON), protected("a", ends=LATE), True),
        (protected("a", ends=SOON), protected("a"), True),
        (protected("a", "b", ends=SOON), protected("b"), False),
        (protected("a", ends=SOON), protected("a", ends=NEVER), True),
        (protected("a", ends=NEVER), protected("a", ends=NEVER, title="North"), False),
        (protected("a", ends=NEVER), protected("a", ends=SOON), True),
    ],
)
def test_what_lowers_the_protection_of_a_member(old: models.Member, new: models.Member, lowered: bool) -> None:
    assert authority._lowers(old, new) is lowered


def test_a_version_without_its_benchmark_is_no_older_version() -> None:
    house = settled()
    house.files[layout.numbered(layout.policy_folder(Ref("moa", "lung", 1)), 1)] = UNREADABLE
    benchmark = house.benchmark(Ref("moa", "lung", 2))
    case = Case(house.propose(benchmark, house.first_policy(benchmark)).change())
    rows = {authority.row_of(case, stored).change for stored in case.records.values()}
    assert rows == {"new benchmark with its first policy"}


def test_a_founder_saw_no_history() -> None:
    registry, founders = rb.genesis_records()
    proposal = rb.genesis(registry, founders)
    own = f"mg1:{digest_of(proposal.files[layout.registry_path(1)])[7:]}"
    proposal.sign_as("ana", "ana", layout.registry_path(1), head=rb.HEAD, registry=own)
    assert [one.rule for one in proposal.judge().findings] == ["head"]
