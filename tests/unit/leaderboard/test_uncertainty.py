"""The site bootstrap against brute force, and the cases in which there is no number."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.statistics import bootstrap
from tests.support.leaderboard_grids import grid, ranked


@pytest.mark.parametrize(("sites", "distinct"), [(5, 126), (6, 462), (8, 6435), (9, 24310)])
def test_every_distinct_resample_is_enumerated_with_exact_weights(sites, distinct):
    draws = bootstrap.resamples(sites, 0)
    assert draws.exact
    assert len(draws.weights) == distinct == math.comb(2 * sites - 1, sites)
    assert int(draws.weights.sum()) == draws.total == sites**sites
    assert (draws.counts.sum(axis=1) == sites).all()


def brute_quantile(values, weights, q):
    sums = Counter()
    for pick in itertools.product(range(len(values)), repeat=len(values)):
        top, bottom = sum(values[i] * weights[i] for i in pick), sum(weights[i] for i in pick)
        sums[round(top / bottom, 12)] += 1
    reached = 0
    for x in sorted(sums):
        reached += sums[x]
        if Fraction(reached, len(values) ** len(values)) >= q:
            return x
    raise AssertionError


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(0, 1000), min_size=5, max_size=6),
    st.lists(st.integers(1, 50), min_size=6, max_size=6),
)
def test_exact_bootstrap_equals_enumerating_every_ordered_resample(thousandths, sizes):
    values, weights = [x / 1000 for x in thousandths], [float(n) for n in sizes[: len(thousandths)]]
    interval = un.score_interval(np.array(values), np.array(weights), seed=1)
    assert interval.kind is un.IntervalKind.EXACT
    assert interval.low == pytest.approx(brute_quantile(values, weights, Fraction(25, 1000)), abs=1e-11)
    assert interval.high == pytest.approx(brute_quantile(values, weights, Fraction(975, 1000)), abs=1e-11)


def test_quantile_is_the_smallest_value_whose_share_reaches_q():
    draws = bootstrap.Resamples(np.zeros((4, 1), np.int64), np.array([1, 1, 1, 1]), 4, exact=True)
    values = np.array([4.0, 3.0, 2.0, 1.0])
    assert bootstrap.quantile(values, draws, numerator=1, denominator=4) == 1.0
    assert bootstrap.quantile(values, draws, numerator=26, denominator=100) == 2.0
    assert bootstrap.quantile(values, draws, numerator=1, denominator=1) == 4.0


@pytest.mark.parametrize("sites", [2, 3, 4])
def test_below_five_sites_there_is_a_range_and_no_interval(sites):
    values = np.linspace(0.2, 0.8, sites)
    interval = un.score_interval(values, np.ones(sites), seed=1)
    assert interval.kind is un.IntervalKind.RANGE
    assert (interval.low, interval.high) == (0.2, 0.8)


def test_one_site_says_so():
    assert un.score_interval(np.array([0.7]), np.ones(1), seed=1).kind is un.IntervalKind.SINGLE


def test_from_ten_sites_on_the_seed_decides_and_nothing_else():
    values = np.random.Generator(np.random.PCG64(3)).random(12)
    first, again = (un.score_interval(values, np.ones(12), seed=11) for _ in range(2))
    assert first == again
    assert first.kind is un.IntervalKind.DRAWN
    assert bootstrap.resamples(12, 11).total == 10_000
    assert not np.array_equal(bootstrap.resamples(12, 11).counts, bootstrap.resamples(12, 12).counts)


def test_the_draws_are_those_of_pcg64():
    picks = np.random.Generator(np.random.PCG64(11)).integers(0, 12, size=(10_000, 12))
    assert np.array_equal(bootstrap.resamples(12, 11).counts[0], np.bincount(picks[0], minlength=12))


def test_a_models_interval_rests_on_the_sites_it_has():
    given_ = grid([[0.1, 0.2, 0.3], [0.5, np.nan, 0.7]])
    interval = un.own_interval(given_, "equal", metric=0, model=1, seed=1)
    assert (interval.low, interval.high, interval.sites) == (0.5, 0.7, 2)
    assert interval.mean == pytest.approx(0.6)


def test_a_model_without_values_has_no_interval():
    assert un.own_interval(grid([[np.nan, np.nan]]), "equal", metric=0, model=0, seed=1) == un.Undefined(
        "no value at any site"
    )


def test_leaving_one_site_out_gives_each_ranking_without_it():
    found = ranked(grid([[0.9, 0.9, 0.1], [0.6, 0.6, 0.6]]))  # means 0.633, 0.6
    without = {site: again.ranks for site, again in un.leave_one_out(found)}
    assert without == {"s0": (2, 1), "s1": (2, 1), "s2": (1, 2)}


def test_nothing_can_be_left_out_of_one_site():
    assert list(un.leave_one_out(ranked(grid([[0.9], [0.6]])))) == []


def test_an_all_tied_ranking_has_no_kendall_tau():
    assert un.kendall_tau((1, 1, 1), (1, 2, 3)) == un.Undefined("all models are tied")
    assert isinstance(un.kendall_tau((1,), (1,)), un.Undefined)
    assert un.kendall_tau((1, 2, 3), (3, 2, 1)) == -1.0


def test_below_five_sites_who_is_beside_first_is_read_from_the_single_sites():
    contest = un.contest(ranked(grid([[0.9, 0.9, 0.9], [0.8, 0.95, 0.8], [0.1, 0.1, 0.1]])), seed=1)
    assert not contest.tested
    assert contest.within == (True, True, False)
    assert contest.not_behind == pytest.approx((1, 1 / 3, 0))


def test_with_five_sites_a_clear_leader_stands_alone():
    contest = un.contest(ranked(grid([[0.9] * 5, [0.8] * 5])), seed=1)
    assert contest.tested
    assert contest.within == (True, False)
    assert contest.mean_tau == 1.0


def test_with_five_sites_a_paired_difference_around_zero_cannot_be_told_apart():
    contest = un.contest(ranked(grid([[0.9, 0.7, 0.8, 0.9, 0.7], [0.8, 0.8, 0.8, 0.8, 0.79]])), seed=1)
    assert contest.within == (True, True)
    assert sum(contest.first_share) >= 1  # ties are shared


def test_a_shared_first_place_is_shared():
    assert un.contest(ranked(grid([[0.9] * 6, [0.9] * 6, [0.1] * 6])), seed=1).within == (True, True, False)


def test_nothing_ranked_has_no_contest():
    assert isinstance(un.contest(ranked(grid([[np.nan]])), seed=1), un.Undefined)


def test_mean_tau_over_resamples_is_the_weighted_mean_of_scipys():
    given_ = grid(np.random.Generator(np.random.PCG64(5)).random((4, 5)).round(2))
    found, draws = ranked(given_), bootstrap.resamples(5, 0)
    total = weight = 0.0
    for counts, w in zip(draws.counts, draws.weights, strict=True):
        ranks = rk.smallest_ranks((given_.values[0] * counts).sum(axis=1) / 5)
        if len(set(ranks.tolist())) > 1:
            total, weight = total + w * kendalltau(found.ranks, ranks).statistic, weight + w
    assert un.contest(found, seed=0).mean_tau == pytest.approx(total / weight, abs=1e-10)


def test_one_more_identical_site_narrows_no_interval_below_the_exact_one():
    five = un.score_interval(np.array([0.5] * 5), np.ones(5), seed=1)
    six = un.score_interval(np.array([0.5] * 6), np.ones(6), seed=1)
    assert (five.low, five.high) == (six.low, six.high) == (0.5, 0.5)
