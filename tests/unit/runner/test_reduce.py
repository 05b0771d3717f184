"""From results files to declared metrics."""

import math
from decimal import Decimal

import pytest

from medperf_git.records.models import Metric, MetricValue, Range
from medperf_git.runner.reduce import InvalidOutput, record_number, reduce_results


def metric(path: str = "/cases/*/dice", **changes: object) -> Metric:
    fields = {
        "id": "dice", "title": "Dice", "path": path, "unit": "1", "range": Range(0, 1), "direction": "higher",
        "decimals": 3, "undefined": "missing", "reduction": "mean", "sd": True,
    }  # fmt: skip
    return Metric(**fields | changes)


def one(content: object, definition: Metric, cases: int | None = None) -> MetricValue:
    return reduce_results(content, [definition], cases=cases).values["dice"]


def test_a_single_number_counts_for_all_cases() -> None:
    value = one({"dice": 0.9126}, metric("/dice", reduction="none", sd=False), cases=12)
    assert value == MetricValue(value=Decimal("0.913"), n=12, n_failed=0, n_undefined=0)


@pytest.mark.parametrize("cases", [[{"dice": 0.5}, {"dice": 0.7}], {"x": {"dice": 0.5}, "y": {"dice": 0.7}}])
def test_cases_in_a_list_or_a_mapping_are_reduced_at_the_site(cases: object) -> None:
    expected = MetricValue(value=Decimal("0.6"), sd=Decimal("0.141"), n=2, n_failed=0, n_undefined=0)
    assert one({"cases": cases}, metric()) == expected


def test_the_median_is_taken_where_declared() -> None:
    assert one({"cases": [{"dice": v} for v in (0.1, 0.2, 0.9)]}, metric(reduction="median")).value == Decimal("0.2")


def test_missing_policy_leaves_undefined_and_failed_cases_out_and_counts_them() -> None:
    value = one({"cases": [{"dice": 0.5}, {"dice": math.nan}, {}, {"dice": None}]}, metric(), cases=5)
    assert value == MetricValue(value=Decimal("0.5"), n=1, n_failed=3, n_undefined=1)


def test_worst_policy_counts_them_in_as_the_worst_value() -> None:
    value = one({"cases": [{"dice": 1}, {"dice": math.inf}]}, metric(undefined="worst"), cases=4)
    assert value == MetricValue(value=Decimal("0.25"), sd=Decimal("0.5"), n=4, n_failed=2, n_undefined=1)
    hd95 = metric(undefined="worst", direction="lower", range=Range(0, 374), sd=False)
    assert one({"cases": [{"dice": 0}, {}]}, hd95).value == 187


@pytest.mark.parametrize("number", [1e30, -1e25, 10**40])
def test_a_number_too_large_to_be_rounded_is_invalid(number: float) -> None:
    with pytest.raises(InvalidOutput, match="outside"):
        one({"cases": [{"dice": number}]}, metric())
    with pytest.raises(InvalidOutput, match="digits"):
        one({"cases": [{"dice": number}]}, metric(range=Range(-(10**41), 10**41)))


def test_an_undefined_single_number_has_no_value_and_n_0() -> None:
    assert one({"dice": math.nan}, metric("/dice", reduction="none"), cases=7) == MetricValue(
        n=0, n_failed=0, n_undefined=7
    )


@pytest.mark.parametrize(
    ("content", "path", "fault"),
    [
        ({}, "/dice", "nothing at /dice"),
        ({"dice": "high"}, "/dice", "is text, no number"),
        ({"dice": True}, "/dice", "true or false"),
        ({"dice": 1.2}, "/dice", "outside 0 to 1"),
        ({"dice": [0.1]}, "/dice", "a list"),
        ({"cases": []}, "/cases/*/dice", "no cases at /cases"),
        ({"cases": [{}]}, "/cases/*/dice", "no case has a value"),
        ({"cases": [{"dice": 0.1}] * 4}, "/cases/*/dice", "4 entries for 3 cases"),
        ({"cases": [[{"dice": 0.1}]]}, "/cases/*/*/dice", "more than one"),
    ],
)
def test_what_is_not_as_declared_is_invalid_output(content: object, path: str, fault: str) -> None:
    with pytest.raises(InvalidOutput, match=fault):
        one(content, metric(path, reduction="none" if "*" not in path else "mean"), cases=3)


def test_float_noise_at_the_end_of_the_range_is_no_fault() -> None:
    assert one({"dice": 1.0000000000000002}, metric("/dice", reduction="none")).value == 1


def test_rounding_is_half_to_even_and_has_one_form() -> None:
    assert [record_number(value, 2) for value in (0.125, 0.135, 0.5, 3.0, -0.001)] == [
        Decimal("0.12"), Decimal("0.14"), Decimal("0.5"), 3, 0,
    ]  # fmt: skip
    assert isinstance(record_number(3.0, 2), int)
    assert str(record_number(1e-05, 5)) == "0.00001"


def test_t19_hidden_digits_and_undeclared_keys_never_leave() -> None:
    reduced = reduce_results({"dice": 0.123456789, "patient": "Ann"}, [metric("/dice", reduction="none")], cases=3)
    assert reduced.values == {"dice": MetricValue(value=Decimal("0.123"), n=3, n_failed=0, n_undefined=0)}
    assert reduced.undeclared == ("patient",)


def test_a_pointer_with_escapes_finds_its_key() -> None:
    assert one({"a/b": {"~": 0.5}}, metric("/a~1b/~0", reduction="none")).value == Decimal("0.5")
