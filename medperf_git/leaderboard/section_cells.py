"""Heat maps, gaps and hidden results of a benchmark page, as plain values for its template.

Rules kept here: a missing or failed cell is shown with its reason, never left blank; what a page leaves out because
there is too much of it is counted, and the page says where it is.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

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
from medperf_git.leaderboard.text import NOTHING, fixed, listing, some, whole, word
from medperf_git.leaderboard.words import KINDS, REDUCTIONS, Context
from medperf_git.records.names import Ref

MODELS_IN_MAP = 60  # with SITES_IN_MAP what a map may hold at most
SITES_IN_MAP = 40
BYTES_OF_MAP = 500_000  # what a map may weigh: long names, which stand in every link, leave room for fewer models
BYTES_OF_CELL = 150  # a cell without the names in its link
CELLS_TOGETHER = 1500  # up to so many cells all metrics stand on one page, else each but the first has its own
COMPACT_FROM = 9  # sites: from here on a map is set narrow, with upright names
GAPS_LISTED = 200  # lines; cells without a result of one model share one
GAPS_READ = 50_000
HIDDEN_LISTED = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The models and sites that a page's maps show; all of them where they fit."""

    models: tuple[Subject, ...]
    sites: tuple[Subject, ...]
    left_out: str

    @property
    def cells(self) -> int:
        """How many cells one map has."""
        return len(self.models) * len(self.sites)


def window(analysis: Analysis) -> Window:
    """Choose the best models and the largest sites where a map of all would be too large for a page."""
    table = analysis.table
    models = tuple(row.model for row in analysis.standings)
    sites = table.sites
    if len(sites) > SITES_IN_MAP:
        largest = sorted(sites, key=lambda site: (-(site.cases or 0), site.ref))[:SITES_IN_MAP]
        sites = tuple(sorted(largest, key=lambda site: site.ref))
    names = [max((len(one.ref.folder) for one in subjects), default=0) for subjects in (models, sites)]
    cell = BYTES_OF_CELL + len(table.ref.path) + sum(names)
    room = BYTES_OF_MAP // (cell * max(len(sites), 1))
    shown = models[: min(MODELS_IN_MAP, room)]
    cut = []
    if len(shown) < len(models):
        cut.append(f"the best {whole(len(shown))} of {whole(len(models))} models")
    if len(sites) < len(table.sites):
        cut.append(f"the {whole(len(sites))} largest of {whole(len(table.sites))} sites")
    return Window(shown, sites, " at ".join(cut))


def metrics_in_order(analysis: Analysis) -> list[MetricInfo]:
    """Give the ranking metrics first."""
    leading = [metric.id for metric in analysis.metrics]
    rest = [metric for metric in analysis.table.metrics if metric.id not in leading]
    return [*analysis.metrics, *rest]


def metrics_here(analysis: Analysis, seen: Window) -> list[MetricInfo]:
    """Give the metrics whose maps stand on the benchmark's own page: all, or the first where there are many cells."""
    ordered = metrics_in_order(analysis)
    return ordered if seen.cells * len(ordered) <= CELLS_TOGETHER else ordered[:1]


def map_url(table: BenchmarkTable, metric: MetricInfo) -> str:
    """Give the page of a metric's map, from the root of the site."""
    return f"benchmarks/{table.ref.path}/metric-{metric.id}.html"


def heat_map(analysis: Analysis, metric: MetricInfo, seen: Window, *, anchored: bool) -> Context:
    """Say one metric, models by sites; `anchored` rows are where the ranking's names lead to."""
    table = analysis.table
    rows = [table.models.index(model) for model in seen.models]
    counted = table.values(metric.id)[rows]
    shown = counted[:, [table.sites.index(site) for site in seen.sites]]
    bounds = (0.0, 0.0) if np.isnan(shown).all() else (float(np.nanmin(shown)), float(np.nanmax(shown)))
    unit = f", in {metric.unit}" if metric.unit not in ("1", "-", "") else ""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    compact = len(seen.sites) >= COMPACT_FROM
    return {
        "id": metric.id,
        "title": metric.title,
        "arrow": metric.arrow,
        "higher": metric.higher_is_better,
        "decimals": metric.decimals,
        "caption": f"{better}{unit}; {REDUCTIONS.get(metric.reduction, metric.reduction)}.",
        "anchored": anchored,
        "compact": compact,
        "tall": len(seen.models) > plots.TALL,
        "left_out": seen.left_out,
        "sites": [
            {"title": site.title, "ref": site.ref, "cases": site.cases_text, "marks": site.marks} for site in seen.sites
        ],
        "rows": [
            {
                "anchor": model.ref.folder,
                "title": model.title,
                "ref": model.ref,
                "cells": [
                    _map_cell(table.cells[model.ref, site.ref], site, metric, bounds, compact=compact)
                    for site in seen.sites
                ],
                **_mean(line[~np.isnan(line)].tolist(), of=len(line), decimals=metric.decimals),
            }
            for model, line in zip(seen.models, counted, strict=True)
        ],
    }


