"""Signed-rank tests and Holm's correction, against scipy and against numbers that R 4.2 gave."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from medperf_git.leaderboard.statistics.blocks import rank_by_wins
from medperf_git.leaderboard.statistics.intervals import rank_intervals
from medperf_git.leaderboard.statistics.pairs import holm, signed_rank_sums, stratified_signed_rank
from medperf_git.runner.comparison import signed_ranks

# Hollander and Wolfe (1973), p. 29: the example of R's wilcox.test, depression before and after a tranquiliser.
BEFORE = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
AFTER = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
TIED = (0, 1, -1, 2, 2, -3, 4, 0, 4, 5, -4, 1)  # with zeros and ties of size


def sums(differences):
    """W⁺, n and Σr² / 4 of differences, by numpy's hands alone."""
    there = np.array([d for d in differences if d != 0], dtype=float)
    ranks = rankdata(np.abs(there))
    return ranks[there > 0].sum(), len(there), (ranks**2).sum() / 4


def one_site(differences, **options):
    w, n, v = sums(differences)
    return stratified_signed_rank([w], [n], [v], **options)


def test_hollander_and_wolfes_depression_scores_give_rs_p_values():
    differences = np.round(np.array(BEFORE) - np.array(AFTER), 12)
    found = one_site(differences, correction=True)
    assert float(found.p_greater) == pytest.approx(0.0220054920064757, rel=1e-10)
    assert float(found.p_two_sided) == pytest.approx(0.0440109840129515, rel=1e-10)


@pytest.mark.parametrize(
    ("correction", "two_sided", "greater"),
    [(True, 0.259389847736509, 0.129694923868255), (False, 0.238358503361675, 0.119179251680837)],
)
def test_ties_and_zeros_give_rs_p_values(correction, two_sided, greater):
    found = one_site(TIED, correction=correction)
    assert float(found.p_two_sided) == pytest.approx(two_sided, rel=1e-12)
    assert float(found.p_greater) == pytest.approx(greater, rel=1e-12)


@pytest.mark.filterwarnings("ignore:Sample size too small for normal approximation")
@given(st.lists(st.integers(-6, 6), min_size=1, max_size=60), st.booleans())
@settings(max_examples=80, deadline=None)
def test_one_site_is_scipys_wilcoxon_with_its_method_pinned(differences, correction):
    if not any(differences):
        assert np.isnan(one_site(differences, correction=correction).p_two_sided)
        return
    pinned = {"method": "asymptotic", "correction": correction, "zero_method": "wilcox"}
    found = one_site(differences, correction=correction)
    two = wilcoxon(differences, **pinned)
    more = wilcoxon(differences, alternative="greater", **pinned)
    assert abs(float(found.z)) == pytest.approx(abs(two.zstatistic), abs=1e-12)  # scipy's sign is that of min(W⁺, W⁻)
    assert float(found.p_two_sided) == pytest.approx(two.pvalue, abs=1e-12)
    assert float(found.p_greater) == pytest.approx(more.pvalue, abs=1e-12)


def test_trap_scipy_switches_method_with_n_and_ours_does_not():
    few = [1.5, 2.5, -0.5, 3.5, 4.5]
    assert wilcoxon(few, alternative="greater").pvalue == 2 / 32  # scipy's own choice: exact
    assert float(one_site(few, correction=True).p_greater) == pytest.approx(
        wilcoxon(few, alternative="greater", method="asymptotic", correction=True).pvalue, abs=1e-12
    )


@given(st.lists(st.integers(-9, 9), max_size=40))
def test_sums_are_those_that_sites_publish(differences):
    twice, four_squares = signed_ranks(differences)
    w, _, variance = sums(differences)
    assert (twice / 2, four_squares / 16) == (w, variance)


def test_several_sites_add_their_sums_as_the_formula_says():
    sites = [(3, -1, 2, 5), (1, 1, -2, 4, 6, -3), (2, 7)]
    w, n, v = np.array([sums(site) for site in sites]).T
    found = stratified_signed_rank(w, n, v)
    assert float(found.z) == pytest.approx(sum(w - n * (n + 1) / 4) / np.sqrt(sum(v)), abs=1e-15)


