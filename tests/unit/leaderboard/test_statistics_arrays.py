"""The arithmetic beneath: exact sums, resamples, quantiles, tau of many rankings, metrics from counts, permutations."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, mannwhitneyu, rankdata

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.statistics import bootstrap, cases, counts, exact
from medperf_git.leaderboard.statistics.agreement import kendall_taus
from medperf_git.leaderboard.statistics.ranks import average_ranks, place, smallest_ranks
from tests.support.leaderboard_grids import grid, ranked

numbers = st.floats(-1e6, 1e6) | st.floats(-1e-6, 1e-6) | st.integers(-1000, 1000).map(lambda n: n / 1000)


@given(st.lists(numbers, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_sums_are_those_of_fractions_in_every_order(values, random):
    times = [random.randrange(0, 40) for _ in values]
    expected = sum((Fraction(v) * n for v, n in zip(values, times, strict=True)), Fraction(0))
    order = random.sample(range(len(values)), len(values))
    one = exact.exact_sums(np.array([times]), np.array(values)[:, None])
    other = exact.exact_sums(np.array([[times[i] for i in order]]), np.array(values)[order][:, None])
    assert one.tolist() == other.tolist()
    assert float(one[0, 0]) == pytest.approx(float(expected), rel=1e-15, abs=1e-15 * max(map(abs, values)) + 1e-280)


def test_sums_in_pieces_are_the_same_bits(monkeypatch):
    random = np.random.Generator(np.random.PCG64(1))
    times, values = random.integers(0, 9, size=(50, 7)), random.normal(size=(7, 3, 4))
    whole = exact.exact_sums(times, values)
    monkeypatch.setattr(exact, "MOST_NUMBERS", 40)
    assert np.array_equal(exact.exact_sums(times, values), whole)
    assert whole.shape == (50, 3, 4)


def test_the_same_values_at_other_sites_sum_to_the_same_bits():
    random = np.random.Generator(np.random.PCG64(9))
    values = random.random((40, 25))
    shuffled = random.permuted(values, axis=0)
    once = np.ones((1, 40), dtype=int)
    assert np.array_equal(exact.exact_sums(once, values), exact.exact_sums(once, shuffled))


def test_draws_made_in_pieces_are_those_of_one_call(monkeypatch):
    whole = np.random.Generator(np.random.PCG64(5)).integers(0, 13, size=(10_000, 13))
    monkeypatch.setattr(exact, "MOST_NUMBERS", 13 * 777)
    bootstrap.resamples.cache_clear()
    drawn = bootstrap.resamples(13, 5).counts
    bootstrap.resamples.cache_clear()
    assert np.array_equal(drawn, [np.bincount(row, minlength=13) for row in whole])


def test_ten_thousand_draws_of_ten_sites_come_close_to_all_92378_resamples(monkeypatch):
    values = np.random.Generator(np.random.PCG64(1)).random((1, 10))
    drawn = un.score_intervals(values, np.ones((1, 10)), seed=1)[0]
    monkeypatch.setattr(bootstrap, "EXACT_BELOW", 11)
    bootstrap.resamples.cache_clear()
    every = un.score_intervals(values, np.ones((1, 10)), seed=1)[0]
    assert len(bootstrap.resamples(10, 1).weights) == math.comb(19, 10) == 92378
    bootstrap.resamples.cache_clear()
    assert (drawn.low, drawn.high) == pytest.approx((every.low, every.high), abs=0.01)
    assert drawn.mean == every.mean


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 100))
def test_a_quantile_of_equal_weights_is_that_of_the_sorted_list(values, percent):
    draws = bootstrap.Resamples(np.zeros((len(values), 1), int), np.ones(len(values), int), len(values), exact=False)
    found = bootstrap.quantile(np.array(values, float), draws, numerator=percent, denominator=100)
    assert found == min(
        x for x in values if Fraction(sum(v <= x for v in values), len(values)) >= Fraction(percent, 100)
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=30), st.integers(1, 100))
def test_a_quantile_of_weights_is_that_of_each_value_repeated(pairs, percent):
    values, weights = np.array(pairs).T
    draws = bootstrap.Resamples(np.zeros((len(values), 1), int), weights, int(weights.sum()), exact=True)
    each = np.repeat(values, weights)
    alike = bootstrap.Resamples(np.zeros((len(each), 1), int), np.ones(len(each), int), len(each), exact=False)
    found = bootstrap.quantile(values.astype(float), draws, numerator=percent, denominator=100)
    assert found == bootstrap.quantile(each.astype(float), alike, numerator=percent, denominator=100)


@given(
    st.integers(2, 6).flatmap(
        lambda k: st.tuples(
            st.lists(st.integers(1, 4), min_size=k, max_size=k),
            st.lists(st.lists(st.integers(0, 3), min_size=k, max_size=k), min_size=1, max_size=5),
        )
    )
)
def test_tau_of_many_rankings_is_scipys_of_each(given_):
    ranks, rows = given_
    found = kendall_taus(ranks, np.array(rows, dtype=float))
    for tau, row in zip(found, rows, strict=True):
        tied = len(set(ranks)) == 1 or len(set(row)) == 1
        assert math.isnan(tau) if tied else tau == pytest.approx(kendalltau(ranks, [-x for x in row]).statistic)


def test_tau_b_with_ties_is_rs():
    assert un.kendall_tau((1, 2, 2, 4, 5), (2, 1, 2, 4, 4)) == pytest.approx(0.58925565098879, abs=1e-12)


def test_too_many_pairs_of_models_rest_tau_on_fewer_resamples_and_say_so(monkeypatch):
    random = np.random.Generator(np.random.PCG64(8))
    for sites in (6, 12):
        found = ranked(grid(random.random((30, sites)).round(3)))
        full = un.contest(found, seed=3)
        monkeypatch.setattr(un, "MOST_SIGNS", 400 * 435)
        fewer = un.contest(found, seed=3)
        monkeypatch.undo()
        assert full.tau_resamples == (462 if sites == 6 else 10_000)
        assert fewer.tau_resamples == 400
        assert fewer.mean_tau == pytest.approx(full.mean_tau, abs=0.05)
        assert fewer.mean_tau != full.mean_tau


def test_all_intervals_at_once_are_each_models_own():
    random = np.random.Generator(np.random.PCG64(3))
    for sites in (4, 7, 14):
        values = random.random((9, sites)).round(3)
        values[random.random(values.shape) < 0.2] = np.nan
        given_ = grid(values, cases=random.integers(1, 90, size=(1, sites)))
        for weights in ("equal", "cases", "sqrt-cases"):
            together = un.own_intervals(given_, weights, metric=0, seed=4)
            alone = [un.own_interval(given_, weights, metric=0, model=m, seed=4) for m in range(9)]
            assert together == alone


def test_leaving_each_site_out_is_ranking_the_rest():
    random = np.random.Generator(np.random.PCG64(3))
    for weights in ("equal", "cases"):
        found = ranked(
            grid(random.random((2, 6, 8)).round(2), cases=random.integers(1, 90, size=(1, 1, 8))), weights=weights
        )
        for number, (site, again) in enumerate(un.leave_one_out(found)):
            rest = found.counted.grid.keep(range(6), [s for s in range(8) if s != number])
            expected = rk.rank(rk.Counted(rest, (), ()), found.rule, weights=weights)
            assert site == found.counted.grid.sites[number]
            assert again.ranks == expected.ranks
            assert again.scores == pytest.approx(expected.scores, abs=1e-14)


def test_hundreds_of_models_at_a_thousand_sites_are_ranked_in_pieces():
    random = np.random.Generator(np.random.PCG64(0))
    found = ranked(grid(random.random((400, 1000)).round(4)))
    low = min(again.ranks[0] for _, again in un.leave_one_out(found))
    assert 1 <= low <= found.ranks[0]
    assert un.contest(found, seed=1).tau_resamples == un.MOST_SIGNS // math.comb(400, 2)


@given(st.lists(st.integers(0, 5) | st.none(), min_size=1, max_size=12))
def test_ranks_count_those_strictly_better(values):
    merit = np.array([np.nan if v is None else v for v in values], dtype=float)
    there = [v for v in values if v is not None]
    expected = [1 + (len(there) if v is None else sum(o > v for o in there)) for v in values]
    assert smallest_ranks(merit).tolist() == expected


def test_what_has_no_score_is_not_ranked():
    assert place(np.array([0.5, np.nan, 0.7]), low_is_good=False).ranks.tolist() == [2, 0, 1]
    assert place(np.array([0.5, np.nan, 0.7]), low_is_good=True).ranks.tolist() == [1, 0, 2]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=60))
def test_auroc_of_counts_is_the_mann_whitney_statistic(cases_):
    pos, neg = ([bin_ for bin_, truth in cases_ if truth is kind] for kind in (True, False))
    bins = [[group.count(b) for b in range(5)] for group in (pos, neg)]
    by_threshold = [
        [sum(b >= t for b in pos) for t in range(5)],
        [sum(b >= t for b in neg) for t in range(5)],
        [sum(b < t for b in pos) for t in range(5)],
        [sum(b < t for b in neg) for t in range(5)],
    ]
    if not pos or not neg:
        assert np.isnan(counts.auroc_of_histograms(*bins))
        assert np.isnan(counts.auroc(*by_threshold))
        return
    expected = mannwhitneyu(pos, neg).statistic / (len(pos) * len(neg))
    assert float(counts.auroc_of_histograms(*bins)) == pytest.approx(expected)
    assert float(counts.auroc(*by_threshold)) == pytest.approx(expected)
    assert float(counts.auroc(*np.array(by_threshold)[:, ::-1])) == pytest.approx(expected)


def test_metrics_of_one_table_of_counts_are_those_of_the_textbook():
    table = {"tp": 90, "fp": 30, "fn": 10, "tn": 870}
    assert float(counts.sensitivity(90, 10)) == 0.9
    assert float(counts.specificity(870, 30)) == pytest.approx(870 / 900)
    assert float(counts.precision(90, 30)) == 0.75
    assert float(counts.accuracy(**table)) == 0.96
    assert float(counts.balanced_accuracy(**table)) == pytest.approx((0.9 + 870 / 900) / 2)
    assert float(counts.f1(90, 30, 10)) == pytest.approx(180 / 220)
    phi = (90 * 870 - 30 * 10) / math.sqrt(120 * 100 * 900 * 880)
    assert float(counts.matthews(**table)) == pytest.approx(phi)


def test_macro_f1_of_pooled_counts_is_not_the_mean_of_the_sites():
    tp, fp, fn = np.array([[[8, 1], [2, 2], [1, 3]], [[20, 9], [1, 4], [6, 0]]], dtype=float).transpose(1, 0, 2)
    pooled = counts.macro_f1(tp.sum(axis=0), fp.sum(axis=0), fn.sum(axis=0))
    assert float(pooled) == pytest.approx((56 / (56 + 3 + 7) + 20 / (20 + 6 + 3)) / 2)
    assert float(pooled) != pytest.approx(float(counts.macro_f1(tp, fp, fn).mean()))
    assert float(counts.micro_f1([8, 1], [2, 2], [1, 3])) == pytest.approx(18 / (18 + 4 + 4))


def test_a_class_that_is_nowhere_takes_no_part_in_macro_f1():
    assert float(counts.macro_f1([8, 0], [2, 0], [1, 0])) == pytest.approx(16 / 19)
    assert np.isnan(counts.macro_f1([0, 0], [0, 0], [0, 0]))


def test_a_site_that_publishes_no_counts_adds_none():
    assert counts.pooled_counts([[1, 2], [np.nan, np.nan], [3, 4]]).tolist() == [4, 6]


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=6))
@settings(max_examples=30, deadline=None)
def test_the_permutation_test_of_few_cases_counts_every_flip(rows):
    values = np.array(rows, dtype=float).T[None]
    found = cases.brats_permutation(values, draws=64)
    ranks = cases.cumulative_ranks(values)
    for one, other in ((0, 1), (2, 1)):
        ahead = ranks[other] - ranks[one]
        flips = [
            sum(sign * d for sign, d in zip(signs, ahead, strict=True)) for signs in product((1, -1), repeat=len(rows))
        ]
        assert found.p_greater[one, other] == sum(flip >= ahead.sum() for flip in flips) / len(flips)


def test_drawn_permutations_depend_on_the_seed_alone(monkeypatch):
    values = np.random.Generator(np.random.PCG64(1)).random((2, 4, 30))
    found = cases.brats_permutation(values, draws=500, seed=7)
    monkeypatch.setattr(cases, "MOST_NUMBERS", 300)
    again = cases.brats_permutation(values, draws=500, seed=7)
    assert np.array_equal(found.p_greater, again.p_greater, equal_nan=True)
    assert not found.exact
    other = cases.brats_permutation(values, draws=500, seed=8)
    assert not np.array_equal(found.p_greater, other.p_greater, equal_nan=True)


def test_drawn_permutations_come_close_to_all_of_them():
    values = np.random.Generator(np.random.PCG64(2)).random((3, 3, 12))
    every = cases.brats_permutation(values, draws=4096)
    drawn = cases.brats_permutation(values, draws=4000, seed=1)
    assert every.exact
    assert not drawn.exact
    assert drawn.p_greater == pytest.approx(every.p_greater, abs=0.03, nan_ok=True)


def test_a_clear_winner_of_many_cases_has_the_smallest_p_that_draws_can_give():
    values = np.stack([np.full(40, 0.9), np.full(40, 0.1)])[None]
    found = cases.brats_permutation(values, draws=999)
    assert found.p_greater[0, 1] == 1 / 1000
    assert found.p_greater[1, 0] == 1


@given(st.lists(st.sampled_from([np.nan, -np.inf, -1.0, -0.0, 0.0, 0.5, 2.0]), max_size=24), st.integers(1, 3))
def test_ranks_are_those_of_scipy(values, rows):
    table = np.array(values)[: len(values) // rows * rows].reshape(rows, -1)
    worst = np.where(np.isnan(table), np.inf, -table)
    assert smallest_ranks(table).tolist() == rankdata(worst, method="min", axis=-1).tolist()
    if table.size:
        expected = rankdata(table, axis=1, nan_policy="omit")
        assert np.array_equal(average_ranks(table), expected, equal_nan=True)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=2, max_size=20))
def test_kendalls_tau_of_two_rankings_is_that_of_scipy(pairs):
    one, other = zip(*pairs, strict=True)
    found = un.kendall_tau(one, other)
    if isinstance(found, float):
        assert found == np.round(kendalltau(one, other).statistic, 12)
    else:
        assert len(set(one)) == 1 or len(set(other)) == 1
