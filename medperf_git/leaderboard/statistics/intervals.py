"""Rank intervals from pairwise tests, and means and deviations pooled over sites."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from medperf_git.leaderboard.statistics.ranks import Floats, Ints


@dataclass(frozen=True, slots=True)
class RankIntervals:
    """The lowest and the highest rank each model may have, (model,), and how many are better or worse than it."""

    low: Ints
    high: Ints
    better: Ints
    worse: Ints


@dataclass(frozen=True, slots=True)
class Pooled:
    """Number of cases, mean and standard deviation over all cases, each of the shape given without its last axis."""

    n: Floats
    mean: Floats
    sd: Floats


def rank_intervals(p_matrix_adjusted: ArrayLike, better_matrix: ArrayLike, alpha: float = 0.05) -> RankIntervals:
    """Give [1 + number significantly better, k − number significantly worse] for each of k models.

    `p_matrix_adjusted` (model, model) holds two-sided p-values, adjusted already (Holm); `better_matrix[i, j]` says
    that i did better than j. The diagonal, and NaN (no test), say nothing. The intervals hold together with probability
    1 − alpha (Al Mohamad, Goeman and van Zwet 2022).
    """
    p, better = np.array(p_matrix_adjusted, dtype=np.float64), np.asarray(better_matrix, dtype=bool)
    np.fill_diagonal(p, np.nan)
    wins = (p <= alpha) & better
    worse, beaten_by = wins.sum(axis=1), wins.sum(axis=0)
    return RankIntervals(1 + beaten_by, len(p) - worse, beaten_by, worse)


def pooled(means: ArrayLike, sds: ArrayLike, n: ArrayLike) -> Pooled:
    """Pool the means and standard deviations (ddof 1) of sites, (…, site), into those of all cases: exact.

    N = Σn, M = Σn·m / N, S² = [Σ(n − 1)s² + Σn(m − M)²] / (N − 1). A site with NaN in its mean or without cases takes
    no part; the deviation of a single case is taken as 0, and with one case in all there is none (NaN).
    """
    m, s, count = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(means, sds, n))
    order = np.lexsort((s, m, count), axis=-1)  # so that no order of sites changes the last digit of a sum
    m, s, count = (np.take_along_axis(one, order, axis=-1) for one in (m, s, count))
    there = np.isfinite(m) & (count > 0)
    m, count = np.where(there, m, 0.0), np.where(there, count, 0.0)
    s = np.where(count > 1, s, 0.0)
    total = count.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (count * m).sum(axis=-1) / total
        squares = (np.maximum(count - 1, 0) * s**2).sum(axis=-1) + (count * (m - mean[..., None]) ** 2).sum(axis=-1)
        variance = np.where(total > 1, squares / (total - 1), np.nan)
    return Pooled(total, mean, np.sqrt(variance))
