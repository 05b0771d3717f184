"""Rules about comparisons: whatever their numbers are, and what the second set of rules brought."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.policy.comparison_numbers import Basis, _signs, faults_of
from medperf_git.policy.judge import judge
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout, models
from medperf_git.records.folds import comparison_chain, live_comparison, marks_of, replaced_in
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_record
from medperf_git.records.view import iter_comparisons
from tests.support import comparison_builder as cb
from tests.support.comparison_builder import BENCHMARK, HD95, TREE
from tests.support.registry_builder import MODEL, NORTH, REFERENCE

from .examples import compared_with

numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.decimals(-1000, 1000, places=6).map(lambda one: int(one) if one == int(one) else one.normalize()),
)
counts = st.integers(0, 2**31)


@st.composite
def comparisons(draw: st.DrawFn) -> models.Comparison:
    """Draw a record that fits its schema, with any numbers."""
    record = cb.comparison(cb.compared())
    pair = record.pairs[0]
    fields: dict[str, Any] = {name: draw(numbers) for name in ("difference", "variance", "w_plus", "sd")}
    fields |= {name: draw(counts) for name in ("wins", "ties", "losses")}
    return replace(
        record,
        n=draw(st.integers(2, 2**31)),
        models=tuple(replace(one, mean=draw(numbers), mean_rank=draw(numbers)) for one in record.models),
        covariance=tuple(draw(numbers) for _ in range(3)),
        pairs=(replace(pair, n=draw(st.integers(2, 2**31)), **fields),),
    )


@given(comparisons(), st.integers(0, 4), st.sampled_from(["higher", "lower"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_numbers_are_judged(record: models.Comparison, decimals: int, direction: Any) -> None:
    metric = replace(HD95, direction=direction, decimals=decimals)
    faults = list(faults_of(Basis(record, metric, decimals, (None, models.MetricValue(1, n=60)))))
    assert all(pointer.startswith("/") and message for pointer, message, _, _ in faults)


def test_a_comparison_goes_on_in_its_chain_and_the_newest_is_live() -> None:
    house = cb.compared()
    first = house.propose(cb.comparison(house)).sign("north")
    house.merge(first)
    house.merge(house.propose(cb.result(house, TREE)).sign("north"))
    second = house.propose(cb.comparison(house, (REFERENCE, MODEL, TREE))).sign("north")
    assert second.path == first.path.replace("0001", "0002")
    house.merge(second)
    live = live_comparison(house.view, BENCHMARK, NORTH, "dice")
    assert live is not None
    assert live.path == second.path
    assert len(comparison_chain(house.view, BENCHMARK, NORTH, "dice")) == 2
    assert list(iter_comparisons(house.view, BENCHMARK)) == [(NORTH, "dice")]
    house.merge(house.propose(house.notice("withdraw", second.path, by="north")).sign("north"))
    assert live_comparison(house.view, BENCHMARK, NORTH, "dice") is None


def test_a_result_that_is_superseded_leaves_a_comparison_behind() -> None:
    house = cb.compared()
    record = cb.comparison(house)
    house.merge(house.propose(record).sign("north"))
    assert replaced_in(house.view, record) == ()
    house.merge(house.propose(cb.result(house, MODEL, attempt=2)).sign("north"))
    assert replaced_in(house.view, record) == (MODEL,)


def test_the_committee_may_dispute_a_comparison_and_its_owner_may_not() -> None:
    house = cb.compared()
    proposal = compared_with(house)
    house.merge(proposal)
    mine = house.propose(house.notice("dispute", proposal.path, by="north", side="owner")).sign("north")
    assert mine.judge().outcome is Outcome.FAIL
    house.merge(house.propose(house.notice("dispute", proposal.path, by="dora", side="committee")).sign("dora"))
    assert marks_of(house.view, proposal.path).disputed


def test_a_registry_of_the_first_rules_takes_none_and_goes_on_to_the_second() -> None:
    house = cb.compared()
    rules_2 = {path: data for path, data in house.files.items() if path.startswith("registry/0002")}
    house.files = {path: data for path, data in house.files.items() if path not in rules_2}
    change = compared_with(house).change()
    assert {one.rule for one in judge(change).findings} == {"newer-rules"}
    house.files |= rules_2
    assert judge(compared_with(house).change()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "path",
    [
        "comparisons/dora/heart/2/north.wards.1/dice/0000.yaml",
        "comparisons/dora/heart/2/north.wards.1/Dice/0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/../0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/0001.yaml",
        "comparisons/dora/heart/2/north.wards/dice/0001.yaml",
        "comparisons/dora/heart/2/north.wards.1/dice/x/0001.yaml",
    ],
)
def test_other_paths_are_no_places_of_comparisons(path: str) -> None:
    assert layout.place_of(path) is None


def test_the_largest_comparison_is_read_quickly_and_fits_its_bounds() -> None:
    house = cb.compared()
    record = cb.comparison(house)
    count, one, pair = 64, record.models[0], record.pairs[0]
    refs = [Ref("moa", f"model{number:02d}", 1) for number in range(count)]
    large = replace(
        record,
        models=tuple(replace(one, ref=ref, mean=Decimal("123456789.123456")) for ref in refs),
        covariance=(Decimal("-1234567.12345678"),) * (count * (count + 1) // 2),
        pairs=tuple(
            replace(pair, first=first + 1, second=second + 1, n=2**31, w_plus=Decimal("12345678901234.5"),
                    variance=Decimal("123456789012.125"), wins=2**31, difference=Decimal("-12345678.1234"))
            for first in range(count)
            for second in range(first + 1, count)
        ),
    )  # fmt: skip
    data = write_record(large)
    assert 300_000 < len(data) < 512 * 1024
    path = layout.numbered(layout.comparison_folder(BENCHMARK, NORTH, "dice"), 1)
    assert read_record(path, data).findings == ()
    careful = read_record(path, data.replace(b"kind: comparison\n", b"kind: 'comparison'\n"))
    assert [finding.rule for finding in careful.findings] == ["canonical"]


def basis(record: models.Comparison | None = None, metric: models.Metric = cb.DICE) -> Basis:
    """Return a comparison over 60 cases with the results it rests on."""
    found = cb.comparison(cb.compared()) if record is None else record
    values = tuple((cb.result(cb.compared(), one.ref).values or {})["dice"] for one in found.models)
    return Basis(found, metric, 3, values)


def with_model(**changes: Any) -> Basis:
    record = basis().comparison
    return basis(replace(record, models=(replace(record.models[0], **changes), record.models[1])))


def with_pair(**changes: Any) -> Basis:
    record = basis().comparison
    return basis(replace(record, pairs=(replace(record.pairs[0], **changes),)))


def with_covariance(place: int, number: Decimal) -> Basis:
    record = basis().comparison
    covariance = [*record.covariance]
    covariance[place] = number
    return basis(replace(record, covariance=tuple(covariance)))


def pointers(one: Basis) -> set[str]:
    return {pointer for pointer, *_ in faults_of(one)}


PAIR, FIRST = basis().comparison.pairs[0], basis().comparison.models[0]
TINY = Decimal("0.0000001")


@pytest.mark.parametrize(
    ("one", "pointer"),
    [
        (with_model(mean=FIRST.mean + Decimal("0.0001")), "/models/0/mean"),
        (with_model(mean=FIRST.mean + Decimal("0.002")), "/models/0/mean"),
        (with_model(mean_rank=FIRST.mean_rank + TINY), "/models/0/mean_rank"),
        (with_model(mean_rank=FIRST.mean_rank + 20 * TINY), "/models/0/mean_rank"),
        (with_covariance(0, basis().comparison.covariance[0] + TINY), "/covariance/0"),
        (with_covariance(1, basis().comparison.covariance[1] + TINY), "/covariance/1"),
        (with_covariance(2, Decimal("1.5")), "/covariance/2"),
        (with_covariance(1, Decimal("-0.2")), "/covariance/1"),
        (with_covariance(1, Decimal("0.02")), "/pairs/0/sd"),
        (with_pair(difference=PAIR.difference + Decimal("0.0001")), "/pairs/0/difference"),
        (with_pair(difference=PAIR.difference + Decimal("0.003")), "/pairs/0/difference"),
        (with_pair(difference=-PAIR.difference), "/pairs/0/difference"),
        (with_pair(sd=PAIR.sd + Decimal("0.0001")), "/pairs/0/sd"),
        (with_pair(sd=PAIR.sd + Decimal("0.003")), "/pairs/0/sd"),
        (with_pair(sd=PAIR.sd - Decimal("0.003")), "/pairs/0/sd"),
        (with_pair(n=70, sd=3), "/pairs/0/sd"),
        (with_pair(n=70, difference=2), "/pairs/0/difference"),
        (with_pair(w_plus=PAIR.w_plus + Decimal("0.1")), "/pairs/0/w_plus"),
        (with_pair(w_plus=PAIR.w_plus + Decimal("0.25")), "/pairs/0/w_plus"),
        (with_pair(variance=PAIR.variance + Decimal("0.0001")), "/pairs/0/variance"),
        (with_pair(variance=1), "/pairs/0/variance"),
        (with_pair(variance=10**6), "/pairs/0/variance"),
        (with_pair(n=59), "/pairs/0/n"),
        (with_pair(n=61), "/pairs/0/n"),
        (with_pair(ties=PAIR.ties + 1), "/pairs/0/n"),
        (with_pair(n=61, ties=PAIR.ties + 1), "/pairs/0/n"),
        (with_pair(n=59, losses=PAIR.losses - 1), "/pairs/0/n"),
        (with_pair(wins=0, losses=0, ties=60, w_plus=0, variance=0), "/pairs/0/difference"),
        (with_covariance(0, 2 * Decimal(basis().comparison.covariance[0])), "/covariance/0"),
        (with_pair(wins=0, losses=0, ties=60, w_plus=0, variance=0, difference=0), "/pairs/0/difference"),
    ],
)  # fmt: skip
def test_each_number_that_does_not_fit_is_named(one: Basis, pointer: str) -> None:
    assert pointers(basis()) == set()
    assert pointer in pointers(one)


def test_the_last_digit_of_a_number_may_be_that_of_rounding() -> None:
    last, cov = Decimal("0.001"), basis().comparison.covariance[1]
    for one in (
        with_model(mean=FIRST.mean + last),
        with_pair(difference=PAIR.difference - last),
        with_covariance(1, cov + Decimal("0.000001")),
        with_model(mean_rank=FIRST.mean_rank + Decimal("0.000001")),
    ):
        assert pointers(one) == set()


@pytest.mark.parametrize(("wins", "losses"), [(0, 4), (1, 3), (3, 1), (4, 0), (2, 2)])
def test_a_rank_sum_lies_between_the_smallest_and_the_largest_ranks(wins: int, losses: int) -> None:
    """Of the ranks 1 to 4 the smallest and the largest that so many wins can have."""
    ranks = [1, 2, 3, 4]
    low, high = sum(ranks[:wins]), sum(ranks[4 - wins :])
    half = Decimal("0.5")
    for w_plus, fits in ((low, True), (high, True), (low - half, False), (high + half, False)):
        pair = replace(PAIR, wins=wins, losses=losses, ties=56, w_plus=w_plus, variance=Decimal("7.5"))
        assert ("w_plus" not in {field for field, *_ in _signs(pair)}) is fits


@pytest.mark.parametrize(("variance", "fits"), [("7.5", True), ("6.25", True), ("7.502", False), ("6.248", False)])
def test_a_variance_lies_between_ranks_that_are_all_tied_and_all_distinct(variance: str, fits: bool) -> None:
    pair = replace(PAIR, wins=4, losses=0, ties=56, w_plus=10, variance=Decimal(variance))
    assert ("variance" not in {field for field, *_ in _signs(pair)}) is fits


@pytest.mark.parametrize(
    ("wins", "losses", "difference"), [(60, 0, "-0.1"), (0, 60, "0.1"), (60, 0, "0.1"), (59, 1, "-0.1")]
)
def test_a_model_that_is_never_worse_is_not_worse_in_the_mean(wins: int, losses: int, difference: str) -> None:
    one = with_pair(wins=wins, losses=losses, ties=0, difference=Decimal(difference))
    told = {message for _, message, *_ in faults_of(one)}
    never = (wins == 60) == (difference == "-0.1") and 0 in (wins, losses)
    assert ("a model that is never worse in a case is not so in the mean" in told) is never


def test_under_worst_every_model_has_every_case() -> None:
    worst = replace(cb.DICE, undefined="worst")
    assert pointers(basis(metric=worst)) == set()
    record = basis().comparison
    fewer = replace(record, n=50)
    assert "/models/0" in pointers(basis(fewer, worst))
    assert "/models/0" not in pointers(basis(fewer))
    assert "/models/0" in pointers(basis(replace(record, n=61)))


def test_two_models_share_no_more_cases_than_the_one_with_fewer_has() -> None:
    one = with_pair(n=61, ties=PAIR.ties + 1)
    values = tuple(value and replace(value, n=n) for value, n in zip(one.values, (60, 90), strict=True))
    assert "/pairs/0/n" in pointers(replace(one, values=values))
    more = tuple(value and replace(value, n=n) for value, n in zip(one.values, (61, 90), strict=True))
    assert "/pairs/0/n" not in pointers(replace(one, values=more))


def test_a_metric_of_which_less_is_better_turns_the_difference_only() -> None:
    house = cb.compared()
    record = cb.comparison(house, metric=HD95)
    values = tuple((cb.result(house, one.ref).values or {})["hd95"] for one in record.models)
    one = Basis(record, HD95, 2, values)
    assert pointers(one) == set()
    assert "/pairs/0/difference" in pointers(replace(one, metric=replace(HD95, direction="higher")))


def test_a_mean_need_not_be_the_value_of_a_metric_that_is_a_median_or_over_other_cases() -> None:
    off = with_model(mean=FIRST.mean + Decimal("0.1"))
    assert "/models/0/mean" in pointers(off)
    assert "/models/0/mean" not in pointers(replace(off, metric=replace(cb.DICE, reduction="median")))
    fewer = tuple(replace(value, n=90) for value in off.values if value)
    assert "/models/0/mean" not in pointers(replace(off, values=fewer))


def test_no_more_than_so_many_faults_of_one_record_are_told() -> None:
    house = cb.compared()
    record = cb.comparison(house)
    many = tuple(replace(record.models[0], ref=Ref("moa", f"m{n:02d}", 1), mean=2) for n in range(30))
    pairs = tuple(replace(PAIR, first=a + 1, second=b + 1, n=2) for a in range(30) for b in range(a + 1, 30))
    large = replace(record, models=many, covariance=(2,) * 465, pairs=pairs)
    found = house.propose(large).sign("north").judge().findings
    assert sum(one.rule == "comparison-numbers" for one in found) == 20
    assert sum(one.rule == "comparison-few-cases" for one in found) == 20


@pytest.mark.parametrize(("mean", "fits"), [("0", True), ("1", True), ("-0.001", False), ("1.001", False)])
def test_a_mean_lies_in_the_range_of_its_metric_ends_included(mean: str, fits: bool) -> None:
    one = replace(with_model(mean=Decimal(mean)), metric=replace(cb.DICE, reduction="median"))
    assert ("/models/0/mean" not in pointers(one)) is fits


def test_where_pairs_rest_on_other_cases_a_mean_rank_is_only_bounded_by_the_models() -> None:
    apart = with_pair(n=70, ties=PAIR.ties + 10).comparison
    for rank, fits in ((1, True), (2, True), (Decimal("2.000001"), False)):
        first = replace(apart.models[0], mean_rank=rank)
        one = basis(replace(apart, models=(first, apart.models[1])))
        assert ("/models/0/mean_rank" not in pointers(one)) is fits
    common = basis().comparison
    two = tuple(replace(model, mean_rank=2) for model in common.models)
    assert {"/models/0/mean_rank", "/models/1/mean_rank"} <= pointers(basis(replace(common, models=two)))


def test_one_pair_on_other_cases_frees_every_rank() -> None:
    house = cb.compared()
    house.merge(house.propose(cb.result(house, TREE)).sign("north"))
    record = cb.comparison(house, (REFERENCE, MODEL, TREE))
    free = replace(record, models=tuple(replace(one, mean_rank=Decimal("1.5")) for one in record.models))
    one = Basis(free, cb.DICE, 3, (None, None, None))
    assert "/models/0/mean_rank" in pointers(one)
    wider = replace(record.pairs[2], n=70, ties=record.pairs[2].ties + 10)
    apart = replace(free, pairs=(*record.pairs[:2], wider))
    assert pointers(Basis(apart, cb.DICE, 3, (None, None, None))) == set()


def test_models_that_are_equal_and_constant_vary_by_nothing() -> None:
    record = basis().comparison
    same = tuple(replace(one, mean=Decimal("0.5"), mean_rank=1) for one in record.models)
    zero: dict[str, Any] = dict.fromkeys(("difference", "sd", "w_plus", "variance", "wins", "losses"), 0)
    constant = replace(record, models=same, covariance=(0, 0, 0), pairs=(replace(PAIR, ties=60, **zero),))
    assert pointers(Basis(constant, cb.DICE, 3, (None, None))) == set()
    unit = Decimal("0.000001")
    for number, fits in ((2 * unit, True), (3 * unit, False), (-3 * unit, False)):
        one = Basis(replace(constant, covariance=(0, number, 0)), cb.DICE, 3, (None, None))
        assert ("/covariance/1" not in pointers(one)) is fits
    for number, fits in ((1, True), (Decimal("1.000001"), False), (Decimal("-0.000001"), False)):
        one = Basis(replace(constant, covariance=(number, 0, 0)), cb.DICE, 3, (None, None))
        assert ("/covariance/0" not in pointers(one)) is fits
