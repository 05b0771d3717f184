"""From results files to declared metrics."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.records.models import Counts, Metric, MetricValue, Range
from medperf_git.runner.outcome import _metric_from_plain, _metric_to_plain
from medperf_git.runner.reduce import InvalidOutput, record_number, reduce_results, values_by_case


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


def values(numbers: Sequence[float]) -> dict[str, object]:
    return {"cases": {f"c{number}": {"dice": value} for number, value in enumerate(numbers)}}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.lists(st.integers(1, 99), min_size=1, max_size=9))
@settings(max_examples=80, deadline=None)
def test_quantiles_are_those_of_numpy(numbers: list[float], percents: list[int]) -> None:
    shares = tuple(Decimal(percent) / 100 for percent in sorted(set(percents)))
    found = one(values(numbers), metric(quantiles=shares, decimals=4)).quantiles
    assert found is not None
    expected = np.quantile(numbers, [float(share) for share in shares], method="linear")
    assert [float(number) for number in found] == pytest.approx(expected, abs=0.5001e-4)
    assert list(found) == sorted(found)


def test_quantiles_rest_on_what_the_value_rests_on() -> None:
    worst = metric(quantiles=(Decimal("0.5"),), undefined="worst")
    assert one(values([0.4, 0.6, math.nan]), worst).quantiles == (Decimal("0.4"),)
    missing = metric(quantiles=(Decimal("0.5"),))
    assert one(values([0.4, 0.6, math.nan]), missing).quantiles == (Decimal("0.5"),)
    assert one({"cases": [{"dice": math.nan}]}, missing).quantiles is None


def test_an_explicit_worst_value_counts_instead_of_the_end_of_the_range() -> None:
    hd95 = metric(undefined="worst", direction="lower", range=Range(0, 500), worst=374, sd=False)
    assert one({"cases": [{"dice": 0}, {}]}, hd95).value == 187
    assert one({"cases": [{"dice": 0}, {}]}, replace(hd95, worst=None)).value == 250


def counting(path: str, length: int = 4) -> Metric:
    return metric(counts=Counts(path, length))


def test_counts_are_taken_over_or_added_up_over_cases() -> None:
    whole = {**values([0.5, 0.7]), "confusion": [1, 2, 3.0, 0]}
    assert one(whole, counting("/confusion")).counts == (1, 2, 3, 0)
    cases = {"cases": [{"dice": 0.5, "c": [1, 2, 3, 4]}, {"dice": 0.7, "c": [1, 0, 0, 0]}, {"dice": 0.7}]}
    assert one(cases, counting("/cases/*/c")).counts == (2, 2, 3, 4)


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ([1, 2, 3], "no list of 4 counts"),
        ([1, 2, 3, -1], "no list of 4 counts"),
        ([1, 2, 3, 0.5], "no list of 4 counts"),
        ([1, 2, 3, math.nan], "no list of 4 counts"),
        ([1, 2, 3, True], "no list of 4 counts"),
        ("1234", "no list of 4 counts"),
        ([1, 2, 3, 2**53], "too large"),
        (None, "no list of 4 counts"),
    ],
)
def test_what_are_no_counts_is_invalid_output(counts: object, fault: str) -> None:
    with pytest.raises(InvalidOutput, match=fault):
        one({**values([0.5]), "confusion": counts}, counting("/confusion"))


def test_counts_that_are_not_there_are_invalid_output() -> None:
    with pytest.raises(InvalidOutput, match="no counts at /confusion"):
        one(values([0.5]), counting("/confusion"))


def test_a_phase_that_occurs_nowhere_is_undefined_and_a_file_without_phases_is_invalid() -> None:
    third = metric("/phases/3/f1", reduction="none", sd=False)
    phases = {"phases": {"1": {"f1": 0.8}, "3": {"recall": 0.9}}}
    assert one(phases, third, cases=6) == MetricValue(n=0, n_failed=0, n_undefined=6)
    assert one({"phases": {"3": {"f1": None}}}, third, cases=6) == MetricValue(n=0, n_failed=0, n_undefined=6)
    whole = metric("/f1/phase-3", reduction="none", sd=False)
    assert one({"f1": {"phase-1": 0.8}}, whole, cases=6).n_undefined == 6
    for other in ({"accuracy": 0.9}, {"f1": {}}, {"f1": 0.8}):
        with pytest.raises(InvalidOutput, match="nothing at /f1/phase-3"):
            one(other, whole, cases=6)


def test_a_phase_absent_in_one_video_is_undefined_there_and_a_video_without_scores_failed() -> None:
    third = metric("/videos/*/f1/3")
    videos = {"a": {"f1": {"1": 0.2, "3": 0.5}}, "b": {"f1": {"1": 0.4}}, "c": {}, "d": {"f1": {}}}
    assert one({"videos": videos}, third) == MetricValue(value=Decimal("0.5"), n=1, n_failed=2, n_undefined=1)
    assert one({"videos": videos}, replace(third, undefined="worst", sd=False)).value == Decimal("0.125")


def test_two_cases_of_one_name_are_not_taken_for_one() -> None:
    with pytest.raises(InvalidOutput, match="two cases at /cases have one name"):
        one({"cases": {1: {"dice": 0.5}, "1": {"dice": 0.7}}}, metric())


def test_values_by_case_keep_their_names() -> None:
    found = values_by_case({"cases": {"x": {"dice": 0.5}, "y": {"dice": math.nan}, "z": {}}}, metric(), cases=5)
    assert (dict(found.values), found.failed, found.named) == ({"x": 0.5, "y": None, "z": None}, 3, True)
    listed = values_by_case({"cases": [{"dice": 1}]}, metric(), cases=None)
    assert (dict(listed.values), listed.failed, listed.named) == ({"0": 1.0}, 0, False)


def test_an_outcome_with_quantiles_and_counts_is_kept_as_it_was() -> None:
    entry = MetricValue(Decimal("0.5"), n=3, quantiles=(0, Decimal("0.25")), counts=(0, 3))
    assert _metric_from_plain(json.loads(json.dumps(_metric_to_plain(entry)))) == entry
