"""Two models compared: Wilcoxon's signed ranks added up over sites, paired meta-analysis, and Holm's correction.

Wilcoxon (1945); over several sites each ranks its own differences, and the sums are added (Lehmann 1975, chapter 3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from medperf_git.leaderboard.statistics.meta import MetaResult, Method, random_effects
from medperf_git.leaderboard.statistics.ranks import Floats


@dataclass(frozen=True, slots=True)
class SignedRank:
    """A signed-rank test; p_greater speaks for the first of the two models. NaN where no case differs: no test."""

    z: Floats
    p_two_sided: Floats
    p_greater: Floats


def stratified_signed_rank(
    w_plus: ArrayLike, n: ArrayLike, variance: ArrayLike, *, correction: bool = False
) -> SignedRank:
    """Test whether the first model is better, from sums that sites publish, each (…, site); NaN or n = 0 adds nothing.

    `w_plus` is the sum of the ranks of the positive differences, `n` the number of differences that are not zero
    (wins + losses), `variance` Σr² / 4. Z = Σ(W⁺ − n(n + 1) / 4) / sqrt(ΣV). With `correction` half a rank is taken
    off towards zero before dividing; over one site that is scipy's and R's asymptotic Wilcoxon test, to the last digit.
    """
    excess, total = signed_rank_sums(w_plus, n, variance)
    return signed_rank_test(excess, total, correction=correction)


def signed_rank_sums(w_plus: ArrayLike, n: ArrayLike, variance: ArrayLike) -> tuple[Floats, Floats]:
    """Add up W⁺ − n(n + 1) / 4 and its variance over the last axis; what sites give may be added in any pieces."""
    w, count, v = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(w_plus, n, variance))
    there = np.isfinite(w) & np.isfinite(v) & (count > 0)
    return np.where(there, w - count * (count + 1) / 4, 0.0).sum(axis=-1), np.where(there, v, 0.0).sum(axis=-1)


def signed_rank_test(excess: Floats, variance: Floats, *, correction: bool) -> SignedRank:
    """Turn Σ(W⁺ − n(n + 1) / 4) and ΣV, of any shape, into Z and its p-values by the normal approximation."""
    excess, variance = np.asarray(excess, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
    half = 0.5 if correction else 0.0
    z = (excess - half * np.sign(excess)) / deviation
    return SignedRank(z, 2 * ndtr(-np.abs(z)), ndtr(-((excess - half) / deviation)))


def paired_meta(differences: ArrayLike, sds: ArrayLike, n: ArrayLike, method: Method = "DL") -> MetaResult:
    """Combine the mean differences of two models over sites, (…, site), by random effects; variances are sd² / n."""
    sd, count = np.asarray(sds, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = sd**2 / count
    return random_effects(differences, np.where(count > 1, variances, np.nan), method)


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p-values, of any shape, all together (Holm 1979); NaN is no test, stays NaN and is not counted.

    In rising order p(i) becomes max over j ≤ i of min(1, (m − j + 1) p(j)).
    """
    given = np.asarray(p_values, dtype=np.float64)
    flat = given.reshape(-1)
    adjusted = np.full(flat.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(flat))
    order = tested[np.argsort(flat[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * flat[order]), 1.0) if len(order) else 0.0
    return adjusted.reshape(given.shape)