def test_adding_up_in_pieces_changes_nothing():
    sites = np.array([sums(site) for site in [(3, -1, 2, 5), (1, 1, -2, 4, 6, -3), (2, 7)]]).T
    whole, parts = signed_rank_sums(*sites), [signed_rank_sums(*sites[:, [i]]) for i in range(3)]
    assert (float(whole[0]), float(whole[1])) == (sum(float(p[0]) for p in parts), sum(float(p[1]) for p in parts))


def test_a_site_without_the_pair_or_without_a_difference_adds_nothing():
    alone = stratified_signed_rank([8.0], [4], [7.5])
    beside = stratified_signed_rank([8.0, np.nan, 0.0], [4, 0, 0], [7.5, np.nan, 0.0])
    assert float(beside.z) == float(alone.z)


def test_many_pairs_at_once_are_each_pair_alone():
    w, n, v = np.array([[sums((3, -1, 2)), sums((1, 2, 5, -4))], [sums((-1, -2)), sums((4, 4, 1))]]).transpose(2, 0, 1)
    found = stratified_signed_rank(w, n, v)
    assert found.z.shape == (2,)
    assert found.z[1] == stratified_signed_rank(w[1], n[1], v[1]).z


def test_holm_with_ties_and_a_missing_test_is_rs_p_adjust():
    given = [0.01, 0.01, 0.04, 0.03, 0.005, np.nan, 0.5]
    assert holm(given) == pytest.approx([0.05, 0.05, 0.09, 0.09, 0.03, np.nan, 0.5], nan_ok=True)


def test_holm_of_nothing_and_of_no_test_is_nothing():
    assert holm([]).shape == (0,)
    assert np.isnan(holm([[np.nan, np.nan]])).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_decides_as_the_step_down_procedure(p_values):
    adjusted, alpha, order = holm(p_values), 0.05, np.argsort(p_values)
    for step, place in enumerate(order):
        if p_values[place] * (len(p_values) - step) > alpha:
            rejected = set(order[:step].tolist())
            break
    else:
        rejected = set(order.tolist())
    assert set(np.flatnonzero(adjusted <= alpha).tolist()) == rejected


@given(st.permutations(range(8)))
def test_holm_does_not_care_about_order(order):
    p = np.array([0.001, 0.01, 0.01, 0.02, 0.2, 0.04, 0.9, 0.004])
    assert holm(p[list(order)]) == pytest.approx(holm(p)[list(order)])


def test_a_rank_interval_counts_who_is_surely_better_and_surely_worse():
    p = [[np.nan, 0.2, 0.01], [0.2, np.nan, 0.04], [0.01, 0.04, np.nan]]
    better = [[False, True, True], [False, False, True], [False, False, False]]
    found = rank_intervals(p, better, 0.05)
    assert found.low.tolist() == [1, 1, 3]
    assert found.high.tolist() == [2, 2, 3]
    assert found.better.tolist() == [0, 0, 2]


def test_a_p_value_of_just_alpha_is_significant_as_in_challenger():
    p = np.array([[np.nan, 0.05, 0.050001], [0.95, np.nan, np.nan], [0.9, np.nan, np.nan]])
    assert rank_by_wins(p, alpha=0.05, adjust="none").scores.tolist() == [0.5, 0, 0]
    better = np.array([[False, True, True], [False] * 3, [False] * 3])
    assert rank_intervals(p, better, 0.05).low.tolist() == [1, 2, 1]


def test_one_model_alone_is_first_without_any_win():
    found = rank_by_wins(np.array([[np.nan]]), alpha=0.05, adjust="holm")
    assert (found.scores.tolist(), found.ranks.tolist()) == ([0], [1])


def test_without_a_test_every_rank_stays_possible():
    found = rank_intervals(np.full((4, 4), np.nan), np.zeros((4, 4)), 0.05)
    assert (found.low.tolist(), found.high.tolist()) == ([1] * 4, [4] * 4)
