"""Ranking rules over the cases themselves, where they are at hand; NaN is a case that a model lacks.

A missing value is the worst of its case: it is ranked last, and missing ones share that rank.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medperf_git.leaderboard.statistics.blocks import Adjust, fets_2022, rank_by_wins
from medperf_git.leaderboard.statistics.ranks import DECIMALS, Floats, Ints, Places, place, smallest_ranks

MOST_NUMBERS = 4_000_000  # what one chunk of permutations may hold: 32 MB


@dataclass(frozen=True, slots=True)
class Permutation:
    """One-sided p-values of a permutation test that the row's model is better than the column's, (model, model)."""

    p_greater: Floats
    draws: int
    exact: bool


def mean_then_rank(values: ArrayLike) -> Places:
    """Average each model's values (model, case) over its cases, then rank; a model without any is not ranked."""
    given = np.asarray(values, dtype=np.float64)
    count = (~np.isnan(given)).sum(axis=-1)
    total = np.nansum(given, axis=-1)
    return place(np.where(count > 0, total / np.maximum(count, 1), np.nan), low_is_good=False)


def case_ranks(values: ArrayLike) -> Ints:
    """Rank the models within each case, (…, model, case); the smallest rank for ties, missing last."""
    return np.moveaxis(smallest_ranks(np.moveaxis(np.asarray(values, dtype=np.float64), -2, -1)), -1, -2)


def rank_then_mean(values: ArrayLike) -> Places:
    """Rank the models within each case of (model, case), average each model's ranks, and rank the averages."""
    return place(case_ranks(values).mean(axis=-1), low_is_good=True)


def site_ranks(values: ArrayLike) -> Ints:
    """Rank the models of one site in each metric, (metric, model, case) to (metric, model): rank, average, rank."""
    return smallest_ranks(-case_ranks(values).mean(axis=-1))


def fets_2022_of(sites: list[Floats]) -> Places:
    """Rank as the FeTS 2022 challenge did, from the cases of each site, (metric, model, case) each.

    A site where some model has no value at all in some metric is left out: that model failed there.
    """
    ranks = []
    for values in sites:
        absent = np.isnan(values).all(axis=-1)
        ranks.append(np.where(absent, np.nan, site_ranks(values)))
    return fets_2022(np.stack(ranks))


def cumulative_ranks(values: ArrayLike) -> Ints:
    """Add up each model's ranks over the metrics of a case: (metric, model, case) to (model, case)."""
    return np.asarray(case_ranks(values).sum(axis=0))


def brats_ranks(values: ArrayLike) -> Places:
    """Rank as BraTS did, from (metric, model, case): per case the mean rank over metrics, then the mean over cases."""
    given = np.asarray(values, dtype=np.float64)
    return place(cumulative_ranks(given).mean(axis=-1) / given.shape[0], low_is_good=True)


def brats_permutation(values: ArrayLike, *, draws: int = 10_000, seed: int = 0) -> Permutation:
    """Test every pair of models by flipping signs of their per-case differences of cumulative ranks.

    `values` is (metric, model, case). Under the null the two models may be swapped within a case. With
    2^cases ≤ draws every flip is enumerated and p = #(T* ≥ T) / 2^cases is exact; otherwise `draws` flips of
    PCG64(seed) are shared by all pairs, and p = (1 + #(T* ≥ T)) / (1 + draws) (Phipson and Smyth 2010).
    All sums are of whole numbers, so nothing depends on their order.
    """
    ranks = cumulative_ranks(values)
    models, cases = ranks.shape
    exact = cases < 63 and 2**cases <= draws
    total = 2**cases if exact else draws
    reached = np.zeros((models, models), dtype=np.int64)
    random = np.random.Generator(np.random.PCG64(seed))
    observed = ranks.sum(axis=1)
    step = max(1, MOST_NUMBERS // max(models * models, cases))
    for start in range(0, total, step):
        size = min(step, total - start)
        flips = _every_flip(start, size, cases) if exact else random.integers(0, 2, size=(size, cases))
        # the sum of flipped ranks is whole and far below 2^53, so this product is exact with every BLAS
        sums = (2.0 * flips - 1.0) @ ranks.T.astype(np.float64)
        differences = sums[:, None, :] - sums[:, :, None]  # of the column's ranks above the row's
        reached += (differences >= (observed[None, :] - observed[:, None])[None]).sum(axis=0)
    p = reached / total if exact else (1 + reached) / (1 + total)
    np.fill_diagonal(p, np.nan)
    return Permutation(p, total, exact)


def _every_flip(start: int, size: int, cases: int) -> Ints:
    return (np.arange(start, start + size, dtype=np.int64)[:, None] >> np.arange(cases)) & 1


def wilcoxon_p_greater(values: ArrayLike) -> Floats:
    """Give scipy's one-sided signed-rank p that the row's model is better than the column's, over their shared cases.

    `values` is (model, case), the answer (model, model). The method is pinned, since scipy's own choice changes with n:
    normal approximation, continuity correction, zeros dropped. NaN is no test: no shared case, or none that differs.
    """
    from scipy.stats import wilcoxon  # noqa: PLC0415  (takes its time; no site is built with it)

    given = np.asarray(values, dtype=np.float64)
    there, whole = ~np.isnan(given), _whole(given)
    p = np.full((len(given), len(given)), np.nan)
    for one, other in permutations(range(len(given)), 2):
        shared = there[one] & there[other]
        differences = (whole[one, shared] - whole[other, shared]).astype(np.float64)
        if differences.any():
            p[one, other] = wilcoxon(
                differences, alternative="greater", method="asymptotic", correction=True, zero_method="wilcox"
            ).pvalue
    return p


def _whole(values: Floats) -> NDArray[np.object_]:
    """Give values as whole numbers of 10^-12, as sites compare them, so that equal differences are equal; NaN as 0."""
    found = np.zeros(values.shape, dtype=object)
    for place_, value in np.ndenumerate(values):
        if not np.isnan(value):
            found[place_] = int(Decimal(repr(round(float(value), DECIMALS))).scaleb(DECIMALS))
    return found


def test_then_rank(values: ArrayLike, alpha: float, adjust: Adjust) -> Places:
    """Rank by the share of significant wins over (model, case): Wiesenfarth et al. (2021), challengeR."""
    return rank_by_wins(wilcoxon_p_greater(values), alpha=alpha, adjust=adjust)
