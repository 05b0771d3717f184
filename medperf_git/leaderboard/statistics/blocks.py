"""Ranks from what sites publish beside their summaries: comparison blocks, with no value of a single case.

Mean ranks come rounded to six decimals; n times a mean rank is a whole number (a sum of smallest ranks), so it is
restored exactly below a million cases, and everything here equals what the cases themselves would give.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from medperf_git.leaderboard.statistics.pairs import holm, signed_rank_sums, signed_rank_test
from medperf_git.leaderboard.statistics.ranks import Bools, Floats, Ints, Places, place, smallest_ranks

Adjust = Literal["none", "holm"]
MOST_EXACT_CASES = 1_000_000


def took_part(ranks: ArrayLike) -> Bools:
    """Say at which sites every model took part, (site,), from ranks (site, …, model): a gap leaves the site out."""
    given = np.asarray(ranks, dtype=np.float64)
    return np.asarray(~np.isnan(given).any(axis=tuple(range(1, given.ndim))))


def fets_2022(site_ranks: ArrayLike) -> Places:
    """Rank models as the FeTS 2022 challenge did, from (site, metric, model) ranks or mean ranks; lower is better.

    Within each site and metric the mean ranks are ranked; those ranks are averaged over sites and metrics; the averages
    are ranked. Ranks that are whole already stay what they are. A site where some model has none is left out
    (`took_part` says which count); with none left nothing is ranked.
    """
    given = np.asarray(site_ranks, dtype=np.float64)
    kept = given[took_part(given)]
    if not kept.size:
        return place(np.full(given.shape[-1], np.nan), low_is_good=True)
    ranks = smallest_ranks(-kept)
    return place(ranks.sum(axis=(0, 1)) / (ranks.shape[0] * ranks.shape[1]), low_is_good=True)


def rank_sums(mean_ranks: ArrayLike, n: ArrayLike) -> Floats:
    """Restore sums of ranks from mean ranks and numbers of cases of the same shape; whole where n allows it."""
    mean, count = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(mean_ranks, n))
    sums = mean * count
    return np.where(count < MOST_EXACT_CASES, np.rint(sums), sums)


def rank_then_mean_from_blocks(mean_ranks: ArrayLike, n: ArrayLike) -> Places:
    """Rank within each case, average over all cases, rank; from mean ranks (site, model) and cases (site,).

    A site where some model has none, or without cases, is left out.
    """
    return brats_from_blocks(np.asarray(mean_ranks, dtype=np.float64)[None], n)


def brats_from_blocks(mean_ranks: ArrayLike, n: ArrayLike) -> Places:
    """Rank as BraTS did, from mean ranks (metric, site, model) and cases (site,): mean over metrics, then over cases.

    A site where some model has none in some metric, or without cases, is left out; with none left nothing is ranked.
    """
    given, count = np.asarray(mean_ranks, dtype=np.float64), np.asarray(n, dtype=np.float64)
    kept = took_part(np.moveaxis(given, 1, 0)) & (count > 0)
    if not kept.any() or not given.shape[0]:
        return place(np.full(given.shape[-1], np.nan), low_is_good=True)
    sums = rank_sums(given[:, kept], count[kept][None, :, None]).sum(axis=(0, 1))
    return place(sums / (given.shape[0] * count[kept].sum()), low_is_good=True)


def ordered_pairs(models: int) -> tuple[Ints, Ints]:
    """Give the pairs of a comparison record in its order: (1, 2), (1, 3), …, (2, 3), …, counted from 0."""
    first, second = np.triu_indices(models, k=1)
    return first.astype(np.int64), second.astype(np.int64)


def square(upper: Floats, models: int, *, mirrored: float) -> Floats:
    """Lay values of pairs (pair,) out as (model, model); below the diagonal they are multiplied by `mirrored`."""
    matrix = np.full((models, models), np.nan)
    first, second = ordered_pairs(models)
    matrix[first, second], matrix[second, first] = upper, mirrored * np.asarray(upper)
    return matrix


def pairwise_p_greater(w_plus: ArrayLike, n: ArrayLike, variance: ArrayLike, models: int) -> Floats:
    """Give the one-sided p that the row's model is better than the column's, (model, model), NaN on the diagonal.

    The arguments are (pair, site) in the order of `ordered_pairs`; see `stratified_signed_rank`, with the correction.
    """
    excess, total = signed_rank_sums(w_plus, n, variance)
    test = signed_rank_test(square(excess, models, mirrored=-1.0), square(total, models, mirrored=1.0), correction=True)
    return test.p_greater


def pairwise_p_two_sided(w_plus: ArrayLike, n: ArrayLike, variance: ArrayLike, models: int) -> tuple[Floats, Bools]:
    """Give two-sided p-values adjusted over all pairs by Holm, (model, model), and who is better; for rank intervals.

    The arguments are (pair, site) in the order of `ordered_pairs`.
    """
    excess, total = signed_rank_sums(w_plus, n, variance)
    p = holm(signed_rank_test(excess, total, correction=True).p_two_sided)
    return square(p, models, mirrored=1.0), square(excess, models, mirrored=-1.0) > 0


def test_then_rank_from_blocks(
    w_plus: ArrayLike, n: ArrayLike, variance: ArrayLike, models: int, *, alpha: float, adjust: Adjust
) -> Places:
    """Rank by the share of significant wins, from (pair, site) sums in the order of `ordered_pairs`."""
    return rank_by_wins(pairwise_p_greater(w_plus, n, variance, models), alpha=alpha, adjust=adjust)


def rank_by_wins(p_greater: Floats, *, alpha: float, adjust: Adjust) -> Places:
    """Rank models by the share of the others that they beat with p ≤ alpha; `p_greater` is (model, model).

    All k(k − 1) p-values are adjusted together (Wiesenfarth et al. 2021, challengeR). A pair without a test is no win.
    """
    p = holm(p_greater) if adjust == "holm" else p_greater
    return place((p <= alpha).sum(axis=1) / max(1, len(p) - 1), low_is_good=False)
