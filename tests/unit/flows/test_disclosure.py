from dataclasses import replace
from decimal import Decimal

import pytest

from medperf_git.flows.disclosure import cases_of, hold_back_near, limits_of, publishable, who_sees
from medperf_git.policy.values import beyond, too_small
from medperf_git.policy.verdict import Outcome
from medperf_git.records import models as m
from tests.support import registry_builder as rb
from tests.support.flows_world import AUROC, world


def limits(site=None):
    made = world()
    benchmark = made.benchmark().ref
    return limits_of(made.view, benchmark, site)


def test_the_stricter_limit_holds_and_says_whose_it_is():
    policy = limits()
    assert (policy.min_cases, policy.decimals, policy.exact) == (10, 3, True)
    own = limits(m.SiteDisclosure(min_cases=50, decimals=2))
    assert (own.min_cases, own.min_cases_by, own.decimals, own.decimals_by) == (
        50,
        "your own limit",
        2,
        "your own limit",
    )
    assert limits(m.SiteDisclosure(min_cases=5, decimals=4)).min_cases == 10


@pytest.mark.parametrize(
    ("own", "cases", "decimals", "by"),
    [
        ((None, None), 10, 3, ("benchmark", "benchmark")),
        ((9, None), 10, 3, ("benchmark", "benchmark")),
        ((10, 3), 10, 3, ("benchmark", "benchmark")),
        ((11, None), 11, 3, ("own", "benchmark")),
        ((None, 2), 10, 2, ("benchmark", "own")),
        ((None, 0), 10, 0, ("benchmark", "own")),
        ((1, 4), 10, 3, ("benchmark", "benchmark")),
        ((60, 1), 60, 1, ("own", "own")),
        ((61, 1), 61, 1, ("own", "own")),
    ],
)
def test_of_the_sites_and_the_benchmarks_limits_the_stricter_holds_each_by_itself(own, cases, decimals, by):
    held = limits(m.SiteDisclosure(*own))
    assert (held.min_cases, held.decimals) == (cases, decimals)
    assert tuple("own" if "own" in one else "benchmark" for one in (held.min_cases_by, held.decimals_by)) == by
    values = {"auroc": m.MetricValue(value=Decimal("0.98765"), n=60)}
    shown = publishable(values, [AUROC], held, cases=60).values["auroc"]
    if cases > 60:
        assert (shown.value, shown.absent) == (None, "held-back")
    else:
        assert shown.value == round(Decimal("0.98765"), decimals)


def test_values_are_rounded_to_the_strictest_decimals():
    values = {"auroc": m.MetricValue(value=Decimal("0.9876"), n=60)}
    shown = publishable(values, [AUROC], limits(m.SiteDisclosure(decimals=1)), cases=60)
    assert shown.values["auroc"].value == 1
    assert "rounded to 1 decimals (your own limit)" in shown.held_back[0]


def test_thirty_six_hidden_bytes_do_not_survive():
    values = {"auroc": m.MetricValue(value=Decimal("0.123456789012345"), n=60)}
    assert publishable(values, [AUROC], limits(), cases=60).values["auroc"].value == Decimal("0.123")


def test_nine_cases_are_held_back_and_that_is_said():
    values = {"auroc": m.MetricValue(value=Decimal("0.9"), sd=Decimal("0.1"), n=9)}
    shown = publishable(values, [AUROC], limits(), cases=60)
    assert shown.values["auroc"] == m.MetricValue(n=9, absent="held-back")
    assert "rests on 9 cases; at least 10" in shown.held_back[0]


def test_undeclared_values_do_not_pass():
    values = {"auroc": m.MetricValue(value=1, n=60), "patient-7": m.MetricValue(value=1, n=60)}
    assert set(publishable(values, [AUROC], limits(), cases=60).values) == {"auroc"}


@pytest.mark.parametrize(
    ("number", "low", "high"), [(10, 10, 19), (60, 50, 99), (200, 200, 499), (7, 0, 9), (1000, 1000, 1999)]
)
def test_ranges_are_one_two_five(number, low, high):
    assert cases_of(number, exact=False) == m.Cases(low=low, high=high)
    assert cases_of(number, exact=True) == m.Cases(exact=number)


def test_it_is_said_who_sees_a_result():
    made = world()
    benchmark = made.benchmark().ref
    assert "for ever" in who_sees(made.view, benchmark)


