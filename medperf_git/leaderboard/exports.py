"""The tables as data: JSON and long CSV.

Rules kept here: keys and rows stand in a fixed order; what is absent is null or an empty cell.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing
from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    Cell,
    ComparisonEntry,
    Hidden,
    RegistryTables,
    ResultEntry,
    Source,
)

FORMAT = 1
RESULT_COLUMNS = (
    *("benchmark", "model", "dataset", "metric", "state", "counted", "reason", "marks"),
    *("value", "sd", "n", "n_failed", "n_undefined"),
    *("result", "record", "record_sha256", "signers", "model_image", "metrics_image", "assurance"),
)
RANKING_COLUMNS = (
    *("benchmark", "model", "title", "rank", "not_ranked_because", "metric", "direction", "score"),
    *("interval", "low", "high", "interval_sites", "interval_mean"),
    *("rank_without_a_site_low", "rank_without_a_site_high", "beside_first", "sites", "cases"),
)


def render_json(value: object) -> bytes:
    """Write JSON, UTF-8, one space of indent, in the order given."""
    return (json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode()


def results_csv(table: BenchmarkTable) -> bytes:
    """Write one line per model, site and metric."""
    return render_csv(
        RESULT_COLUMNS, (_line(table, cell, m.id) for cell in table.cells.values() for m in table.metrics)
    )


def _line(table: BenchmarkTable, cell: Cell, metric: str) -> Sequence[CellText]:
    measured, entry = cell.measured(metric), cell.result
    numbers: tuple[CellText, ...] = (None,) * 5
    if measured:
        numbers = measured.value, measured.sd, measured.n, measured.n_failed, measured.n_undefined
    origin: tuple[CellText, ...] = (None,) * 7
    if entry:
        source = entry.source
        signers = " ".join(sorted({signature.signer for signature in source.signatures}))
        images = entry.images["model"], entry.images["metrics"]
        origin = source.id, source.path, source.digest.removeprefix("sha256:"), signers, *images, entry.assurance
    counted = cell.counts and measured is not None and measured.value is not None
    names = str(table.ref), str(cell.model), str(cell.dataset), metric
    return (*names, str(cell.state), counted, cell.reason, "; ".join(cell.marks), *numbers, *origin)


def ranking_csv(analysis: Analysis) -> bytes:
    """Write one line per model and ranking metric, then a column per other rule."""
    columns = (*RANKING_COLUMNS, *(f"rank_{other.rule.name}" for other in analysis.others))
    rows = (_ranked(analysis, row, score) for row in analysis.standings for score in row.scores)
    return render_csv(columns, rows)


def _ranked(analysis: Analysis, row: Standing, score: Score) -> Sequence[CellText]:
    interval = score.interval if isinstance(score.interval, un.Interval) else None
    bounds: tuple[CellText, ...] = (None,) * 5
    if interval:
        bounds = interval.kind.value, _short(interval.low), _short(interval.high), interval.sites, _short(interval.mean)
    direction = "higher" if score.metric.higher_is_better else "lower"
    names = str(analysis.table.ref), str(row.model.ref), row.model.title, row.rank, row.unranked or None
    ranks = row.rank_range or (None, None)
    others = row.others or (None,) * len(analysis.others)
    place = score.metric.id, direction, _short(score.value)
    return (*names, *place, *bounds, *ranks, row.beside_first, row.sites, row.cases, *others)


def _short(number: float | None) -> float | None:
    return None if number is None or number != number else round(number, 12)  # noqa: PLR0124 - NaN


def table_json(analysis: Analysis) -> bytes:
    """Write everything a benchmark's page shows."""
    table = analysis.table
    return render_json(
        {
            "format": FORMAT,
            "benchmark": str(table.ref),
            "title": table.title,
            "record": _source(table.source),
            "marks": list(table.marks),
            "headline": analysis.headline,
            "explanation": analysis.explanation,
            "metrics": [_metric(table, name.id) for name in table.metrics],
            "ranking": _ranking(analysis),
            "sites": [
                {"dataset": str(s.ref), "title": s.title, "cases": s.cases_text, "marks": list(s.marks)}
                for s in table.sites
            ],
            "cells": [_cell(cell) for cell in table.cells.values()],
            "hidden": [_hidden(item) for item in table.hidden],
            "counts": {"results": table.seen, "shown": table.shown, "hidden": len(table.hidden)},
            **({"comparisons": [_comparison(one) for one in table.comparisons]} if table.comparisons else {}),
        }
    )


def _comparison(one: ComparisonEntry) -> Mapping[str, Any]:
    return {
        "dataset": str(one.dataset),
        "metric": one.metric,
        "models": [str(ref) for ref in one.models],
        "n": one.n,
        "state": one.state,
        "path": one.path,
        "digest": one.digest,
    }


