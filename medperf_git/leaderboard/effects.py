"""Each model's mean over sites by random effects, and what a site not seen yet may show."""

from dataclasses import dataclass

import numpy as np

from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.by_rule import KEPT_BACK, MOST_FITS, no_means
from medperf_git.leaderboard.statistics.intervals import Pooled, pooled
from medperf_git.leaderboard.statistics.meta import MetaResult, Method, random_effects
from medperf_git.leaderboard.tables import MetricInfo
from medperf_git.leaderboard.uncertainty import Undefined

METHODS: dict[str, str] = {"DL": "DerSimonian and Laird", "PM": "Paule and Mandel"}


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Random effects of one metric, fields (model,) in the order of the table, over the sites that each model has.

    `pooled` is the mean and deviation over all cases, as if they lay at one site.
    """

    metric: MetricInfo
    method: Method
    fit: MetaResult
    pooled: Pooled


def effects_of(basis: Basis, k: int, *, method: str) -> Effects | Undefined:
    """Combine the site means of each model by the ranking metric numbered `k`."""
    metric = basis.table.ranking.metrics[k]
    if basis.table.policy and not basis.table.policy.exact_n:
        return Undefined(KEPT_BACK.replace("this rule needs", "it needs"))
    if reason := no_means(basis, metric):
        return Undefined(reason)
    values, cases, sds = basis.grid.values[k], basis.grid.cases[k], basis.sds[k]
    with np.errstate(invalid="ignore", divide="ignore"):
        variances = np.where(cases > 1, sds**2 / cases, np.nan)
    chosen: Method = "PM" if method == "PM" and len(values) <= MOST_FITS else "DL"
    fit = random_effects(values, variances, chosen)
    if not (fit.k > 0).any():
        return Undefined("no site has more than one case and values that vary")
    return Effects(basis.table.metric(metric), chosen, fit, pooled(values, sds, cases))
