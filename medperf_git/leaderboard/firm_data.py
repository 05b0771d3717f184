"""Everything that says how firm an order is, as data: other rules, tests, random effects and pooled counts.

Rules kept here: keys and rows stand in a fixed order, numbers have 12 decimals at most, what is absent is null; every
pair of models is in `pairs.csv`, the ranks without each site are in `table.json`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.cell_files import render_json
from medperf_git.leaderboard.effects import Effects
from medperf_git.leaderboard.pairwise import Pairwise, Tested
from medperf_git.leaderboard.pooling import PooledCounts
from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.standing import Analysis, Other

FORMAT = 1
SCHEMA = "schemas/leaderboard-firm.1.json"
EFFECT_COLUMNS = (
    *("benchmark", "metric", "model", "method", "sites", "mean", "se", "low", "high"),
    *("prediction_low", "prediction_high", "tau2", "i2_percent", "q"),
    *("cases", "pooled_mean", "pooled_sd", "of_pooled_counts"),
)


def firm_json(analysis: Analysis) -> bytes:
    """Write it as JSON."""
    return render_json(firm_value(analysis))


def firm_value(analysis: Analysis) -> Mapping[str, Any]:
    """Return plain values for JSON."""
    settings = analysis.settings
    return {
        "format": FORMAT,
        "$schema": "../" * analysis.table.url.count("/") + SCHEMA,
        "benchmark": str(analysis.table.ref),
        "rule": {
            "name": analysis.table.ranking.rule,
            "version": analysis.table.ranking.version,
            "weights": settings.weights,
            "cap": settings.cap,
            "missing": settings.missing,
            "alpha": settings.alpha,
            "adjust": settings.adjust,
            "method": settings.method,
        },
        "scored_by": analysis.own_name or None,
        "ranks": [
            {
                "model": str(row.model.ref),
                "rank": row.rank,
                "own_score": _number(row.own),
                "left_open": [
                    {"metric": score.metric.id, "low": score.ranks[0], "high": score.ranks[1]}
                    for score in row.scores
                    if isinstance(score.ranks, tuple)
                ],
                "by_rule": dict(zip(_keys(analysis), row.others, strict=False)),
            }
            for row in analysis.standings
        ],
        "other_rules": [_other(key, one) for key, one in zip(_keys(analysis), analysis.others, strict=True)],
        "tests": [_tests(one, m.id) for m, one in zip(analysis.metrics, analysis.pairs, strict=True)],
        "weighting_turns_round": [
            {"first_by_sites": str(one.by_sites), "first_by_cases": str(one.by_cases)} for one in analysis.reversals
        ],
        "comparisons_set_aside": [
            {"metric": shared.metric, "dataset": out.name, "reason": out.reason}
            for shared in analysis.shared
            for out in shared.aside
        ],
    }


def _keys(analysis: Analysis) -> list[str]:
    return [one.rule.name for one in analysis.others]


def _other(key: str, one: Other) -> Mapping[str, Any]:
    tau = one.tau if isinstance(one.tau, float) else None
    ranked = isinstance(one.ranking, rk.Ranking)
    return {
        "rule": key,
        "version": one.rule.version,
        "title": one.rule.title,
        "not_ranked_because": None if isinstance(one.ranking, rk.Ranking) else one.ranking.reason,
        "kendall_tau": tau,
        "no_tau_because": one.tau.reason if ranked and isinstance(one.tau, un.Undefined) else None,
    }


def _tests(found: Pairwise | un.Undefined, metric: str) -> Mapping[str, Any]:
    if isinstance(found, un.Undefined):
        return {"metric": metric, "tested": None, "reason": found.reason}
    return {
        "metric": metric,
        "tested": "cases" if found.kind is Tested.CASES else "sites",
        "reason": None,
        "alpha": found.alpha,
        "adjusted": "holm",
        "tests": found.tests,
        "sites": list(found.sites),
        "cases": found.cases,
        "no_rank_interval_because": found.interval or None,
        "significant": int(found.beats().sum()),
    }


def effects_csv(analysis: Analysis) -> bytes:
    """Write one line per ranking metric and model: random effects, all cases together, pooled counts."""
    return render_csv(EFFECT_COLUMNS, _lines(analysis))


def has_effects(analysis: Analysis) -> bool:
    """Tell whether there is anything to write there."""
    return any(isinstance(one, Effects | PooledCounts) for one in (*analysis.effects, *analysis.pools))


def _lines(analysis: Analysis) -> Iterator[tuple[CellText, ...]]:
    for metric, effects, pool in zip(analysis.metrics, analysis.effects, analysis.pools, strict=True):
        for at, model in enumerate(analysis.table.models):
            numbers = _effects_of(effects, at)
            pooled = _number(float(pool.values[at])) if isinstance(pool, PooledCounts) else None
            if numbers[0] is not None or pooled is not None:
                yield (str(analysis.table.ref), metric.id, str(model.ref), *numbers, pooled)


def _effects_of(effects: Effects | un.Undefined, at: int) -> tuple[CellText, ...]:
    """Return method, number of sites, and the numbers of one model; nothing where it has no site."""
    if isinstance(effects, un.Undefined) or effects.fit.k[at] == 0:
        return (None,) * 14
    fit, together = effects.fit, effects.pooled
    means = fit.estimate, fit.se, fit.low, fit.high, fit.prediction_low, fit.prediction_high
    return (
        effects.method,
        int(fit.k[at]),
        *(_number(float(one[at])) for one in (*means, fit.tau2, fit.i2, fit.q)),
        int(together.n[at]),
        *(_number(float(one[at])) for one in (together.mean, together.sd)),
    )


def _number(number: float | None) -> float | None:
    return None if number is None or np.isnan(number) else round(number, 12)
