"""Heat maps, gaps and hidden results of a benchmark page, as plain values for its template.

Rules kept here: a missing or failed cell is shown with its reason, never left blank.
"""

import math

from medperf_git.leaderboard import plots
from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    Cell,
    CellState,
    Hidden,
    MetricInfo,
    Subject,
)
from medperf_git.leaderboard.text import NOTHING, fixed, some, whole, word
from medperf_git.leaderboard.words import KINDS, REDUCTIONS, Context


def metrics_in_order(analysis: Analysis) -> list[MetricInfo]:
    """Give the ranking metrics first."""
    leading = [metric.id for metric in analysis.metrics]
    rest = [metric for metric in analysis.table.metrics if metric.id not in leading]
    return [*analysis.metrics, *rest]


def heat_map(analysis: Analysis, metric: MetricInfo) -> Context:
    """Say one metric, models by sites."""
    table = analysis.table
    shown = [measured.value for cell in table.cells.values() if cell.counts and (measured := cell.measured(metric.id))]
    values = [value for value in shown if value is not None]
    bounds = (min(values), max(values)) if values else (0.0, 0.0)
    unit = f", in {metric.unit}" if metric.unit not in ("1", "-", "") else ""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    return {
        "title": metric.title,
        "arrow": metric.arrow,
        "caption": f"{better}{unit}; {REDUCTIONS.get(metric.reduction, metric.reduction)}.",
        "leads": metric.id == analysis.metrics[0].id,
        "sites": [
            {"title": site.title, "ref": site.ref, "cases": site.cases_text, "marks": site.marks}
            for site in table.sites
        ],
        "rows": [_map_row(table, row.model, metric, bounds) for row in analysis.standings],
    }


def _map_row(table: BenchmarkTable, model: Subject, metric: MetricInfo, bounds: tuple[float, float]) -> Context:
    cells = [table.cells[model.ref, site.ref] for site in table.sites]
    counted = [measured.value for cell in cells if cell.counts and (measured := cell.measured(metric.id))]
    values = [value for value in counted if value is not None]
    return {
        "anchor": model.ref.folder,
        "title": model.title,
        "ref": model.ref,
        "cells": [_map_cell(cell, metric, bounds) for cell in cells],
        "mean": fixed(math.fsum(values) / len(values), metric.decimals) if values else NOTHING,
        "mean_of": some(len(values), "site") if 0 < len(values) < len(cells) else "",
    }


def _map_cell(cell: Cell, metric: MetricInfo, bounds: tuple[float, float]) -> Context:
    measured = cell.measured(metric.id)
    value = measured.value if measured else None
    url = cell.result.url if cell.result else ""
    small = f"n = {measured.n}" if measured and measured.n is not None else ""
    if cell.state is CellState.PARTIAL and value is not None:
        small = f"partial, {small}" if small else "partial"
    title = f"{cell.model} at {cell.dataset}: {cell.state}" + (f", {cell.reason}" if cell.reason else "")
    level = None
    if cell.counts and value is not None:
        level = plots.level_of(value, *bounds, higher_is_better=metric.higher_is_better)
        text = fixed(value, metric.decimals)
    elif value is not None:
        text, small = fixed(value, metric.decimals), f"{cell.state}, not counted"
    elif cell.state in (CellState.COMPLETE, CellState.PARTIAL):
        text = "undefined"
    elif cell.state is CellState.MISSING:
        text, small = "missing", cell.reason
    else:
        text, small = str(cell.state), cell.reason
    return {"kind": str(cell.state), "level": level, "text": text, "small": small, "url": url, "title": title}


def gap(cell: Cell, table: BenchmarkTable) -> Context:
    """Say one cell that counts nowhere."""
    why = cell.reason + "".join(f"; {mark}" for mark in cell.marks)
    return {
        "model": table.model_title(cell.model),
        "site": table.site_title(cell.dataset),
        "state": str(cell.state),
        "kind": KINDS[cell.state],
        "why": why,
        "url": cell.result.url if cell.result else "",
        "id": cell.result.source.id if cell.result else "",
    }


def hidden_result(item: Hidden, table: BenchmarkTable) -> Context:
    """Say one hidden result."""
    entry = item.entry
    what = f"{table.model_title(entry.model)} at {table.site_title(entry.dataset)}" if entry else ""
    return {
        "path": item.path,
        "reason": item.reason,
        "url": entry.url if entry else "",
        "id": entry.source.id if entry else "",
        "what": what,
    }


def account(table: BenchmarkTable) -> str:
    """Say that the counts add up."""
    hidden = len(table.hidden)
    tail = f"{word(hidden)} hidden, listed here with the reason" if hidden else "none is hidden"
    shown = f"{whole(table.shown)} {'is' if table.shown == 1 else 'are'} shown"
    return f"Of {some(table.seen, 'result record')}, {shown} and {tail}."
