"""Grids of site summaries for the ranking tests, written as nested lists: models, then sites; NaN is a gap."""

from typing import Any

import numpy as np

from medperf_git.leaderboard import ranking as rk


def grid(
    values: Any, cases: Any = None, *, higher: bool = True, worst: float | None = None, cap: float | None = None
) -> rk.Grid:
    """Lay out models m0, m1, … at sites s0, s1, …; a third dimension in front holds several metrics."""
    array = np.array(values, dtype=float)
    array = array[None] if array.ndim == 2 else array
    sizes = np.ones_like(array) if cases is None else np.array(cases, dtype=float)
    sizes = np.broadcast_to(sizes, array.shape).copy()
    sizes[np.isnan(array)] = np.nan
    models, sites = (f"m{i}" for i in range(array.shape[1])), (f"s{i}" for i in range(array.shape[2]))
    metrics = tuple(rk.Metric(f"k{i}", higher, worst) for i in range(array.shape[0]))
    return rk.Grid(tuple(models), tuple(sites), metrics, array, sizes, cap)


def ranked(
    given: rk.Grid, *, rule: str = "mean-of-sites", weights: rk.Weights = "equal", missing: str = "exclude-site"
) -> rk.Ranking:
    """Rank a grid."""
    return rk.rank(rk.apply_missing_rule(given, missing), rk.rule_named(rule, 1), weights=weights)
