"""Quantiles and pooled counts of a value: each bound from both sides."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from medperf_git.policy.values import Limits, _counts_fault, _quantiles_fault, beyond, too_small
from medperf_git.records import models
from tests.support.comparison_builder import DICE

METRIC = replace(
    DICE, quantiles=(Decimal("0.25"), Decimal("0.5"), Decimal("0.9")), counts=models.Counts("/counts", 3), decimals=2
)
VALUE = models.MetricValue(
    Decimal("0.5"), n=100, n_failed=0, n_undefined=0, quantiles=(0, Decimal("0.5"), 1), counts=(0, 10, 90)
)
LIMITS = Limits(min_cases=10, decimals=3, exact=True)


def quantiles(metric: models.Metric = METRIC, *, most: int = 100, limits: Limits = LIMITS, **changes: Any) -> str:
    fault = _quantiles_fault(metric, replace(VALUE, **changes), limits, most=most)
    return fault[0] if fault else ""


def counts(metric: models.Metric = METRIC, **changes: Any) -> str:
    fault = _counts_fault(metric, replace(VALUE, **changes), LIMITS)
    return fault[0] if fault else ""


def test_what_fits_has_no_fault() -> None:
    assert (quantiles(), counts()) == ("", "")
    assert (quantiles(quantiles=None), counts(counts=None)) == ("", "")
    assert (quantiles(quantiles=(Decimal("0.5"),) * 3), counts(counts=(0, 0, 0))) == ("", "")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"quantiles": (0, 1)}, "other quantiles than declared"),
        ({"value": None}, "other quantiles than declared"),
        ({"quantiles": (0, 1, Decimal("0.9"))}, "go down"),
        ({"quantiles": (Decimal("-0.01"), 0, 1)}, "out of its range"),
        ({"quantiles": (0, 1, Decimal("1.01"))}, "out of its range"),
        ({"quantiles": (0, Decimal("0.501"), 1)}, "more digits"),
        ({"n": 99}, "near single cases"),
    ],
)
def test_quantiles_that_do_not_fit_are_named(changes: dict[str, Any], fault: str) -> None:
    assert fault in quantiles(**changes)


def test_a_metric_without_quantiles_or_counts_has_none() -> None:
    assert "other quantiles" in quantiles(replace(METRIC, quantiles=None))
    assert "other counts" in counts(replace(METRIC, counts=None))


def test_the_stricter_number_of_decimals_holds() -> None:
    written = (0, Decimal("0.51"), 1)
    assert quantiles(quantiles=written) == ""
    assert "at most" not in quantiles(quantiles=written)
    assert "more digits" in quantiles(quantiles=written, limits=Limits(10, 1, exact=True))


def test_cases_that_enter_as_the_worst_value_lie_beyond_no_quantile() -> None:
    worst = replace(METRIC, undefined="worst")
    assert quantiles(worst) == ""
    assert "near single cases" in quantiles(worst, n_failed=1)
    assert "near single cases" in quantiles(worst, n_undefined=1)
    assert "near single cases" in quantiles(worst, n=101, n_failed=1, n_undefined=1)
    assert quantiles(worst, n_failed=None, n_undefined=None) == ""
    assert quantiles(n_failed=1, n_undefined=1) == ""


def test_where_numbers_are_ranges_the_largest_number_counts() -> None:
    assert quantiles(n=None, most=100) == ""
    assert "near single cases" in quantiles(n=None, most=99)


def test_the_outermost_quantile_decides() -> None:
    assert beyond(METRIC, 100) == 10
    assert beyond(replace(METRIC, quantiles=(Decimal("0.05"), Decimal("0.9"))), 100) == 5
    assert beyond(replace(METRIC, quantiles=None), 100) == 100


def test_t65_two_quantiles_between_the_same_two_cases_would_give_both_values() -> None:
    near = replace(METRIC, quantiles=(Decimal("0.5"), Decimal("0.501")))
    assert beyond(near, 1000) == 1
    assert beyond(replace(METRIC, quantiles=(Decimal("0.25"), Decimal("0.5"), Decimal("0.75"))), 40) == 10


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"counts": (0, 10)}, "other counts than declared"),
        ({"value": None}, "other counts than declared"),
        ({"counts": (0, 9, 91)}, "about very few"),
    ],
)
def test_counts_that_do_not_fit_are_named(changes: dict[str, Any], fault: str) -> None:
    assert fault in counts(**changes)


def test_small_is_above_zero_and_below_the_limit() -> None:
    assert too_small((0, 1, 9, 10, 11), 10) == [1, 9]
