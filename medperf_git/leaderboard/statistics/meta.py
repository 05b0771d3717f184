"""Random effects over sites: one estimate from many, how much sites differ, and what a new site may show.

DerSimonian and Laird (1986) and Paule and Mandel (1982), as metafor computes them (Viechtbauer 2010); the prediction
interval is that of Higgins, Thompson and Spiegelhalter (2009).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from medperf_git.leaderboard.statistics.ranks import Floats

Method = Literal["DL", "PM"]
Prediction = Literal["t", "z"]
LEVEL = 0.95
FEWEST_FOR_PREDICTION = 3


@dataclass(frozen=True, slots=True)
class MetaResult:
    """What random effects say, each field of the shape of `means` without its last axis; NaN is what does not exist.

    `low` and `high` bound the mean over all sites (95 %), `prediction_low` and `prediction_high` the true value at a
    site not seen yet (95 %; there is none below three sites). `tau2` is the variance between sites, `i2` (0 to 100) the
    per cent of the variance that is between sites, `q` Cochran's heterogeneity with k − 1 degrees of freedom, `k` how
    many sites took part.
    """

    estimate: Floats
    se: Floats
    low: Floats
    high: Floats
    tau2: Floats
    i2: Floats
    q: Floats
    prediction_low: Floats
    prediction_high: Floats
    k: Floats


def random_effects(
    means: ArrayLike, variances: ArrayLike, method: Method = "DL", *, prediction: Prediction = "t"
) -> MetaResult:
    """Combine site means (…, site), whose sampling variances are sd² / n, by random effects.

    A site with NaN, or without a variance above zero, takes no part: its weight would be infinite.

    DL: tau² = max(0, (Q − (k − 1)) / (Σw − Σw² / Σw)), w = 1 / v. PM: the tau² ≥ 0 with Σ(y − ŷ)² / (v + tau²) = k − 1,
    else 0. Estimate: Σwy / Σw with w = 1 / (v + tau²), se = 1 / sqrt(Σw), interval ± 1.96 se. I² = tau² / (tau² + s²)
    with s² = (k − 1) Σw / ((Σw)² − Σw²), which with DL is (Q − (k − 1)) / Q (Higgins and Thompson 2002).
    Prediction: estimate ± t sqrt(tau² + se²), t with k − 2 degrees of freedom, or the normal quantile ("z").
    """
    y, v = (np.asarray(given, dtype=np.float64) for given in np.broadcast_arrays(means, variances))
    order = np.lexsort((y, v), axis=-1)  # so that no order of sites changes the last digit of a sum
    y, v = np.take_along_axis(y, order, axis=-1), np.take_along_axis(v, order, axis=-1)
    takes_part = np.isfinite(y) & np.isfinite(v) & (v > 0)
    k = takes_part.sum(axis=-1).astype(np.float64)
    y, v = np.where(takes_part, y, 0.0), np.where(takes_part, v, 1.0)
    weight = np.where(takes_part, 1.0 / v, 0.0)
    spare = spare_weight(weight)
    q = heterogeneity(y, weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau2 = np.maximum(0.0, (q - (k - 1)) / spare) if method == "DL" else paule_mandel(y, v, takes_part)
        tau2 = np.where(k == 1, 0.0, tau2)
        typical = (k - 1) / spare
        i2 = np.where(k == 1, 0.0, 100 * tau2 / (tau2 + typical))
        weight = np.where(takes_part, 1.0 / (v + tau2[..., None]), 0.0)
        total = weight.sum(axis=-1)
        estimate, se = (weight * y).sum(axis=-1) / total, 1.0 / np.sqrt(total)
    none = k == 0
    estimate, se, tau2, i2, q = (np.where(none, np.nan, one) for one in (estimate, se, tau2, i2, q))
    margin = ndtri((1 + LEVEL) / 2) * se
    reach = prediction_quantile(k, prediction) * np.sqrt(tau2 + se**2)
    fields = estimate, se, estimate - margin, estimate + margin, tau2, i2, q, estimate - reach, estimate + reach, k
    return MetaResult(*(np.asarray(one) for one in fields))


def spare_weight(weight: Floats) -> Floats:
    """Give Σw - Σw² / Σw over the last axis, as Σw(Σw - w) / Σw, each bracket added up without w itself.

    Subtracting would leave nothing where one site weighs 10^16 times the others.
    """
    nothing, turned = np.zeros_like(weight[..., :1]), np.flip(weight, axis=-1)
    before = np.concatenate([nothing, np.cumsum(weight, axis=-1)[..., :-1]], axis=-1)
    behind = np.flip(np.concatenate([nothing, np.cumsum(turned, axis=-1)[..., :-1]], axis=-1), axis=-1)
    total = weight.sum(axis=-1)
    spare = (weight * (before + behind)).sum(axis=-1)
    return np.asarray(np.divide(spare, total, out=np.zeros_like(total), where=total > 0))


def heterogeneity(y: Floats, weight: Floats) -> Floats:
    """Cochran's Q: Σw(y − ŷ)² over the last axis, ŷ the weighted mean (Cochran 1954)."""
    total = weight.sum(axis=-1, keepdims=True)
    centre = np.divide((weight * y).sum(axis=-1, keepdims=True), total, out=np.zeros_like(total), where=total > 0)
    return np.asarray((weight * (y - centre) ** 2).sum(axis=-1))


def paule_mandel(y: Floats, v: Floats, takes_part: Floats | np.ndarray) -> Floats:
    """Find the tau² at which Q equals its expectation, 0 where Q is below it already; shapes (…, site) to (…).

    Q falls as tau² grows and is below Σ(y − ȳ)² / tau², so the root lies below Σ(y − ȳ)² / (k − 1).
    """
    from scipy.optimize import brentq  # noqa: PLC0415  (takes its time, and DL needs none of it)

    found = np.zeros(y.shape[:-1])
    for at in np.ndindex(found.shape):
        values, variances = y[at][takes_part[at]], v[at][takes_part[at]]
        degrees = len(values) - 1

        def excess(tau2: float, values: Floats = values, variances: Floats = variances, k1: int = degrees) -> float:
            return float(heterogeneity(values, 1.0 / (variances + tau2))) - k1

        if degrees > 0 and excess(0.0) > 0:
            beyond = 2 * float(((values - values.mean()) ** 2).sum()) / degrees
            found[at] = brentq(excess, 0.0, beyond, xtol=1e-15 * beyond, maxiter=1000)
    return found


def prediction_quantile(k: Floats, kind: Prediction) -> Floats:
    """Give the quantile of a 95 % prediction interval over k sites, NaN below three."""
    enough = k >= FEWEST_FOR_PREDICTION
    quantile = ndtri((1 + LEVEL) / 2) if kind == "z" else stdtrit(np.where(enough, k - 2, 1), (1 + LEVEL) / 2)
    return np.where(enough, quantile, np.nan)
