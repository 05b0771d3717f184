"""challengeR's three example tasks and the FeTS challenge's example file, made again and ranked by every rule.

The tasks are made from their published seeds by R's generator. What is expected of them was computed by R 4.2 (rank,
wilcox.test with exact = FALSE, p.adjust) as challengeR calls it; the first and last values are those of the table that
challengeR ships.
"""

import itertools

import numpy as np
import pytest
from scipy.special import expit

from medperf_git.leaderboard.statistics import cases as cs
from medperf_git.leaderboard.statistics.agreement import kendall_taus
from medperf_git.leaderboard.statistics.blocks import fets_2022
from medperf_git.leaderboard.statistics.pairs import holm
from tests.support import published_numbers as pn
from tests.support.r_random import RRandom

CASES = 50


def ideal():
    random = RRandom(4)
    random.runif(CASES, 0.9, 1.0)  # drawn by the published script and not used
    return np.array(
        [
            random.runif(CASES, low, high)
            for low, high in [(0.9, 1.0), (0.8, 0.89), (0.7, 0.79), (0.6, 0.69), (0.5, 0.59)]
        ]
    )


def noise():
    return expit(RRandom(1).rnorm(5 * CASES, 1.5, 1.0)).reshape(5, CASES)


def worst():
    """Each case is one of the 120 orders of five algorithms: none is better than another."""
    values = np.linspace(0.8, 1.0, 5)
    return np.array([values[np.argsort(order)] for order in itertools.permutations(range(5))]).T


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (1, [0.265508663142100, 0.372123899636790, 0.572853363351896]),
        (42, [0.914806043496355, 0.937075413297862]),
        (-5, [0.734594767913222, 0.339692771434784]),
    ],
)
def test_uniform_numbers_are_rs(seed, expected):
    assert RRandom(seed).runif(len(expected)) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (1, [-0.626453810742332, 0.183643324222082, -0.835628612410047]),
        (2147483647, [0.494907901076881, -0.853235969526475, 1.592386638003991, 0.233898428729847]),
    ],
)
def test_normal_numbers_are_rs(seed, expected):
    assert RRandom(seed).rnorm(len(expected)) == pytest.approx(expected, abs=1e-13)


def test_a_hundred_thousand_normal_numbers_are_rs():
    drawn = RRandom(123).rnorm(100_000)
    assert drawn.sum() == pytest.approx(97.6748821684981, abs=1e-9)
    assert (drawn.min(), drawn.max()) == pytest.approx((-4.13209045815561, 4.32281520695289), abs=1e-12)


def test_the_tasks_made_again_are_the_table_that_challenger_ships():
    assert ideal()[0, :3] == pytest.approx([0.938860999816097, 0.97459288504906, 0.989542098436505], abs=1e-14)
    assert ideal()[4, -1] == pytest.approx(0.51589159184834, abs=1e-14)
    assert noise()[0, :3] == pytest.approx([0.705483050079144, 0.843386364799023, 0.660241675312884], abs=1e-14)
    assert noise()[4, -1] == pytest.approx(0.925564022262169, abs=1e-14)
    assert worst().shape == (5, 120)


@pytest.mark.parametrize(
    ("task", "means", "ranks"),
    [
        (
            ideal,
            [0.951676134134643, 0.844966620565113, 0.741688779133372, 0.644750174641376, 0.542361039015884],
            [1, 2, 3, 4, 5],
        ),
        (
            noise,
            [0.804679957507077, 0.797521295971629, 0.761480755452862, 0.788406684773371, 0.769741373096057],
            [1, 2, 5, 3, 4],
        ),
        (worst, [0.9] * 5, [1] * 5),
    ],
)
def test_mean_then_rank_is_rs(task, means, ranks):
    found = cs.mean_then_rank(task())
    assert found.scores == pytest.approx(means, abs=1e-12)
    assert found.ranks.tolist() == ranks


