"""Limits, house files, names and sets of rules at their edges."""

import pytest

from medperf_git.policy import form
from medperf_git.policy.case import Case
from medperf_git.policy.judge import judge
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.names import Ref
from tests.support import registry_builder as rb
from tests.support.registry_builder import NORTH, House, Proposal, settled

from .examples import (
    DATASET,
    HOUSE_FILE,
    Example,
    a_benchmark,
    a_dataset,
    a_member,
    a_notice,
    a_policy,
    a_result,
    after,
    after_result,
    an_event,
    genesis_with_extra,
    retired,
    revoking,
    rotated,
    with_house_file,
    with_limits,
)
from .judging import FAIL, PASS, UNREADABLE, judged


def test_the_limits_are_reached_and_not_passed() -> None:
    house = settled()
    files = a_result(house)
    size = sum(map(len, files.files.values()))
    assert a_result(with_limits(settled(), proposal_files=2, proposal_bytes=size)).judge().outcome is PASS
    assert a_result(with_limits(settled(), proposal_bytes=size - 1)).judge().outcome is FAIL
    joining = a_member(rb.member("zoe"), "zoe", "zoe:recovery")
    assert joining(with_limits(settled(), members=9)).judge().outcome is PASS
    assert a_dataset(with_limits(settled(), names_per_member=2), Ref("north", "clinic", 1)).judge().outcome is PASS
    longest = after_result(lambda house: a_result(with_limits(house, chain_length=2), attempt=2))
    assert judged(longest).outcome is PASS


def test_a_limit_that_is_passed_keeps_only_new_things_out() -> None:
    """Who is there goes on, and a registry record can always raise the limit."""
    house = with_limits(settled(), members=8, names_per_member=1, proposal_files=2)
    assert a_result(house).judge().outcome is PASS
    assert a_dataset(house, Ref("south", "wards", 2)).judge().outcome is PASS
    assert house.propose(house.registry_now(title="New")).sign("ana", "ben").judge().outcome is PASS
    small = with_limits(settled(), proposal_bytes=100)
    assert small.propose(small.registry_now(title="New")).sign("ana", "ben").judge().outcome is PASS


def test_a_registry_goes_on_to_newer_rules_and_never_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "NEWEST_RULES", 3)

    def findings(house: House, number: int | None) -> list[Finding]:
        change = house.propose(house.registry_now(rules=number)).change()
        return list(form.check_rule_set(Case(change)))

    house = settled()
    assert [len(findings(house, number)) for number in (None, 1, 3, 4)] == [0, 0, 0, 1]
    newer = house.propose(house.registry_now(rules=2))
    house.files |= newer.files
    assert [len(findings(house, number)) for number in (1, 2, 3)] == [1, 0, 0]


def test_house_files_stand_as_they_were_listed() -> None:
    listed = {"README.md": digest_of(HOUSE_FILE)}
    house = settled()
    house.merge(with_house_file(HOUSE_FILE, listed)(house))
    kept = house.propose(house.registry_now(title="New")).sign("ana", "ben")
    assert kept.judge().outcome is PASS
    other = digest_of(b"# Other\n")
    changed = with_house_file(b"# Other\n", {"README.md": other})(house)
    assert changed.judge().outcome is PASS


def test_a_step_may_bring_no_record_where_git_says_why() -> None:
    assert [one.rule for one in settled().propose().fault("history").judge().findings] == ["history"]


def test_records_of_a_later_version_are_named_as_such() -> None:
    (found,) = settled().propose().put("grants/x.yaml", b"x").judge().findings[-1:]
    said = {one.message for one in settled().propose().put("grants/x.yaml", b"x").judge().findings}
    assert "records of this kind come in a later version" in said, found


def test_names_of_other_owners_and_kinds_are_not_taken_for_each_other() -> None:
    for ref in (Ref("north", "ward", 1), Ref("north", "w-a-r-d", 1)):
        assert judged(lambda house, ref=ref: a_dataset(house, ref)).findings == ()
    own = a_benchmark(Ref("dora", "heart", 2))
    assert judged(own).findings == ()


def shortest(**changes: int) -> House:
    return with_limits(settled(), **{"chain_length": 1, **changes})


@pytest.mark.parametrize(
    ("example", "fits"),
    [
        (lambda house: house.propose(house.registry_now(title="New")).sign("ana", "ben"), True),
        (after(a_notice("withdraw", DATASET, "north"))(a_notice("reinstate", DATASET, "north")), True),
        (an_event("withdraw", "north", subject=NORTH), True),
        (an_event("reject", "emil", side="committee", subject=NORTH), True),
        (an_event("prioritise", "emil", side="committee", subject=NORTH), False),
        (a_policy(closes="2027-01-01T00:00:00Z"), False),
        (retired("north"), True),
        (lambda house: house.propose(house.member_now("north", title="North")).sign("north"), True),
        (lambda house: house.propose(house.member_now("north", keys=rb.keys("north"))).sign("north", "ana"), True),
        (rotated, False),
        (revoking(), True),
        (lambda house: house.propose(house.member_now("north", keys=rb.keys("north:2"), status="retired")).sign(
            "north", "north:2", "ana"
        ), True),
    ],
)  # fmt: skip
def test_in_the_longest_chain_fits_what_ends_marks_or_decides(example: Example, fits: bool) -> None:
    assert (example(shortest()).judge().outcome is PASS) is fits