def _metric(table: BenchmarkTable, name: str) -> Mapping[str, Any]:
    metric = table.metric(name)
    return {
        "id": metric.id,
        "title": metric.title,
        "unit": metric.unit,
        "direction": "higher" if metric.higher_is_better else "lower",
        "decimals": metric.decimals,
        "range": {"min": metric.low, "max": metric.high},
        "reduction": metric.reduction,
    }


def _ranking(analysis: Analysis) -> Mapping[str, Any]:
    spec, found = analysis.table.ranking, analysis.ranking
    counted = found.counted if isinstance(found, rk.Ranking) else None
    contest = analysis.contest if isinstance(analysis.contest, un.Contest) else None
    return {
        "rule": {"name": spec.rule, "version": spec.version},
        "weights": spec.weights,
        "missing": spec.missing,
        "seed": spec.seed,
        "metrics": list(spec.metrics),
        "not_ranked_because": found.reason if isinstance(found, un.Undefined) else None,
        "counted_sites": list(counted.grid.sites) if counted else [],
        "sites_left_out": [{"dataset": out.name, "reason": out.reason} for out in counted.sites_out] if counted else [],
        "first_place": {
            "tested": contest.tested,
            "sites": contest.sites,
            "mean_kendall_tau": contest.mean_tau if isinstance(contest.mean_tau, float) else None,
        }
        if contest
        else None,
        "models": [_standing(analysis, row) for row in analysis.standings],
    }


def _standing(analysis: Analysis, row: Standing) -> Mapping[str, Any]:
    others = row.others or (None,) * len(analysis.others)
    return {
        "model": str(row.model.ref),
        "title": row.model.title,
        "rank": row.rank,
        "not_ranked_because": row.unranked or None,
        "scores": [_score(score) for score in row.scores],
        "rank_without": dict(row.without),
        "rank_alone": dict(row.alone),
        "rank_by_other_rules": {other.rule.name: rank for other, rank in zip(analysis.others, others, strict=True)},
        "cannot_be_told_from_first": row.beside_first,
        "not_behind_first": _short(row.not_behind),
        "comes_first": _short(row.first_share),
        "sites": row.sites,
        "cases": row.cases,
        "coverage": _short(row.coverage),
        "marks": list(row.model.marks),
    }


def _score(score: Score) -> Mapping[str, Any]:
    found: Mapping[str, Any]
    if isinstance(score.interval, un.Undefined):
        found = {"kind": None, "reason": score.interval.reason}
    else:
        found = {
            "kind": score.interval.kind.value,
            "low": _short(score.interval.low),
            "high": _short(score.interval.high),
            "mean": _short(score.interval.mean),
            "sites": score.interval.sites,
        }
    return {"metric": score.metric.id, "score": _short(score.value), "interval": found}


def _cell(cell: Cell) -> Mapping[str, Any]:
    return {
        "model": str(cell.model),
        "dataset": str(cell.dataset),
        "state": str(cell.state),
        "counted": cell.counts,
        "reason": cell.reason or None,
        "marks": list(cell.marks),
        "result": _entry(cell.result) if cell.result else None,
        "superseded": [entry.source.id for entry in cell.earlier],
    }


def _entry(entry: ResultEntry) -> Mapping[str, Any]:
    return {
        "id": entry.source.id,
        **_source(entry.source),
        "page": entry.url,
        "values": {
            name: {"value": m.value, "sd": m.sd, "n": m.n, "n_failed": m.n_failed, "n_undefined": m.n_undefined}
            for name, m in entry.values.items()
        },
        "cases": entry.cases,
        "attempt": entry.attempt,
        "images": dict(entry.images),
        "sandbox": entry.sandbox,
        "assurance": entry.assurance,
    }


def _source(source: Source) -> Mapping[str, Any]:
    signed = [{"signer": s.signer, "key": s.key, "bundle": s.path} for s in source.signatures]
    return {"path": source.path, "digest": source.digest, "signatures": signed}


def _hidden(item: Hidden) -> Mapping[str, Any]:
    return {"path": item.path, "reason": item.reason, "id": item.entry.source.id if item.entry else None}


def index_json(
    tables: RegistryTables, analyses: Sequence[Analysis], *, commit: str, registry_id: str, step_time: str
) -> bytes:
    """Write the list of benchmarks with what came first, and the account of all results."""
    return render_json(
        {
            "format": FORMAT,
            "made_by": "medperf-git leaderboard",
            "registry": {"id": registry_id, "name": tables.name, "title": tables.title},
            "commit": commit,
            "step_time": step_time,
            "benchmarks": [
                {
                    "benchmark": str(analysis.table.ref),
                    "title": analysis.table.title,
                    "headline": analysis.headline,
                    "page": analysis.table.url,
                    "table": analysis.table.url.replace("index.html", "table.json"),
                    "counts": {
                        "results": analysis.table.seen,
                        "shown": analysis.table.shown,
                        "hidden": len(analysis.table.hidden),
                    },
                }
                for analysis in analyses
            ],
            "hidden": [_hidden(item) for item in tables.strays],
            "results": tables.seen,
        }
    )