@pytest.mark.parametrize(
    ("task", "means", "ranks"),
    [
        (ideal, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        (noise, [2.72, 2.96, 3.32, 2.88, 3.12], [1, 3, 5, 2, 4]),
        (worst, [3] * 5, [1] * 5),
    ],
)
def test_rank_then_mean_is_rs(task, means, ranks):
    found = cs.rank_then_mean(task())
    assert found.scores.tolist() == means
    assert found.ranks.tolist() == ranks


@pytest.mark.parametrize(
    ("task", "adjust", "shares", "ranks"),
    [
        (ideal, "none", [1, 0.75, 0.5, 0.25, 0], [1, 2, 3, 4, 5]),
        (ideal, "holm", [1, 0.75, 0.5, 0.25, 0], [1, 2, 3, 4, 5]),
        (noise, "none", [0.25, 0, 0, 0, 0], [1, 2, 2, 2, 2]),
        (noise, "holm", [0] * 5, [1] * 5),
        (worst, "none", [0] * 5, [1] * 5),
        (worst, "holm", [0] * 5, [1] * 5),
    ],
)
def test_test_then_rank_is_challengers(task, adjust, shares, ranks):
    found = cs.test_then_rank(task(), 0.05, adjust)
    assert found.scores.tolist() == shares
    assert found.ranks.tolist() == ranks


def test_one_sided_p_values_of_the_random_task_are_rs():
    p = cs.wilcoxon_p_greater(noise())
    assert p[0, 1:] == pytest.approx(
        [0.386061760807096, 0.0172547286518218, 0.243516350277621, 0.184658112323824], rel=1e-10
    )
    assert p[1:, 0] == pytest.approx(
        [0.617625974372359, 0.983153272746936, 0.759498207665868, 0.817904511413725], rel=1e-10
    )
    assert p[3, 4] == pytest.approx(0.419677393607995, rel=1e-10)


def test_all_twenty_p_values_are_adjusted_together_as_challenger_does():
    assert holm(cs.wilcoxon_p_greater(noise()))[0, 2] == pytest.approx(0.345094573036436, rel=1e-10)
    assert holm(cs.wilcoxon_p_greater(ideal()))[3, 4] == pytest.approx(7.79049220721842e-09, rel=1e-10)


def test_the_ideal_tasks_p_values_are_rs():
    p = cs.wilcoxon_p_greater(ideal())
    assert p[np.triu_indices(5, 1)] == pytest.approx([3.89524610360921e-10] * 10, rel=1e-10)
    assert p[np.tril_indices(5, -1)] == pytest.approx([0.99999999963349] * 10, rel=1e-12)


def test_differences_of_the_worst_case_that_are_equal_tie_although_floats_differ():
    values = worst()
    p = cs.wilcoxon_p_greater(values)
    assert len(np.unique(np.abs(values[0] - values[1]))) > 4, "the example must hold float noise"
    assert len(np.unique(p[~np.isnan(p)])) == 1
    # R ranks the noise, and gives 0.5005246; with equal differences equal it is half a rank off a half
    assert p[0, 1] == pytest.approx(0.500524590689181, abs=1e-4)


def test_kendalls_tau_of_the_three_tasks_is_one_none_and_none_between_rules():
    assert kendall_taus(cs.mean_then_rank(ideal()).ranks, -cs.rank_then_mean(ideal()).scores[None])[0] == 1
    assert kendall_taus(cs.mean_then_rank(noise()).ranks, -cs.rank_then_mean(noise()).scores[None])[0] == pytest.approx(
        0.8
    )
    assert np.isnan(kendall_taus(cs.mean_then_rank(worst()).ranks, -cs.rank_then_mean(worst()).scores[None])[0])


@pytest.mark.parametrize(
    ("cases", "shares", "ranks"),
    [(1, [0, 0], [1, 1]), (2, [0, 0], [1, 1]), (3, [0, 0], [1, 1]), (4, [0, 1], [2, 1])],
)
def test_equal_differences_in_one_to_four_cases_decide_as_challengers_own_tests_say(cases, shares, ranks):
    found = cs.test_then_rank(np.array([[0.2] * cases, [1.0] * cases]), 0.05, "none")
    assert (found.scores.tolist(), found.ranks.tolist()) == (shares, ranks)


def test_a_case_that_one_model_lacks_is_not_tested_and_is_ranked_last_as_challengers_own_tests_say():
    values = np.array([[np.nan, 0.2, 0.2, 0.2], [1.0] * 4])
    assert cs.test_then_rank(values, 0.05, "none").scores.tolist() == [0, 0]
    assert cs.rank_then_mean(np.array([[np.nan], [0.8]])).scores.tolist() == [2, 1]


def test_the_fets_example_under_fets_2022():
    ranks = cs.site_ranks(pn.FETS_EXAMPLE)
    assert ranks.tolist() == [[1, 2, 3], [1, 3, 2], [2, 2, 1], [1, 1, 3], [1, 1, 1], [1, 3, 2]]
    found = cs.fets_2022_of([pn.FETS_EXAMPLE])
    assert found.scores == pytest.approx([7 / 6, 2, 2], abs=1e-12)
    assert found.ranks.tolist() == [1, 2, 2]  # the challenge's own script gives ties their mean rank: 1, 2.5, 2.5
    assert fets_2022(ranks[None]).ranks.tolist() == [1, 2, 2]


def test_the_fets_example_under_brats():
    assert cs.cumulative_ranks(pn.FETS_EXAMPLE).tolist() == [[7, 10], [13, 14], [15, 11]]
    found = cs.brats_ranks(pn.FETS_EXAMPLE)
    assert found.scores == pytest.approx([17 / 12, 27 / 12, 26 / 12], abs=1e-12)
    assert found.ranks.tolist() == [1, 3, 2]


def test_the_fets_example_split_over_two_sites():
    found = cs.fets_2022_of([pn.FETS_EXAMPLE[..., [0]], pn.FETS_EXAMPLE[..., [1]]])
    assert found.scores == pytest.approx([17 / 12, 2.25, 26 / 12], abs=1e-12)
    assert found.ranks.tolist() == [1, 3, 2]


def test_the_permutation_test_of_the_fets_example_enumerates_all_four_flips():
    found = cs.brats_permutation(pn.FETS_EXAMPLE)
    assert (found.exact, found.draws) == (True, 4)
    assert found.p_greater[0, 1] == 0.25  # 6 and 4 ranks ahead: only the observed flip reaches ten
    assert found.p_greater[1, 2] == 0.75  # 2 ahead, then 3 behind: −1, 5, −5 and 1; three are at least −1
    assert np.isnan(np.diag(found.p_greater)).all()
