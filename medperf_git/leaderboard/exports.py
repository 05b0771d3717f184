"""The tables as data: JSON and CSV, no file over 1 MB.

Rules kept here: keys and rows stand in a fixed order; what is absent is null or an empty cell; a table that is too
large lies in shards, and a small file names them. Addresses are stable: the results on a dataset always lie in
`results/<dataset>.csv` and `table/<dataset>.json`, which nothing but these results changes; what would pass the limit
goes on in `…-0002`. The shapes of `table.json`, its shards and `index.json` (`index_files`) are published beside them,
in `schemas/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing
from medperf_git.leaderboard.cell_files import (
    FORMAT,
    MAX_BYTES,
    RESULT_COLUMNS,
    cell_value,
    csv_files,
    iter_lines,
    iter_placed,
    render_json,
)
from medperf_git.leaderboard.cells import Cells
from medperf_git.leaderboard.page import DataFile
from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    ComparisonEntry,
    Hidden,
    Source,
    Subject,
)

WHOLE = 4000  # cells times metrics up to which one file holds a whole table
SCHEMA = "schemas/leaderboard-{}.1.json"
SHARD_COLUMNS = ("benchmark", "dataset", "title", "results", "shard")
HIDDEN_COLUMNS = ("benchmark", "record", "result", "reason")
RANKING_COLUMNS = (
    *("benchmark", "model", "title", "rank", "not_ranked_because", "metric", "direction", "score"),
    *("interval", "low", "high", "interval_sites", "interval_mean"),
    *("rank_without_a_site_low", "rank_without_a_site_high", "beside_first", "sites", "cases"),
)

Shards = Mapping[str, Sequence[str]]  # the files that hold a column, by the folder of its results


def benchmark_files(analysis: Analysis, shards: Shards) -> Iterator[DataFile]:
    """Yield the data files of a benchmark that are about all of it."""
    table = analysis.table
    folder = f"benchmarks/{table.ref.path}"
    yield DataFile(f"{folder}/results.csv", partial(results_csv, table, shards))
    yield from wide_files(table)
    yield from hidden_files(table)
    yield DataFile(f"{folder}/ranking.csv", partial(ranking_csv, analysis))
    yield DataFile(f"{folder}/table.json", partial(table_json, analysis, shards))


def is_whole(table: BenchmarkTable) -> bool:
    """Tell whether one file holds every cell of a table."""
    return len(table.cells) * len(table.metrics) <= WHOLE


def results_csv(table: BenchmarkTable, shards: Shards) -> bytes:
    """Write one line per model, site and metric; for a large table one line per site, which names its shards."""
    if is_whole(table):
        whole = render_csv(RESULT_COLUMNS, (row for placed in iter_placed(table) for row in iter_lines(table, *placed)))
        if len(whole) <= MAX_BYTES:
            return whole
    lines = (
        (str(table.ref), str(one["dataset"]), str(one["title"]), one["results"], name)
        for one in _shards_of(table, shards)
        for name in one["csv"]
    )
    return render_csv(SHARD_COLUMNS, lines)


def wide_files(table: BenchmarkTable) -> Iterator[DataFile]:
    """Yield, for each metric, the counted values as model by site; split at models, in the order of the table."""
    folder = f"benchmarks/{table.ref.path}"
    names = [str(site.ref) for site in table.sites]
    for metric in table.metrics:
        rows = [
            [str(model.ref), *(None if value != value else value for value in row)]  # noqa: PLR0124 - NaN
            for model, row in zip(table.models, table.values(metric.id).tolist(), strict=True)
        ]
        yield from csv_files(f"{folder}/wide/{metric.id}", ("model", *names), rows)


def hidden_files(table: BenchmarkTable) -> Iterator[DataFile]:
    """Yield the results that are no cell, each with the reason."""
    rows = [
        (str(table.ref), item.path, item.entry.source.id if item.entry else None, item.reason) for item in table.hidden
    ]
    yield from csv_files(f"benchmarks/{table.ref.path}/hidden", HIDDEN_COLUMNS, rows)


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


def table_json(analysis: Analysis, shards: Shards) -> bytes:
    """Write everything a benchmark's page shows; `cells` is null where the shards hold them."""
    table = analysis.table
    value = {
        "format": FORMAT,
        "$schema": "../" * (table.url.count("/")) + SCHEMA.format("table"),
        "benchmark": str(table.ref),
        "title": table.title,
        "record": _source(table.source),
        "marks": list(table.marks),
        "headline": analysis.headline,
        "explanation": analysis.explanation,
        "metrics": [_metric(table, name.id) for name in table.metrics],
        "ranking": _ranking(analysis),
        "sites": [_site(site) for site in table.sites],
        "cells": [cell_value(*placed) for placed in iter_placed(table)] if is_whole(table) else None,
        "hidden": [hidden_value(item) for item in table.hidden] if len(table.hidden) <= WHOLE // 4 else None,
        "counts": {"results": table.seen, "shown": table.shown, "hidden": len(table.hidden), "counted": table.counted},
        "shards": _shards_of(table, shards),
        "comparisons": [_comparison(one) for one in table.comparisons],
    }
    whole = render_json(value)
    for large in (("cells",), ("hidden",), ("ranking", "models")):
        if len(whole) > MAX_BYTES:
            holder = value if len(large) == 1 else value[large[0]]
            assert isinstance(holder, dict)  # noqa: S101 - as written above
            holder[large[-1]] = None
            whole = render_json(value)
    return whole


def _site(site: Subject) -> Mapping[str, Any]:
    return {"dataset": str(site.ref), "title": site.title, "cases": site.cases_text, "marks": list(site.marks)}


def _shards_of(table: BenchmarkTable, shards: Shards) -> list[Mapping[str, Any]]:
    """List the files that hold each site, from the folder of the benchmark's page."""
    if not isinstance(table.cells, Cells):
        return []
    start = len(f"benchmarks/{table.ref.path}/")
    titles = {site.ref: site.title for site in table.sites}
    found: list[Mapping[str, Any]] = []
    for column in table.cells.columns:
        if column is not None:
            files = [url[start:] for url in shards.get(column.folder, ())]
            found.append(
                {
                    "dataset": str(column.dataset),
                    "title": titles[column.dataset],
                    "results": len(column.models),
                    "csv": [url for url in files if url.endswith(".csv")],
                    "json": [url for url in files if url.endswith(".json")],
                }
            )
    return found


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


def _source(source: Source) -> Mapping[str, Any]:
    signed = [{"signer": s.signer, "key": s.key, "bundle": s.path} for s in source.signatures]
    return {"path": source.path, "digest": source.digest, "signatures": signed}


def hidden_value(item: Hidden) -> Mapping[str, Any]:
    """Return a result that is no cell as plain values for JSON."""
    return {"path": item.path, "reason": item.reason, "id": item.entry.source.id if item.entry else None}
