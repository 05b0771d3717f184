"""How models compare on the same cases: against scipy and numpy, and what holds whatever the values are."""

import math
import time
from decimal import Decimal
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from medperf_git.policy.comparison_numbers import Basis, faults_of
from medperf_git.records import models
from medperf_git.records.digests import digest_of
from medperf_git.records.models import ComparedModel, Comparison, MetricValue, Reference
from medperf_git.records.names import Ref
from medperf_git.runner.comparison import Block, NotComparable, compare_cases, signed_ranks
from medperf_git.runner.reduce import record_number

scores = st.integers(0, 40).map(lambda number: number / 40)
tables = st.integers(2, 5).flatmap(
    lambda count: st.lists(st.lists(scores, min_size=count, max_size=count), min_size=2, max_size=30)
)


def by_case(column: list[float]) -> dict[str, float]:
    return {f"c{number}": value for number, value in enumerate(column)}


def block_of(table: list[list[float]], *, higher: bool = True, decimals: int = 4) -> Block:
    columns = [by_case(list(column)) for column in zip(*table, strict=True)]
    return compare_cases(columns, higher_is_better=higher, decimals=decimals)


def z_of(w_plus: float, n: int, variance: float) -> float:
    """Return the statistic of the normal approximation with continuity correction, without zeros."""
    deviation = w_plus - n * (n + 1) / 4
    return (deviation - math.copysign(0.5, deviation) * (deviation != 0)) / math.sqrt(variance)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_signed_ranks_are_those_of_scipy(table: list[list[float]]) -> None:
    values = np.array(table)
    pair = block_of(table).pairs[0]
    differences = np.round(values[:, 0] - values[:, 1], 12)
    if not differences.any():
        assert (pair.w_plus, pair.variance, pair.wins, pair.losses) == (0, 0, 0, 0)
        return
    asked = {"method": "asymptotic", "correction": True, "zero_method": "wilcox"}
    greater = stats.wilcoxon(differences, alternative="greater", **asked)
    assert float(pair.w_plus) == greater.statistic
    ranked = pair.wins + pair.losses
    two_sided = stats.wilcoxon(differences, **asked)
    z = z_of(float(pair.w_plus), ranked, float(pair.variance))
    assert 2 * stats.norm.sf(abs(z)) == pytest.approx(two_sided.pvalue, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_means_and_covariances_are_those_of_numpy(table: list[list[float]]) -> None:
    values, block = np.array(table), block_of(table)
    assert [float(mean) for mean in block.means] == pytest.approx(values.mean(axis=0), abs=0.5001e-4)
    expected = np.cov(values, rowvar=False)[np.triu_indices(values.shape[1])]
    assert [float(one) for one in block.covariance] == pytest.approx(expected, abs=0.5001e-8)
    for pair in block.pairs:
        differences = values[:, pair.first - 1] - values[:, pair.second - 1]
        assert float(pair.difference) == pytest.approx(differences.mean(), abs=0.5001e-4)
        assert float(pair.sd) == pytest.approx(differences.std(ddof=1), abs=0.5001e-4)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_mean_ranks_are_those_of_scipy_with_the_smallest_rank_for_ties(table: list[list[float]]) -> None:
    expected = stats.rankdata(-np.array(table), method="min", axis=1).mean(axis=0)
    assert [float(rank) for rank in block_of(table).mean_ranks] == pytest.approx(expected, abs=0.5001e-6)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_turning_the_direction_turns_signs_and_ranks_only(table: list[list[float]]) -> None:
    one, other = block_of(table), block_of(table, higher=False)
    assert (one.n, one.means, one.covariance) == (other.n, other.means, other.covariance)
    for pair, turned in zip(one.pairs, other.pairs, strict=True):
        assert turned.difference == -pair.difference
        assert (turned.wins, turned.ties, turned.losses) == (pair.losses, pair.ties, pair.wins)
        assert (turned.variance, turned.sd) == (pair.variance, pair.sd)
        ranked = pair.wins + pair.losses
        assert pair.w_plus + turned.w_plus == Decimal(ranked * (ranked + 1)) / 2


@settings(max_examples=40, deadline=None)
@given(tables, st.randoms())
def test_the_order_of_cases_changes_nothing(table: list[list[float]], random: object) -> None:
    shuffled = list(table)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    assert block_of(shuffled) == block_of(table)


@settings(max_examples=80, deadline=None)
@given(tables, st.sampled_from(["higher", "lower"]), st.integers(0, 4))
def test_the_judge_finds_nothing_wrong_with_what_is_computed(
    table: list[list[float]], direction: str, decimals: int
) -> None:
    assert list(faults_of(basis_of(table, direction, decimals))) == []


def basis_of(table: list[list[float]], direction: str, decimals: int) -> Basis:
    block = block_of(table, higher=direction == "higher", decimals=decimals)
    digest = digest_of(b"x")
    refs = [Ref("moa", f"model{number}", 1) for number in range(len(block.means))]
    record = Comparison(
        created="2026-11-25T10:00:00Z",
        benchmark=Reference(Ref("dora", "heart", 1), digest),
        dataset=Reference(Ref("north", "wards", 1), digest),
        metric="dice",
        n=block.n,
        models=tuple(
            ComparedModel(ref, digest, digest, mean, rank)
            for ref, mean, rank in zip(refs, block.means, block.mean_ranks, strict=True)
        ),
        covariance=block.covariance,
        pairs=block.pairs,
        client="medperf-git 0.1.0",
    )
    metric = models.Metric(
        "dice", "Dice", "/*/d", "1", models.Range(0, 1), direction, decimals, "worst", "mean", sd=False  # type: ignore[arg-type]  # one of two words
    )  # fmt: skip
    values = tuple(
        MetricValue(record_number(round(math.fsum(column) / len(column), 12), decimals), n=len(column))
        for column in zip(*table, strict=True)
    )
    return Basis(record, metric, decimals, values)


def test_float_noise_breaks_no_tie() -> None:
    noisy = [[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2], [0.7 - 0.4, 0.3]]
    block = block_of(noisy)
    assert (block.pairs[0].ties, block.pairs[0].wins) == (3, 0)
    orders = [sum(order) / 5 for order in permutations([0.1, 0.2, 0.3, 0.4, 0.7])][:5]
    assert block_of([orders, orders]).mean_ranks == (1, 1, 1, 1, 1)


def test_the_ranks_of_a_textbook_example_are_those_of_the_book() -> None:
    """Differences 1, −2, 2, 2, −5, 0: ranks 1, 3, 3, 3, 5 without the zero."""
    positive, squares = signed_ranks([1, -2, 2, 2, -5, 0])
    assert (positive / 2, squares / 4) == (7, 1 + 3 * 9 + 25)


def test_missing_cases_are_left_out_pair_by_pair() -> None:
    one, two, three = ({"a": 0.5, "b": 0.25, "c": 1.0, "d": 0.5}, {"a": 0.25, "b": 0.5, "c": 0.5}, {"a": 0, "b": 1.0})
    block = compare_cases([one, two, three], higher_is_better=True, decimals=3)
    assert (block.n, [pair.n for pair in block.pairs]) == (2, [3, 2, 2])
    assert (block.pairs[0].wins, block.pairs[0].losses) == (2, 1)
    assert block.means[0] == Decimal("0.375")


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ([{"a": 0.5, "b": 0.5}], "fewer than two models"),
        ([{"a": 0.5}, {"a": 0.5}], "1 cases in common"),
        ([{"a": 0.5, "b": 1.0}, {"c": 0.5}], "0 cases in common"),
        ([{"a": 1e12, "b": -1e12}, {"a": 0.0, "b": 1.0}], "cannot be recorded"),
    ],
)
def test_what_cannot_be_compared_is_said(columns: list[dict[str, float]], fault: str) -> None:
    with pytest.raises(NotComparable, match=fault):
        compare_cases(columns, higher_is_better=True, decimals=3)


def test_numbers_of_many_cases_keep_15_digits() -> None:
    count = 30_000
    block = compare_cases(
        [{str(case): case / count for case in range(count)}, {str(case): 0.0 for case in range(count)}],
        higher_is_better=True,
        decimals=3,
    )
    (pair,) = block.pairs
    assert len(str(pair.variance).replace(".", "")) <= 15
    assert float(pair.variance) == pytest.approx((count - 1) * count * (2 * count - 1) / 24, rel=1e-14)


def test_forty_one_models_take_seconds() -> None:
    random = np.random.default_rng(1)
    columns = [by_case(list(column)) for column in np.round(random.random((41, 1000)), 3).tolist()]
    started = time.process_time()
    block = compare_cases(columns, higher_is_better=True, decimals=3)
    assert len(block.pairs) == 820
    assert time.process_time() - started < 10
