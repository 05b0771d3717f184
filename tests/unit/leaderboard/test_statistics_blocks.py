"""What follows from comparison blocks is what the cases themselves give, to the last digit.

Cases are made for each site, and reduced by the very code that the runner publishes with.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from medperf_git.leaderboard.statistics import blocks, cases
from medperf_git.leaderboard.statistics.pairs import paired_meta, stratified_signed_rank
from medperf_git.runner.comparison import Block, compare_cases

pytestmark = pytest.mark.filterwarnings("ignore:Sample size too small for normal approximation")


@dataclass(frozen=True)
class Sites:
    """The cases of each site, (metric, model, case), and what the sites publish of them."""

    cases: list[np.ndarray]
    blocks: list[list[Block]]  # site, metric

    @property
    def models(self) -> int:
        return self.cases[0].shape[1]

    def mean_ranks(self) -> np.ndarray:
        """Lay published mean ranks out as (site, metric, model)."""
        return np.array([[[float(r) for r in block.mean_ranks] for block in site] for site in self.blocks])

    def n(self) -> np.ndarray:
        return np.array([site[0].n for site in self.blocks])

    def pairs(self, field: str, metric: int = 0) -> np.ndarray:
        """Lay a field of published pairs out as (pair, site)."""
        return np.array([[float(getattr(pair, field)) for pair in site[metric].pairs] for site in self.blocks]).T

    def non_zero(self) -> np.ndarray:
        return self.pairs("wins") + self.pairs("losses")

    def pooled(self) -> np.ndarray:
        return np.concatenate(self.cases, axis=-1)


def exactly(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Differences of values taken to 12 decimals first, as everything that is ranked is."""
    return np.round(np.round(one, 12) - np.round(other, 12), 12)


@st.composite
def sites(draw, metrics=2, most_sites=4) -> Sites:
    """Make sites with few distinct values, so that ties and zero differences are common."""
    models = draw(st.integers(2, 5))
    levels = draw(st.sampled_from([3, 10, 1000]))
    made = []
    for size in draw(st.lists(st.integers(2, 25), min_size=1, max_size=most_sites)):
        seed = draw(st.integers(0, 2**32 - 1))
        random = np.random.Generator(np.random.PCG64(seed))
        made.append(random.integers(0, levels + 1, size=(metrics, models, size)) / levels)
    published = [
        [
            compare_cases([dict(enumerate(row.tolist())) for row in rows], higher_is_better=True, decimals=4)
            for rows in site
        ]
        for site in made
    ]
    return Sites(made, published)


@given(sites())
@settings(max_examples=40, deadline=None)
def test_fets_2022_from_blocks_is_that_of_the_cases(given_):
    found, expected = blocks.fets_2022(given_.mean_ranks()), cases.fets_2022_of(given_.cases)
    assert found.ranks.tolist() == expected.ranks.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


@given(sites(metrics=1))
@settings(max_examples=40, deadline=None)
def test_rank_then_mean_from_blocks_is_that_of_the_cases(given_):
    found = blocks.rank_then_mean_from_blocks(given_.mean_ranks()[:, 0], given_.n())
    expected = cases.rank_then_mean(given_.pooled()[0])
    assert found.ranks.tolist() == expected.ranks.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


@given(sites(metrics=3))
@settings(max_examples=40, deadline=None)
def test_brats_ranks_from_blocks_are_those_of_the_cases(given_):
    found = blocks.brats_from_blocks(np.moveaxis(given_.mean_ranks(), 1, 0), given_.n())
    expected = cases.brats_ranks(given_.pooled())
    assert found.ranks.tolist() == expected.ranks.tolist()
    assert found.scores.tolist() == expected.scores.tolist()


@given(sites(metrics=1))
@settings(max_examples=30, deadline=None)
def test_the_stratified_test_from_blocks_is_that_of_each_sites_signed_ranks(given_):
    found = stratified_signed_rank(given_.pairs("w_plus"), given_.non_zero(), given_.pairs("variance"))
    firsts, seconds = blocks.ordered_pairs(given_.models)
    for pair, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
        excess = variance = 0.0
        for site in given_.cases:
            differences = exactly(site[0, first], site[0, second])
            there = differences[differences != 0]
            if there.size:
                sizes = np.abs(there)
                ranks = np.array([(sizes < size).sum() + ((sizes == size).sum() + 1) / 2 for size in sizes])
                excess += ranks[there > 0].sum() - len(there) * (len(there) + 1) / 4
                variance += (ranks**2).sum() / 4
        if variance:
            assert float(found.z[pair]) == pytest.approx(excess / np.sqrt(variance), abs=1e-12)
        else:
            assert np.isnan(found.z[pair])