def _mean(values: list[float], *, of: int, decimals: int) -> Context:
    """Say the mean of a model's sites, and of how many where some are missing."""
    return {
        "mean": fixed(math.fsum(values) / len(values), decimals) if values else NOTHING,
        "mean_of": some(len(values), "site") if 0 < len(values) < of else "",
    }


def _map_cell(cell: Cell, site: Subject, metric: MetricInfo, bounds: tuple[float, float], *, compact: bool) -> Context:
    measured = cell.measured(metric.id)
    value = measured.value if measured else None
    n = measured.n if measured else None
    small = f"n = {n}" if n is not None and n != site.cases else ""
    if cell.state is CellState.PARTIAL and value is not None:
        small = f"partial, {small}" if small else "partial"
    level = None
    if cell.counts and value is not None:
        level = plots.level_of(value, *bounds, higher_is_better=metric.higher_is_better)
        text = fixed(value, metric.decimals)
        text = re.sub(r"^(\N{MINUS SIGN}?)0(?=\.\d{3})", r"\1", text) if compact else text
    elif value is not None:
        text, small = fixed(value, metric.decimals), f"{cell.state}, not counted"
    elif cell.state in (CellState.COMPLETE, CellState.PARTIAL):
        text = "undefined"
    else:
        text, small = str(cell.state), cell.reason
    plain = compact and cell.state is CellState.COMPLETE and not small
    title = "" if plain else f"{cell.state}" + (f": {cell.reason}" if cell.reason else "")
    if compact and small.startswith("n = "):
        title, small = f"{title}, {small}" if title else small, ""
    return {
        "kind": str(cell.state),
        "level": level,
        "text": text,
        "small": small,
        "url": page[0] if (page := cell.page) else "",
        "title": title,
        "short": compact and level is None,
    }


def gaps(table: BenchmarkTable) -> tuple[list[Context], str]:
    """List the cells that count nowhere, missing ones of a model together, and count those that a page leaves out."""
    models, sites = _titles(table.models), _titles(table.sites)
    lines: dict[tuple[Ref, str], list[Cell]] = {}
    for cell in islice(table.iter_gaps(), GAPS_READ):
        alone = str(cell.dataset) if cell.result is not None or cell.marks else ""
        if (cell.model, alone) not in lines and len(lines) == GAPS_LISTED:
            break
        lines.setdefault((cell.model, alone), []).append(cell)
    more = len(table.cells) - table.counted - sum(map(len, lines.values()))
    told = f"{some(more, 'more cell')} of this kind: see results.csv." if more > 0 else ""
    return [_gap(cells, models[cells[0].model], sites) for cells in lines.values()], told


def _titles(subjects: Iterable[Subject]) -> dict[Ref, str]:
    return {subject.ref: subject.title for subject in subjects}


def _gap(cells: list[Cell], model: str, sites: Mapping[Ref, str]) -> Context:
    """Say one cell, or several of one model that have no result."""
    cell = cells[0]
    names = listing([sites[one.dataset] for one in cells], most=3)
    every = f"every site, {whole(len(sites))} in all" if len(cells) == len(sites) > 1 else names
    return {
        "model": model,
        "site": every,
        "state": str(cell.state),
        "kind": KINDS[cell.state],
        "why": cell.reason + "".join(f"; {mark}" for mark in cell.marks),
        "url": page[0] if (page := cell.page) else "",
        "id": cell.result.source.id if cell.result else "",
    }


def hidden_results(table: BenchmarkTable) -> tuple[list[Context], str]:
    """List the hidden results, and say how many more there are than a page lists."""
    more = len(table.hidden) - HIDDEN_LISTED
    told = f"{some(more, 'more result')}: see hidden.csv." if more > 0 else ""
    return [hidden_result(item, table) for item in table.hidden[:HIDDEN_LISTED]], told


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
    if not table.seen:
        return "There is no result record yet."
    tail = f"{word(hidden)} hidden, listed here with the reason" if hidden else "none is hidden"
    shown = f"{whole(table.shown)} {'is' if table.shown == 1 else 'are'} shown"
    return f"Of {some(table.seen, 'result record')}, {shown} and {tail}."
