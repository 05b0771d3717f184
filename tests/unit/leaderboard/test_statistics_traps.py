"""Each trap that a table of several sites sets, by name; some stand with the rule they belong to, as `test_trap_…`."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.statistics import blocks, bootstrap, cases, counts
from medperf_git.leaderboard.statistics.agreement import kendall_taus
from tests.support.leaderboard_grids import grid, ranked

NAN = float("nan")
SCORES = (0.1, 0.2, 0.3, 0.7, 0.9, 1e-3)
PERMUTED = np.array(list(itertools.permutations(SCORES)))[::144]

BY_CASES = {
    "mean-then-rank": cases.mean_then_rank,
    "rank-then-mean": cases.rank_then_mean,
    "fets-2022": lambda values: cases.fets_2022_of([values[None]]),
    "brats": lambda values: cases.brats_ranks(values[None]),
    "test-then-rank": lambda values: cases.test_then_rank(values, 0.05, "holm"),
}
BY_SITES = ("mean-of-sites", "mean-then-rank")


def test_trap_exact_ties_are_not_broken_by_float_noise_in_means():
    assert len({sum(row) for row in PERMUTED.tolist()}) > 1, "the example must hold float noise"
    assert cases.mean_then_rank(PERMUTED).ranks.tolist() == [1] * 5
    assert ranked(grid(PERMUTED)).ranks == (1,) * 5


def test_trap_exact_ties_of_large_values_are_not_broken_by_float_noise_either():
    volumes = np.array([[23456.01, 23456.03], [23456.02, 23456.02]])
    assert len(set(volumes.mean(axis=1).round(12).tolist())) == 2, "the example must hold noise beyond 12 decimals"
    assert cases.mean_then_rank(volumes).ranks.tolist() == [1, 1]
    assert ranked(grid(volumes, higher=False)).ranks == (1, 1)
    assert ranked(grid([[1234.56789012345], [1234.56789012344]])).ranks == (1, 2)


def test_trap_exact_ties_are_not_broken_by_float_noise_within_a_case():
    noisy = np.array([[0.1 + 0.2, 0.8], [0.3, 0.1 + 0.7]])
    assert noisy[0, 0] != noisy[1, 0]
    assert noisy[0, 1] != noisy[1, 1]
    for rule in BY_CASES.values():
        assert rule(noisy).ranks.tolist() == [1, 1]


def test_trap_equal_differences_are_zeros_and_ties_of_wilcoxon_although_floats_differ():
    one, other = np.array([0.3, 0.3, 0.4, 0.4]), np.array([0.1 + 0.2, 0.2, 0.3, 0.1])
    assert one[0] - other[0] != 0
    assert one[1] - other[1] != one[2] - other[2]
    exact = np.array([[0, 1, 1, 3], [0, 0, 0, 0]], dtype=float)
    for large in (0, 23456, 7654321):
        found = cases.wilcoxon_p_greater(np.array([one + large, other + large]))
        assert found[0, 1] == cases.wilcoxon_p_greater(exact)[0, 1]


def test_trap_an_all_tied_ranking_has_no_kendall_tau():
    assert un.kendall_tau((1, 1, 1), (1, 2, 3)) == un.Undefined("all models are tied")
    assert np.isnan(kendall_taus((1, 2, 3), np.array([[0.5, 0.5, 0.5]]))).all()
    assert np.isnan(kendall_taus((1, 1, 1), np.array([[0.5, 0.6, 0.7]]))).all()
    tied = un.contest(ranked(grid([[0.5] * 6, [0.5] * 6])), seed=1)
    assert tied.mean_tau == un.Undefined("all models are tied")


def test_trap_resamples_that_are_all_tied_do_not_count_as_agreement():
    """Two models that differ at one site only: the resamples without that site have no tau, and are left out."""
    found = un.contest(ranked(grid([[0.9, 0.5, 0.5, 0.5, 0.5], [0.5] * 5])), seed=1)
    assert found.mean_tau == 1.0
    assert found.tau_resamples == 126


def test_trap_a_site_with_one_class_has_no_auroc_missing_and_not_zero():
    positives_only = counts.auroc([5, 3, 0], [0, 0, 0], [0, 2, 5], [0, 0, 0])
    assert np.isnan(positives_only)
    assert np.isnan(counts.auroc_of_histograms([1, 2, 2], [0, 0, 0]))
    found = ranked(grid([[0.9, NAN], [0.8, 0.7]]))
    assert found.counted.sites_out == (rk.LeftOut("s1", "no value: m0"),)
    assert found.scores[0].tolist() == [0.9, 0.8]


def test_trap_a_site_with_one_class_still_adds_its_counts_to_a_pooled_auroc():
    site, one_class = [[0, 1, 3], [3, 1, 0]], [[0, 0, 4], [0, 0, 0]]
    pooled = counts.pooled_counts([site, one_class])
    assert counts.auroc_of_histograms(*pooled) == pytest.approx(counts.auroc_of_histograms([0, 1, 7], [3, 1, 0]))


@pytest.mark.parametrize(
    ("missing", "expected", "sites", "models"),
    [
        ("exclude-site", (1, 2, 3), ("s0", "s2"), ("m0", "m1", "m2")),
        ("exclude-model", (1, 2), ("s0", "s1", "s2"), ("m0", "m2")),
        ("worst", (1, 3, 2), ("s0", "s1", "s2"), ("m0", "m1", "m2")),
    ],
)
def test_trap_a_model_absent_at_a_site_is_treated_as_declared(missing, expected, sites, models):
    found = ranked(grid([[0.9, 0.9, 0.9], [0.8, NAN, 0.8], [0.7, 0.7, 0.7]], worst=0.0), missing=missing)
    assert found.counted.grid.sites == sites
    assert found.counted.grid.models == models
    assert found.ranks == expected


def test_trap_missing_and_failed_are_never_ranked_and_always_listed_with_the_reason():
    found = ranked(grid([[0.9, 0.9], [NAN, NAN], [0.5, NAN]]), missing="exclude-model")
    assert found.rank_of("m1") is None
    assert found.counted.models_out == (rk.LeftOut("m1", "no value at any site"), rk.LeftOut("m2", "no value: s1"))
    nobody = cases.mean_then_rank(np.array([[0.4, 0.5], [NAN, NAN]]))
    assert nobody.ranks.tolist() == [1, 0]
    assert np.isnan(nobody.scores[1])


def test_trap_a_missing_case_is_the_worst_of_its_case_and_missing_ones_share_that_rank():
    ranks = cases.case_ranks([[0.1, NAN, 0.9], [0.2, NAN, NAN], [0.3, 0.5, NAN]])
    assert ranks.T.tolist() == [[3, 2, 1], [2, 2, 1], [1, 2, 2]]


def test_trap_fets_leaves_out_a_site_where_some_model_failed():
    whole, failed = np.array([[[0.9, 0.8], [0.1, 0.2]]]), np.array([[[NAN, NAN], [0.5, 0.5]]])
    assert cases.fets_2022_of([whole, failed]).scores.tolist() == [1, 2]


def test_trap_weighting_can_reverse_an_order_and_every_weighting_can_be_shown():
    given_ = grid([[0.95, 0.60], [0.70, 0.80]], cases=[[4, 36]])
    orders = {weights: ranked(given_, weights=weights).ranks for weights in ("equal", "cases", "sqrt-cases")}
    assert orders == {"equal": (1, 2), "cases": (2, 1), "sqrt-cases": (2, 1)}


def test_trap_pooling_cases_across_sites_understates_the_interval_by_half():
    """Six sites that differ, forty cases each: resampling cases as if they were of one site claims far too much."""
    random = np.random.Generator(np.random.PCG64(6))
    sites = np.array([0.70, 0.74, 0.78, 0.82, 0.86, 0.90])
    values = sites[:, None] + random.normal(0, 0.05, size=(6, 40))
    interval = un.score_interval(values.mean(axis=1), np.ones(6), seed=1)
    picks = random.integers(0, 240, size=(4000, 240))
    low, high = np.quantile(values.ravel()[picks].mean(axis=1), [0.025, 0.975])
    assert high - low < (interval.high - interval.low) / 2


def test_trap_three_sites_give_extremes_of_one_in_27_and_so_no_interval():
    draws = bootstrap.resamples(3, 0)
    assert draws.weights[(draws.counts == 3).any(axis=1)].tolist() == [1, 1, 1]
    assert draws.total == 27
    assert Fraction(1, 27) > Fraction(25, 1000)
    assert un.score_interval(np.array([0.1, 0.2, 0.3]), np.ones(3), seed=1).kind is un.IntervalKind.RANGE


def test_trap_one_site_is_no_test_and_one_case_is_no_significant_win():
    assert not un.contest(ranked(grid([[0.9], [0.1]])), seed=1).tested
    assert cases.test_then_rank(np.array([[0.9], [0.1]]), 0.05, "none").scores.tolist() == [0, 0]


def test_trap_models_that_never_differ_have_no_test():
    assert np.isnan(cases.wilcoxon_p_greater(np.full((2, 9), 0.5))).all()
    p = blocks.pairwise_p_greater([[0.0]], [[0]], [[0.0]], 2)
    assert np.isnan(p).all()


models_by_cases = st.integers(2, 5).flatmap(
    lambda models: st.lists(
        st.lists(st.integers(0, 12), min_size=models, max_size=models), min_size=3, max_size=14
    ).map(lambda rows: np.array(rows).T / 16)
)


@pytest.mark.parametrize("name", BY_CASES)
@given(values=models_by_cases, data=st.data())
@settings(max_examples=20, deadline=None)
def test_relabelling_models_permutes_their_ranks(name, values, data):
    order = list(data.draw(st.permutations(range(len(values)))))
    assert BY_CASES[name](values[order]).ranks.tolist() == BY_CASES[name](values).ranks[order].tolist()


@pytest.mark.parametrize("name", BY_CASES)
@given(values=models_by_cases, step=st.integers(-5, 5), data=st.data())
@settings(max_examples=20, deadline=None)
def test_adding_a_constant_or_reordering_cases_changes_no_rank(name, values, step, data):
    order = list(data.draw(st.permutations(range(values.shape[1]))))
    assert BY_CASES[name](values[:, order] + step).ranks.tolist() == BY_CASES[name](values).ranks.tolist()


@pytest.mark.parametrize("rule", BY_SITES)
@pytest.mark.parametrize("weights", ["equal", "cases", "sqrt-cases", "capped-cases"])
@given(
    values=models_by_cases,
    sizes=st.lists(st.integers(1, 400), min_size=14, max_size=14),
    step=st.integers(-5, 5),
    data=st.data(),
)
@settings(max_examples=10, deadline=None)
def test_site_rules_do_not_care_about_labels_constants_or_the_order_of_sites(rule, weights, values, sizes, step, data):
    given_ = grid(values, cases=[sizes[: values.shape[1]]], cap=50)
    plain = ranked(given_, rule=rule, weights=weights)
    order = list(data.draw(st.permutations(range(len(values)))))
    sites = list(data.draw(st.permutations(range(values.shape[1]))))
    moved = grid(values[order][:, sites] + step, cases=[[sizes[s] for s in sites]], cap=50)
    assert ranked(moved, rule=rule, weights=weights).ranks == tuple(plain.ranks[i] for i in order)


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=6), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_one_more_identical_site_narrows_no_interval_below_the_exact_one(thousandths, more):
    """An interval over K sites and one more that repeats a site is the exact one over those K + 1, no narrower."""
    values = np.array([*thousandths, thousandths[more % len(thousandths)]]) / 1000
    interval = un.score_interval(values, np.ones(len(values)), seed=1)
    draws = bootstrap.resamples(len(values), 1)
    whole = (values * 1000).round().astype(int)
    means = sorted(zip((draws.counts @ whole).tolist(), draws.weights.tolist(), strict=True))
    tail, reached = Fraction(25, 1000) * draws.total, 0
    ends = []
    for edge in (tail, draws.total - tail):
        reached = 0
        for mean, weight in means:
            reached += weight
            if reached >= edge:
                ends.append(mean / len(values) / 1000)
                break
    assert (interval.low, interval.high) == pytest.approx(tuple(ends), abs=1e-11)