@given(sites(metrics=1, most_sites=1), st.sampled_from(["none", "holm"]))
@settings(max_examples=30, deadline=None)
def test_test_then_rank_from_blocks_of_one_site_is_that_of_scipys_wilcoxon(given_, adjust):
    sums = given_.pairs("w_plus"), given_.non_zero(), given_.pairs("variance")
    p = blocks.pairwise_p_greater(*sums, given_.models)
    expected = cases.wilcoxon_p_greater(given_.cases[0][0])
    assert p == pytest.approx(expected, abs=1e-12, nan_ok=True)
    found = blocks.test_then_rank_from_blocks(*sums, given_.models, alpha=0.05, adjust=adjust)
    assert found.ranks.tolist() == cases.test_then_rank(given_.cases[0][0], 0.05, adjust).ranks.tolist()


@given(sites(metrics=1, most_sites=1))
@settings(max_examples=20, deadline=None)
def test_two_sided_tests_for_rank_intervals_are_scipys_adjusted_over_all_pairs(given_):
    sums = given_.pairs("w_plus"), given_.non_zero(), given_.pairs("variance")
    p, better = blocks.pairwise_p_two_sided(*sums, given_.models)
    values = given_.cases[0][0]
    firsts, seconds = blocks.ordered_pairs(given_.models)
    each = []
    for first, second in zip(firsts, seconds, strict=True):
        differences = exactly(values[first], values[second])
        each.append(wilcoxon(differences, method="asymptotic", correction=True).pvalue if differences.any() else np.nan)
    assert p[firsts, seconds] == pytest.approx(blocks.holm(each), abs=1e-12, nan_ok=True)
    assert (p == p.T)[~np.isnan(p)].all()
    assert not (better & better.T).any()


@given(sites(metrics=1))
@settings(max_examples=20, deadline=None)
def test_paired_meta_analysis_from_blocks_is_that_of_the_cases(given_):
    found = paired_meta(given_.pairs("difference"), given_.pairs("sd"), given_.pairs("n"))
    for pair, (first, second) in enumerate(zip(*blocks.ordered_pairs(given_.models), strict=True)):
        each = [site[0, first] - site[0, second] for site in given_.cases]
        expected = paired_meta(
            [d.mean() for d in each], [np.round(d.std(ddof=1), 12) for d in each], [len(d) for d in each]
        )
        assert int(found.k[pair]) == int(expected.k)
        if expected.k:  # differences and deviations are published with four decimals
            assert float(found.estimate[pair]) == pytest.approx(float(expected.estimate), abs=5e-3)


def test_a_site_where_a_model_failed_is_left_out_and_the_others_count():
    ranks = np.array([[[1.0, 2.0, 3.0]], [[2.0, 1.0, np.nan]], [[1.5, 1.2, 2.5]]])
    assert blocks.took_part(ranks).tolist() == [True, False, True]
    assert blocks.fets_2022(ranks).scores.tolist() == [1.5, 1.5, 3.0]
    assert blocks.rank_then_mean_from_blocks(ranks[:, 0], [10, 99, 30]).scores.tolist() == [1.375, 1.4, 2.625]


def test_with_no_site_left_nothing_is_ranked():
    ranks = np.array([[[1.0, np.nan]], [[np.nan, 1.0]]])
    for found in (
        blocks.fets_2022(ranks),
        blocks.rank_then_mean_from_blocks(ranks[:, 0], [3, 4]),
        blocks.brats_from_blocks(np.moveaxis(ranks, 1, 0), [3, 4]),
    ):
        assert found.ranks.tolist() == [0, 0]
        assert np.isnan(found.scores).all()


def test_mean_ranks_rounded_to_six_decimals_are_restored_to_whole_sums():
    sums = np.array([7.0, 1_000_000.0, 333_331.0])
    n = np.array([3, 999_999, 999_998])
    assert blocks.rank_sums(np.round(sums / n, 6), n).tolist() == sums.tolist()


def test_ties_between_sites_are_ties_although_their_mean_ranks_were_rounded():
    # one third and two thirds, rounded to six decimals, do not add up to one
    ranks = np.array([[1.333333, 1.666667], [1.666667, 1.333333]])
    assert blocks.rank_then_mean_from_blocks(ranks, [3, 3]).ranks.tolist() == [1, 1]


def test_pairs_stand_in_the_order_of_the_record():
    block = compare_cases(
        [{"a": 1.0, "b": 2.0}, {"a": 2.0, "b": 1.0}, {"a": 0.0, "b": 3.0}], higher_is_better=True, decimals=2
    )
    firsts, seconds = blocks.ordered_pairs(3)
    assert [(pair.first - 1, pair.second - 1) for pair in block.pairs] == list(
        zip(firsts.tolist(), seconds.tolist(), strict=True)
    )