@pytest.mark.parametrize(("n", "held"), [(59, True), (60, False), (70, False), (51, True)])
def test_a_value_near_a_published_one_is_held_back_and_the_check_takes_that(n, held):
    house = rb.settled()
    house.merge(house.propose(house.result()).sign("north"))
    entry = rb.values(auroc=rb.value("0.9", n=n, n_failed=max(0, 60 - n)), brier=rb.value("0.1", n=60))
    result = house.result(attempt=2, values=entry) if n <= 60 else house.result(attempt=2)
    path = "results/dora/heart/1/north.wards.1/moa.forest.1/0002.yaml"
    shown, sentences = hold_back_near(house.view, path, result, min_cases=10)
    assert (shown.values["auroc"].value is None) == held
    assert [sentence.startswith("auroc: held back, with the published value over 60") for sentence in sentences] == (
        [True] if held else []
    )
    assert house.propose(shown).sign("north").judge().outcome is Outcome.PASS
    if held:
        assert house.propose(result).sign("north").judge().outcome is Outcome.FAIL


def test_a_value_held_back_without_need_is_no_excuse():
    house = rb.settled()
    entry = rb.values(auroc=m.MetricValue(n=60, absent="held-back"))
    assert house.propose(house.result(values=entry)).sign("north").judge().outcome is Outcome.FAIL


QUARTILES = (Decimal("0.25"), Decimal("0.5"), Decimal("0.75"))
SPREAD = replace(AUROC, path="/cases/*/auroc", quantiles=QUARTILES, counts=m.Counts("/counts", 3))


def shown_over(cases: int, *, counts: tuple[int, ...] = (0, 10, 50), **site: int) -> tuple[m.MetricValue, str]:
    entry = m.MetricValue(Decimal("0.9"), n=cases, quantiles=(Decimal("0.81234"), 0, 1), counts=counts)
    shown = publishable({"auroc": entry}, [SPREAD], limits(m.SiteDisclosure(**site)), cases=cases)
    return shown.values["auroc"], " ".join(shown.held_back)


def test_quantiles_and_counts_leave_rounded_within_the_limits():
    value, said = shown_over(40)
    assert (value.quantiles, value.counts) == ((Decimal("0.812"), 0, 1), (0, 10, 50))
    assert said == ""


def test_t65_quantiles_with_few_cases_beyond_them_are_held_back_and_the_value_stays():
    value, said = shown_over(39)
    assert (value.value, value.quantiles, value.counts) == (Decimal("0.9"), None, (0, 10, 50))
    assert "its quantiles are held back, only 9.75 cases lie beyond or between them; at least 10" in said
    assert shown_over(60, min_cases=16)[0].quantiles is None


def test_t65_small_counts_are_held_back_all_together():
    value, said = shown_over(60, counts=(9, 0, 51))
    assert (value.counts, value.quantiles is None) == (None, False)
    assert "its counts are held back, 1 of them are above 0 and below the limit; at least 10" in said


def test_what_is_held_back_takes_its_quantiles_and_counts_with_it():
    value, _ = shown_over(9)
    assert value == m.MetricValue(n=9, absent="held-back")


def test_the_judge_takes_what_the_site_publishes_of_quantiles_and_counts():
    for cases, counts in ((39, (9, 51, 0)), (60, (10, 50, 0))):
        value, _ = shown_over(cases, counts=counts)
        least = 10
        assert (value.quantiles is None) == (beyond(SPREAD, cases) < least)
        assert (value.counts is None) == bool(too_small(counts, least))


def test_where_numbers_are_ranges_quantiles_and_counts_stay_without_them():
    made = replace(limits(), exact=False)
    entry = m.MetricValue(Decimal("0.9"), n=60, n_failed=0, n_undefined=0, quantiles=(0, 0, 1), counts=(0, 10, 50))
    assert publishable({"auroc": entry}, [SPREAD], made, cases=60).values["auroc"] == m.MetricValue(
        Decimal("0.9"), quantiles=(0, 0, 1), counts=(0, 10, 50)
    )


@pytest.mark.parametrize(("failed", "value"), [(50, 0), (51, None), (59, None), (60, 0)])
def test_a_model_that_failed_on_every_case_is_published_with_the_worst_value(failed, value):
    metric = replace(AUROC, undefined="worst", path="/cases/*/auroc", reduction="mean")
    shown = publishable({"auroc": m.MetricValue(0, n=60, n_failed=failed)}, [metric], limits(), cases=60)
    assert shown.values["auroc"].value == value
