"""The interval of every model in one metric, over the sites that it has."""

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.by_rule import Computed
from medperf_git.leaderboard.effects import effects_of
from medperf_git.leaderboard.resampling import MOST, too_many

Intervals = list[un.Interval | un.Undefined]
MOST_WORK = 150_000  # sets of sites that models have, times sites: each set is resampled for itself, a second in all


def intervals_of(basis: Basis, k: int, weights: rk.Weights, *, by: Computed | un.Undefined) -> Intervals:
    """Give each model's interval in the metric numbered `k`."""
    if isinstance(by, Computed) and by.ranking.rule.name == "meta":
        return _by_effects(basis, k, by.settings.method)
    grid, seed = basis.grid, basis.table.ranking.seed
    models, sites = grid.values.shape[1:]
    if models * sites > MOST:
        return [un.Undefined(too_many(models, sites))] * models
    patterns = len(np.unique(~np.isnan(grid.values[k]), axis=0))
    if patterns * sites > MOST_WORK:
        return [un.Undefined(f"models have {patterns} different sets of sites, too many to resample each")] * models
    return un.own_intervals(grid, weights, metric=k, seed=seed)


def interval_of(basis: Basis, k: int, row: int, ranking: rk.Ranking | un.Undefined) -> un.Interval | un.Undefined:
    """Give the interval of one model in the metric numbered `k`, as the page does."""
    if isinstance(ranking, rk.Ranking) and ranking.rule.name == "meta":
        return _by_effects(basis, k, basis.table.ranking.method)[row]
    weights = ranking.weights if isinstance(ranking, rk.Ranking) else "equal"
    return un.own_interval(basis.grid, weights, metric=k, model=row, seed=basis.table.ranking.seed)


def _by_effects(basis: Basis, k: int, method: str) -> Intervals:
    effects = effects_of(basis, k, method=method)
    if isinstance(effects, un.Undefined):
        return [effects] * len(basis.models)
    fit = effects.fit
    return [
        un.Interval(un.IntervalKind.EFFECTS, float(low), float(high), float(mean), int(sites))
        if sites > 1
        else un.Undefined("random effects need two sites" if sites else "no value at any site")
        for low, high, mean, sites in zip(fit.low, fit.high, fit.estimate, fit.k, strict=True)
    ]
