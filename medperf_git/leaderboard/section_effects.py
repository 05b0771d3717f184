"""Random effects of each model over sites, and metrics of pooled counts, as plain values for the template."""

import numpy as np

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.effects import METHODS, Effects
from medperf_git.leaderboard.pooling import PooledCounts
from medperf_git.leaderboard.standing import Analysis, Standing
from medperf_git.leaderboard.text import NOTHING, fixed
from medperf_git.leaderboard.words import Context

MOST_ROWS = 200
_MEANING = (
    " The mean is that expected over all such sites, the prediction says where one new site’s would lie. τ is how far "
    "sites truly differ, I² the share of the spread that is not chance, Q Cochran’s sum. The last column is the mean "
    "of all cases as if they lay at one site, which hides how much sites differ."
)


def effect_tables(analysis: Analysis) -> list[Context]:
    """Say what random effects say of each ranking metric, or why they say nothing."""
    first = next((found for found in analysis.effects if isinstance(found, Effects)), None)
    return [
        _reason(metric.title, found.reason)
        if isinstance(found, un.Undefined)
        else _effects(analysis, found, explained=found is first)
        for metric, found in zip(analysis.metrics, analysis.effects, strict=True)
    ]


def pool_tables(analysis: Analysis) -> list[Context]:
    """Say what pooled counts give in each ranking metric that publishes some; nothing of the others."""
    return [_pool(analysis, found) for found in analysis.pools if isinstance(found, PooledCounts)]


def _reason(title: str, reason: str) -> Context:
    return {"metric": title, "why": f"{reason[:1].upper()}{reason[1:]}.", "rows": []}


def _rows(analysis: Analysis) -> list[tuple[Standing, int]]:
    """Return the standings that a table shows, each with its place in the arrays."""
    places = {model.ref: place for place, model in enumerate(analysis.table.models)}
    return [(row, places[row.model.ref]) for row in analysis.standings[:MOST_ROWS]]


def _effects(analysis: Analysis, found: Effects, *, explained: bool) -> Context:
    fit, decimals = found.fit, found.metric.decimals

    def bounds(low: np.ndarray, high: np.ndarray, at: int) -> str:
        if np.isnan(low[at]):
            return NOTHING
        return f"{fixed(float(low[at]), decimals)} to {fixed(float(high[at]), decimals)}"

    rows = [
        {
            "title": row.model.title,
            "cells": [
                fixed(float(fit.estimate[at]), decimals),
                bounds(fit.low, fit.high, at) if fit.k[at] > 1 else NOTHING,
                bounds(fit.prediction_low, fit.prediction_high, at),
                fixed(float(fit.tau2[at]) ** 0.5, decimals + 1) if fit.k[at] > 1 else NOTHING,
                f"{fixed(float(fit.i2[at]), 0)} %" if fit.k[at] > 1 else NOTHING,
                fixed(float(fit.q[at]), 1) if fit.k[at] > 1 else NOTHING,
                str(int(fit.k[at])),
                fixed(float(found.pooled.mean[at]), decimals),
            ],
        }
        for row, at in _rows(analysis)
        if fit.k[at] > 0
    ]
    return {
        "metric": found.metric.title,
        "why": "",
        "caption": f"Random effects over sites ({METHODS[found.method]}).{_MEANING if explained else ''}",
        "heads": ["Mean", "95 % interval", "95 % prediction", "τ", "I²", "Q", "Sites", "All cases"],
        "rows": rows,
    }


def _pool(analysis: Analysis, found: PooledCounts) -> Context:
    decimals = found.metric.decimals
    return {
        "metric": found.metric.title,
        "caption": (
            "Computed once of the counts of all sites together, beside the mean of the sites’ own values; the two "
            "differ where sites differ in size or in cases."
        ),
        "heads": ["Of pooled counts", "Mean of sites", "Sites"],
        "rows": [
            {
                "title": row.model.title,
                "cells": [
                    fixed(float(found.values[at]), decimals),
                    fixed(float(found.means[at]), decimals),
                    str(int(found.sites[at])),
                ],
            }
            for row, at in _rows(analysis)
            if found.sites[at] > 0
        ],
    }
