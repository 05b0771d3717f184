"""Conditions inside the rules that no example of a rule shows alone: the edge, the other side, the missing record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from medperf_git.policy import form, signatures
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.findings import Finding
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import write_record
from tests.support import registry_builder as rb
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH, SOUTH, House, Proposal, settled

from .examples import (
    DATASET,
    HOUSE_FILE,
    RESULT,
    SECOND,
    WRONG,
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
    announce,
    asked,
    recovered,
    retired,
    revoking,
    rotated,
    with_checkpoint,
    with_disclosure,
    with_house_file,
    with_limits,
)

PASS, WAITS, FAIL = Outcome.PASS, Outcome.NEEDS_PERSON, Outcome.FAIL
UNREADABLE = b"kind: nothing\n"
NOWHERE = models.Reference(Ref("dora", "none-such", 1), WRONG)


def judged(example: Example) -> Verdict:
    return example(settled()).judge()


def rules(example: Example) -> list[str]:
    return sorted({finding.rule for finding in judged(example).findings})


def messages(example: Example) -> list[str]:
    return [finding.message for finding in judged(example).findings]


def broken(*paths: str) -> Example:
    """Return the step that makes merged records unreadable, as a host could around the hook."""

    def step(house: House) -> Proposal:
        for path in paths:
            house.files[path] = UNREADABLE
        return Proposal(house)

    return step


# --- associations


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


# --- who signs


def test_a_priority_is_signed_by_the_committee_whatever_side_it_names() -> None:
    assert rules(asked(an_event("prioritise", "south"))) == ["association-side", "missing-signature"]


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


# --- form


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


def test_a_registry_goes_on_to_newer_rules_and_never_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "NEWEST_RULES", 3)

    def findings(house: House, number: int | None) -> list[Finding]:
        change = house.propose(house.registry_now(rules=number)).change()
        return list(form.check_rule_set(form.Case(change)))

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


# --- people


def test_a_recovered_member_takes_the_day_it_was_promised() -> None:
    ready = recovered(days=14)(settled())
    assert ready.judge().outcome is PASS
    assert ready.later(ready.at - timedelta(seconds=1)).judge().outcome is FAIL


def test_a_member_that_comes_back_may_replace_its_announcement() -> None:
    ended = after(announce)(lambda house: house.propose(house.member_now("north", pending=None)).sign("north"))
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


# --- results and values


def test_a_result_needs_the_very_bytes_of_the_dataset_that_was_approved() -> None:
    other = models.Reference(NORTH, WRONG)
    found = messages(lambda house: house.propose(replace(house.result(), dataset=other)).sign("north"))
    assert "the dataset north/wards@1 is not approved for dora/heart@1" in found


def test_times_of_an_opening_count_only_where_they_are_given() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    late = after(a_policy(closes="2026-11-25T00:00:00Z"))(a_result)(settled())
    assert late.later(at).judge().outcome is PASS
    assert late.later(at + timedelta(seconds=1)).judge().outcome is FAIL


def test_limits_of_a_site_that_are_looser_than_the_benchmarks_change_nothing() -> None:
    house, ref = settled(), Ref("south", "clinic", 1)
    house.merge(a_dataset(house, ref, disclosure=models.SiteDisclosure(min_cases=1, decimals=4)))
    rb.join(house, ref)
    for entry in (rb.value("0.9", n=9), rb.value("0.9123")):
        values = rb.values(auroc=entry)
        assert house.propose(house.result(ref, values=values)).sign("south", "south:2").judge().outcome is FAIL


def test_the_same_limits_again_loosen_nothing() -> None:
    assert judged(with_disclosure()).outcome is PASS


BENCHMARK_FILE = layout.benchmark_path(BENCHMARK)


@pytest.mark.parametrize("path", [BENCHMARK_FILE, layout.numbered(layout.policy_folder(BENCHMARK), 1), DATASET])
def test_what_rests_on_an_unreadable_record_is_refused_without_a_crash(path: str) -> None:
    for example in (
        a_result,
        after_result(lambda house: a_result(house, attempt=2)),
        an_event("request", "south"),
        an_event("approve", "dora", side="committee"),
        an_event("reject", "dora", side="committee", subject=NORTH),
        a_benchmark(SECOND),
        a_notice("withdraw", BENCHMARK_FILE, "dora", sign=("dora", "emil")),
        a_policy(closes="2027-01-01T00:00:00Z"),
    ):
        proposal = example(settled())
        broken(path)(proposal.house)
        assert proposal.judge().outcome in (PASS, WAITS, FAIL)


# --- notices


def by_maintainers(event: Any, about: str) -> Example:
    return a_notice(event, about, "ana", side="maintainers", sign=("ana", "ben"))


def test_what_maintainers_withdrew_and_gave_back_its_owner_may_withdraw() -> None:
    back = after(by_maintainers("withdraw", DATASET), by_maintainers("reinstate", DATASET))
    assert judged(back(a_notice("withdraw", DATASET, "north"))).outcome is PASS
    again = after(
        by_maintainers("withdraw", DATASET),
        by_maintainers("reinstate", DATASET),
        a_notice("withdraw", DATASET, "north"),
    )
    assert judged(again(a_notice("reinstate", DATASET, "north"))).outcome is PASS


def test_a_dispute_in_between_gives_an_owner_back_nothing() -> None:
    disputed = after(
        a_result, by_maintainers("withdraw", RESULT), a_notice("dispute", RESULT, "dora", side="committee")
    )
    said = messages(disputed(a_notice("reinstate", RESULT, "north")))
    assert "what maintainers withdrew only they reinstate" in said
    assert judged(disputed(by_maintainers("reinstate", RESULT))).outcome is PASS


def test_a_committee_resolves_what_it_disputed() -> None:
    disputed = after(a_result, a_notice("dispute", RESULT, "dora", side="committee"))
    assert judged(disputed(a_notice("resolve", RESULT, "emil", side="committee"))).outcome is PASS
    assert "notice" in rules(disputed(a_notice("dispute", RESULT, "emil", side="committee")))
    assert "notice" in rules(after_result(a_notice("resolve", RESULT, "emil", side="committee")))


@pytest.mark.parametrize(
    ("event", "about", "by", "side"),
    [
        ("withdraw", layout.cube_path(MODEL), "moa", "owner"),
        ("withdraw", DATASET, "north", "owner"),
        ("withdraw", RESULT, "north", "owner"),
        ("withdraw", layout.benchmark_path(BENCHMARK), "emil", "owner"),
        ("withdraw", RESULT, "cam", "maintainers"),
        ("dispute", RESULT, "emil", "committee"),
    ],
)
def test_a_notice_speaks_for_its_side_and_for_no_other(event: Any, about: str, by: str, side: Any) -> None:
    def found(name: str) -> list[str]:
        example = after_result(lambda house: house.propose(house.notice(event, about, by=name, side=side)))
        return [one.pointer for one in judged(example).findings if one.rule == "notice"]

    assert found(by) == []
    assert found("south") == ["/by"]


# --- values and numbers of cases


def reading(**changes: models.MetricValue | None) -> list[str]:
    return rules(lambda house: a_result(house, values=rb.values(**changes)))


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (rb.value("0"), []),
        (rb.value("1"), []),
        (rb.value("0.1", sd=Decimal(0)), []),
        (rb.value("0.1", sd=Decimal(1)), []),
        (rb.value("-0.1"), ["range"]),
        (rb.value("1.1"), ["range"]),
        (rb.value("0.1", sd=Decimal("1.1")), ["range"]),
        (models.MetricValue(n=0, n_failed=60), []),
        (models.MetricValue(n_failed=60), []),
        (models.MetricValue(n_undefined=60), []),
        (models.MetricValue(n_failed=61), ["cases"]),
        (models.MetricValue(n_undefined=61), ["cases"]),
        (models.MetricValue(n=9), []),
        (models.MetricValue(n=10), ["missing-metric"]),
        (models.MetricValue(absent="failed"), ["missing-metric"]),
        (models.MetricValue(n=60, absent="held-back"), ["missing-metric"]),
        (models.MetricValue(sd=Decimal("0.1"), n_failed=50), ["cases"]),
        (models.MetricValue(sd=Decimal("0.1"), n=50, n_failed=10), []),
        (models.MetricValue(sd=Decimal("0.1"), n=50, n_failed=10, absent="failed"), ["cases"]),
    ],
)
def test_an_entry_of_a_result_is_found_right_or_wrong(entry: models.MetricValue, found: list[str]) -> None:
    assert reading(brier=entry) == found


def worst(entry: models.MetricValue) -> Outcome:
    """Judge a value of a benchmark where failed and undefined cases enter as the worst value."""
    house = settled()
    metrics = tuple(replace(metric, undefined="worst") for metric in house.benchmark().metrics)
    benchmark = house.benchmark(SECOND, metrics=metrics)
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    house.merge(house.propose(benchmark, house.first_policy(benchmark, auto_approve=always)).sign("dora", "emil"))
    reference = house.benchmark_reference(SECOND)
    policy = house.digest(layout.numbered(layout.policy_folder(SECOND), 1))
    house.merge(an_event("request", "north", subject=NORTH, benchmark=reference, policy=policy)(house))
    result = house.result(NORTH, rb.REFERENCE, benchmark=reference, values=rb.values(auroc=entry))
    return house.propose(result).sign("north").judge().outcome


@pytest.mark.parametrize("field", ["n_failed", "n_undefined"])
def test_cases_that_enter_as_the_worst_value_hide_nobody(field: str) -> None:
    assert worst(rb.value("0.9", n=60, **{field: 50})) is PASS
    assert worst(rb.value("0.9", n=60, **{field: 51})) is FAIL
    assert worst(models.MetricValue(n=0, **{field: 60})) is PASS
    assert worst(models.MetricValue(n=0, **{field: 61})) is FAIL


@pytest.mark.parametrize(
    ("site", "outcome"),
    [
        (models.SiteDisclosure(min_cases=60), PASS),
        (models.SiteDisclosure(min_cases=61), FAIL),
        (models.SiteDisclosure(decimals=3), PASS),
        (models.SiteDisclosure(decimals=2), FAIL),
    ],
)
def test_a_site_may_be_stricter_in_one_thing_alone(site: models.SiteDisclosure, outcome: Outcome) -> None:
    house, ref = settled(), Ref("south", "clinic", 1)
    house.merge(a_dataset(house, ref, disclosure=site))
    rb.join(house, ref)
    assert house.propose(house.result(ref)).sign("south", "south:2").judge().outcome is outcome


@pytest.mark.parametrize(("least", "outcome"), [(20, PASS), (21, FAIL)])
def test_statistics_keep_to_what_the_site_allows(least: int, outcome: Outcome) -> None:
    site = models.SiteDisclosure(min_cases=least)
    example = lambda house: a_dataset(house, Ref("south", "clinic", 1), disclosure=site, statistics={"num_old": 20})  # noqa: E731
    assert judged(example).outcome is outcome


def with_first(entry: models.MetricValue | None, again: models.MetricValue) -> Outcome:
    """Judge a second result after one that was merged with this value, or without it."""
    house = settled()
    found = {name: one for name, one in rb.values(auroc=entry).items() if name == "brier" or entry is not None}
    house.files[RESULT] = write_record(house.result(values=found))
    return a_result(house, attempt=2, values=rb.values(auroc=again)).judge().outcome


@pytest.mark.parametrize(
    ("entry", "outcome"),
    [
        (rb.value("0.9", n=40), FAIL),
        (rb.value("0.9", n=35), PASS),
        (rb.value("0.9", n=45), PASS),
        (rb.value("0.9", n=55), PASS),
        (models.MetricValue(n=40), PASS),
        (rb.value("0.9", n=None), PASS),
        (None, PASS),
    ],
)
def test_only_a_value_that_was_read_and_says_its_cases_is_compared_with(
    entry: models.MetricValue | None, outcome: Outcome
) -> None:
    assert with_first(entry, rb.value("0.9", n=45, n_failed=15)) is outcome


def test_a_value_near_a_public_one_is_held_back_and_says_so() -> None:
    first = rb.value("0.9", n=40)
    assert with_first(first, models.MetricValue(n=45, n_failed=0, absent="held-back")) is PASS
    assert with_first(first, models.MetricValue(n=45, n_failed=0)) is FAIL
    assert with_first(first, models.MetricValue(absent="held-back")) is FAIL
    assert with_first(rb.value("0.9", n=20), models.MetricValue(n=45, n_failed=0, absent="held-back")) is FAIL


def test_one_public_value_nearby_is_enough_to_hold_another_back() -> None:
    house = settled()
    for number, cases in ((1, 20), (2, 40)):
        path = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), number)
        previous = house.digest(RESULT) if number == 2 else None
        entry = rb.values(auroc=rb.value("0.9", n=cases))
        house.files[path] = write_record(house.result(values=entry, attempt=number, previous=previous))
    held = models.MetricValue(n=45, n_failed=0, absent="held-back")
    assert a_result(house, attempt=3, values=rb.values(auroc=held)).judge().outcome is PASS


def test_an_unreadable_result_was_never_read() -> None:
    house = settled()
    house.files[RESULT] = UNREADABLE
    assert {one.rule for one in a_result(house, attempt=2).judge().findings} <= {"chain"}


def test_parameters_are_bound_by_their_digest() -> None:
    house, ref = settled(), Ref("moa", "tree", 1)
    house.merge(house.propose(rb.cube(ref, parameters="depth: 3\n")).sign("moa"))
    rb.join(house, ref, "cube")
    right = models.ParameterDigests(digest_of(b"depth: 3\n"))
    assert a_result(house, NORTH, ref, parameters=right).judge().outcome is PASS
    assert a_result(house, NORTH, ref).judge().outcome is FAIL


# --- references


@pytest.mark.parametrize("field", ["data_preparator", "reference_model", "metrics_cube", "predecessor"])
def test_a_benchmark_names_the_very_bytes_of_its_records(field: str) -> None:
    def example(house: House) -> Proposal:
        good = house.benchmark(SECOND, predecessor=house.benchmark_reference())
        bad: Any = {field: replace(getattr(good, field), digest=WRONG)}
        benchmark = replace(good, **bad)
        return house.propose(benchmark, house.first_policy(benchmark)).sign("dora", "emil")

    found = [one.pointer for one in judged(example).findings if one.rule == "reference"]
    assert found == [f"/{field}/digest"]


@pytest.mark.parametrize(
    "example",
    [
        lambda house: house.propose(replace(house.policy_now(), benchmark=models.Reference(BENCHMARK, WRONG))).sign(
            "dora", "emil"
        ),
        an_event("request", "south", benchmark=models.Reference(BENCHMARK, WRONG)),
        lambda house: house.propose(
            replace(house.notice("withdraw", DATASET, by="north"), record=models.About(DATASET, WRONG))
        ).sign("north"),
    ],
)
def test_what_is_about_a_record_names_its_very_bytes(example: Example) -> None:
    assert rules(example) == ["reference"]


def test_only_a_model_is_associated() -> None:
    found = rules(an_event("request", "dora", subject=rb.METRICS, kind="cube"))
    assert found == ["reference"]


@pytest.mark.parametrize(
    ("rule", "weights", "found"),
    [
        ("mean-of-sites", "equal", []),
        ("mean-of-sites", "cases", ["ranking"]),
        ("mean-then-rank", "equal", ["ranking"]),
    ],
)
def test_a_ranking_by_numbers_of_cases_needs_them(rule: Any, weights: Any, found: list[str]) -> None:
    ranking = models.Ranking(rule, 1, ("auroc",), weights, "exclude-model", 7)
    kept_back = {"disclosure": models.Disclosure(10, 3, "bucket")}
    assert rules(a_benchmark(ranking=ranking, policy=kept_back)) == found
    assert rules(a_benchmark(ranking=ranking)) == []


# --- signatures


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


# --- limits, once more


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


# --- keys


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