def test_in_the_longest_chain_fits_a_quarantine() -> None:
    def example(house: House) -> Proposal:
        record = models.Quarantine(created=rb.CREATED, commit="ab" * 20, paths=("results/x.yaml",), reason="forged")
        return house.propose(record).sign("ana", "ben")

    house = shortest()
    house.merge(example(house))
    assert example(house).judge().outcome is PASS


def test_a_broken_member_record_in_the_longest_chain_is_no_crash() -> None:
    house = shortest()
    update = house.propose(house.member_now("north", title="North")).sign("north")
    house.files[layout.member_path("north", 1)] = UNREADABLE
    assert "limit" in {one.rule for one in update.judge().findings}


def test_a_registry_record_does_not_carry_others_past_the_limits() -> None:
    house = with_limits(settled(), proposal_files=3)
    mixed = house.propose(house.registry_now(title="New"), house.result()).sign("ana", "north")
    assert {"limit", "separation"} <= {one.rule for one in mixed.judge().findings}


def test_a_new_member_beside_an_update_counts_and_an_update_alone_does_not() -> None:
    house = with_limits(settled(), members=7)
    update = house.member_now("north", title="North")
    assert house.propose(update).sign("north").judge().outcome is PASS
    both = house.propose(update, rb.member("zoe"))
    assert "limit" in {one.rule for one in both.judge().findings}


def test_the_id_of_a_registry_is_that_of_the_record_before() -> None:
    house = settled()
    own = house.id
    proposal = house.propose().put(layout.registry_path(1), b"kind: registry\n")
    assert Case(proposal.change()).registry_id == own


def test_a_genesis_keeps_to_the_limits_and_rules_it_brings() -> None:
    small, founders = rb.genesis_records(limits=models.Limits(100, 20, 99, 3, 1_000_000))
    assert "limit" in {one.rule for one in rb.genesis(small, founders).judge().findings}
    newer, founders = rb.genesis_records(rules=3)
    assert judge(rb.genesis(newer, founders).change()).outcome is Outcome.COULD_NOT_CHECK


def test_versions_of_a_thing_may_come_together_and_the_next_one_is_named() -> None:
    one, two = (rb.cube(Ref("moa", "tree", number)) for number in (1, 2))
    house = settled()
    house.merge(house.propose(one, two).sign("moa"))
    (found,) = house.propose(rb.cube(Ref("moa", "tree", 5))).sign("moa").judge().findings
    assert found.fix == "use version 3"


def test_a_root_commit_of_nothing_is_no_genesis_and_of_too_much_none_either() -> None:
    assert [one.rule for one in House().propose().judge().findings] == ["empty", "genesis"]
    assert "genesis" in {one.rule for one in genesis_with_extra(settled()).fault("too-large").judge().findings}


def test_a_benchmark_of_a_name_of_its_own_is_shown_to_nobody() -> None:
    house = settled()
    benchmark = house.benchmark(Ref("moa", "lung", 1))
    assert (
        house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil", "moa", "ana").judge().findings
        == ()
    )


def test_a_name_that_a_maintainer_let_pass_is_not_shown_again() -> None:
    house = settled()
    first, second = (house.benchmark(Ref("moa", "hearts", number)) for number in (1, 2))
    near = house.propose(first, house.first_policy(first)).sign("dora", "emil", "moa", "ana")
    assert [one.rule for one in near.judge().findings] == ["lookalike"]
    house.merge(near)
    assert house.propose(second, house.first_policy(second)).sign("dora", "emil").judge().findings == ()


def test_only_a_new_name_of_a_thing_counts_as_a_name() -> None:
    house = with_limits(settled(), names_per_member=1)
    next_version = rb.cube(Ref("dora", "prep", 2), "data-preparator")
    assert house.propose(next_version).sign("dora").judge().findings == ()
    house.files["results/dora/lung/1/north.wards.1/moa.forest.1/0001.yaml"] = b"x"
    assert a_result(house).judge().findings == ()


def test_names_that_stand_side_by_side_already_keep_nobody_from_going_on() -> None:
    house = settled()
    house.files["datasets/south/war-ds/1.yaml"] = b"x"
    assert a_dataset(house, Ref("south", "wards", 2)).judge().findings == ()
