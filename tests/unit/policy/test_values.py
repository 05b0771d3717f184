"""Values, numbers of cases and what they are compared with, at their edges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from medperf_git.policy.values import About, published_values
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.records.record import write_record
from tests.support import registry_builder as rb
from tests.support.registry_builder import BENCHMARK, MODEL, NORTH, settled

from .examples import (
    DATASET,
    RESULT,
    SECOND,
    WRONG,
    a_benchmark,
    a_dataset,
    a_notice,
    a_policy,
    a_result,
    after,
    after_result,
    an_event,
    with_disclosure,
)
from .judging import FAIL, PASS, UNREADABLE, WAITS, broken, judged, messages, rules


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


def elsewhere(result: dict[str, Any], **changes: Any) -> Outcome:
    """Judge a result of another version of the benchmark, which takes every request at once."""
    house = settled()
    benchmark = house.benchmark(SECOND, **changes)
    always = models.AutoApprovals(models.AutoApproval("always"), models.AutoApproval("always"))
    house.merge(house.propose(benchmark, house.first_policy(benchmark, auto_approve=always)).sign("dora", "emil"))
    reference = house.benchmark_reference(SECOND)
    policy = house.digest(layout.numbered(layout.policy_folder(SECOND), 1))
    house.merge(an_event("request", "north", subject=NORTH, benchmark=reference, policy=policy)(house))
    record = house.result(NORTH, rb.REFERENCE, benchmark=reference, **result)
    return house.propose(record).sign("north").judge().outcome


def worst(entry: models.MetricValue) -> Outcome:
    """Judge a value of a benchmark where failed and undefined cases enter as the worst value."""
    metrics = tuple(replace(metric, undefined="worst") for metric in settled().benchmark().metrics)
    return elsewhere({"values": rb.values(auroc=entry)}, metrics=metrics)


def test_a_partial_outcome_is_taken_where_the_benchmark_says_so() -> None:
    assert elsewhere({"outcome": "partial"}, partial=True) is PASS
    assert elsewhere({"outcome": "partial"}, partial=False) is FAIL
    assert elsewhere({"outcome": "complete"}, partial=True) is PASS


def test_where_numbers_are_ranges_a_word_says_why_a_value_is_absent() -> None:
    kept_back = after(with_disclosure(n="bucket"))
    spread = models.MetricValue(sd=Decimal("0.1"))
    found = rb.values(auroc=rb.value("0.9", n=None), brier=spread)
    assert rules(kept_back(lambda house: a_result(house, values=found))) == ["missing-metric"]
    said = {**found, "brier": models.MetricValue(absent="failed")}
    assert judged(kept_back(lambda house: a_result(house, values=said))).findings == ()


@pytest.mark.parametrize("field", ["n_failed", "n_undefined"])
def test_a_model_that_fails_on_every_case_gets_the_worst_value(field: str) -> None:
    """Held back it would only be missing at that site, and rank better than with the value that it has earned."""
    assert worst(models.MetricValue(0, n=60, **{field: 60})) is PASS
    assert worst(models.MetricValue(0, sd=Decimal("0.1"), n=60, **{field: 60})) is FAIL
    assert worst(models.MetricValue(0, n=9, **{field: 9})) is FAIL


@pytest.mark.parametrize("field", ["n_failed", "n_undefined"])
def test_cases_that_enter_as_the_worst_value_hide_nobody(field: str) -> None:
    assert worst(rb.value("0.9", n=60, **{field: 50})) is PASS
    assert worst(rb.value("0.9", n=60, **{field: 51})) is FAIL
    assert worst(rb.value("0.1", n=60, **{field: 60})) is FAIL
    assert worst(models.MetricValue(n=0, **{field: 60})) is PASS
    assert worst(models.MetricValue(**{field: 60})) is PASS
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


@pytest.mark.parametrize(("attempt", "found"), [(1, ["attempt"]), (2, ["attempt"]), (3, [])])
def test_an_attempt_comes_after_all_before_it(attempt: int, found: list[str]) -> None:
    twice = after(a_result, lambda house: a_result(house, attempt=2))
    assert rules(twice(lambda house: a_result(house, attempt=attempt))) == found


def test_a_value_is_not_compared_with_itself() -> None:
    house = settled()
    house.merge(a_result(house))
    assert list(published_values(house.view, RESULT, About.of(house.result(), "auroc"))) == []
    again = layout.numbered(layout.result_folder(BENCHMARK, NORTH, MODEL), 2)
    assert list(published_values(house.view, again, About.of(house.result(), "auroc"))) == [(RESULT, 60)]
