"""The interval of every model in one metric, over the sites that it has."""

from collections import defaultdict

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.by_rule import Computed
from medperf_git.leaderboard.effects import effects_of
from medperf_git.leaderboard.resampling import FEW, MOST, means_of, too_many
from medperf_git.leaderboard.statistics.ranks import Floats

Intervals = list[un.Interval | un.Undefined]
MOST_GROUPS = 40  # of models that have the same sites: each is resampled once


def intervals_of(basis: Basis, grid: rk.Grid, k: int, weights: rk.Weights, *, by: Computed | un.Undefined) -> Intervals:
    """Give each model's interval in the metric numbered `k`; `grid` holds the weights of sites as cases."""
    if isinstance(by, Computed) and by.ranking.rule.name == "meta":
        return _by_effects(basis, k, by.settings.method)
    seed = basis.table.ranking.seed
    models, sites = grid.values.shape[1:]
    if models * sites <= FEW:
        return [un.own_interval(grid, weights, metric=k, model=row, seed=seed) for row in range(models)]
    return _many(grid, k, weights, seed=seed)


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


def _many(grid: rk.Grid, k: int, weights: rk.Weights, *, seed: int) -> Intervals:
    """Resample models that have the same sites together, the largest groups first."""
    values, weight = grid.values[k], rk.site_weights(grid, weights)[k]
    has = ~np.isnan(values) & (weight > 0)
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row in range(len(values)):
        groups[has[row].tobytes()].append(row)
    found: Intervals = [un.Undefined("no value at any site") for _ in values]
    for place, rows in enumerate(sorted(groups.values(), key=lambda rows: (-len(rows), rows))):
        columns = np.flatnonzero(has[rows[0]])
        if not len(columns):
            continue
        chosen = np.ix_(np.array(rows), columns)
        if values.size > MOST:
            reason = un.Undefined(too_many(*values.shape))
            intervals: Intervals = [reason] * len(rows)
        elif place >= MOST_GROUPS:
            intervals = [un.Undefined("too many models have sites of their own to resample each of them")] * len(rows)
        else:
            intervals = _together(values[chosen], weight[chosen], seed=seed)
        for row, interval in zip(rows, intervals, strict=True):
            found[row] = interval
    return found


def _together(values: Floats, weights: Floats, *, seed: int) -> Intervals:
    sites = values.shape[1]
    if sites < un.EXACT_BELOW:
        return [un.score_interval(one, weight, seed=seed) for one, weight in zip(values, weights, strict=True)]
    draws = un.resamples(sites, seed)
    means = np.round(means_of(values, weights, draws), rk.DECIMALS)
    part, whole = un.TAIL
    places = [-(-share * draws.total // whole) - 1 for share in (part, whole - part)]
    low, high = np.partition(means, places, axis=0)[places]
    every = un.Resamples(np.ones((1, sites), dtype=np.int64), np.ones(1, dtype=np.int64), 1, exact=True)
    centre = means_of(values, weights, every)[0]
    return [
        un.Interval(un.IntervalKind.DRAWN, float(one), float(other), float(mean), sites)
        for one, other, mean in zip(low, high, centre, strict=True)
    ]
