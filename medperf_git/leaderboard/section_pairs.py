"""Which models differ significantly, pair by pair: tables for the page, and every pair as CSV."""

import math
from collections.abc import Iterator

import numpy as np

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.pairwise import Pairwise, Tested
from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.standing import Analysis
from medperf_git.leaderboard.text import NOTHING, some, span, whole
from medperf_git.leaderboard.words import Context

MOST_SHOWN = 40  # models of one table: 1600 cells, about 130 kB
MOST_TABLES = 3
COLUMNS = (
    *("benchmark", "metric", "first", "second", "tested_by", "sites", "p_holm", "alpha"),
    *("better", "significant"),
)
_MARKS = {"better": "▲", "worse": "▽", "same": "·", "untested": NOTHING, "self": ""}
_WORDS = {"better": "better", "worse": "worse", "same": "not told apart", "untested": "not tested", "self": "itself"}


def pair_tables(analysis: Analysis) -> list[Context]:
    """Say, for each ranking metric, who is significantly better than whom, or why nobody can tell."""
    return [
        _reason(metric.title, found.reason)
        if isinstance(found, un.Undefined)
        else _table(analysis, found)
        if k < MOST_TABLES
        else _reason(metric.title, f"the page has room for {some(MOST_TABLES, 'metric')}; this one is in pairs.csv")
        for k, (metric, found) in enumerate(zip(analysis.metrics, analysis.pairs, strict=True))
    ]


def _reason(title: str, reason: str) -> Context:
    return {"metric": title, "why": f"{reason[:1].upper()}{reason[1:]}.", "rows": []}


def _table(analysis: Analysis, found: Pairwise) -> Context:
    ranked = [row for row in analysis.standings if row.model.ref in found.models]
    shown = ranked[:MOST_SHOWN]
    places = [found.models.index(row.model.ref) for row in shown]
    beats, tested = found.beats(), ~np.isnan(found.p)
    if not beats.any():
        why = f"no two models differ significantly ({_caption(found)[:-1]}){_too_few(found)}"
        return _reason(found.metric.title, why)
    return {
        "metric": found.metric.title,
        "why": "",
        "caption": _caption(found),
        "heads": [{"text": str(k + 1), "title": row.model.title} for k, row in enumerate(shown)],
        "interval": not found.interval,
        "rows": [
            {
                "number": str(k + 1),
                "title": row.model.title,
                "cells": [_cell(beats, tested, i, j) for j in places],
                "interval": _interval(found, i),
            }
            for k, (row, i) in enumerate(zip(shown, places, strict=True))
        ],
        "notes": _notes(found, len(ranked)),
    }


def _too_few(found: Pairwise) -> str:
    """Say that the sites are too few for any difference to pass, by the smallest p that so many values can give.

    It is that of differences of one sign and one size, whose tied ranks have the least variance: k(k+1)²/16.
    """
    k = len(found.sites)
    if found.kind is Tested.CASES:
        return ""
    z = (k * (k + 1) / 4 - 0.5) / ((k + 1) * math.sqrt(k) / 4)
    if math.erfc(z / math.sqrt(2)) * found.tests <= found.alpha:
        return ""
    return f". {some(k, 'site')} are too few for any difference, however large, to be significant by these tests"


def _caption(found: Pairwise) -> str:
    over = some(len(found.sites), "site")
    if found.cases is not None:
        over = f"{some(found.cases, 'case')} of {over}"
    how = "each site ranks its own differences" if found.kind is Tested.CASES else "each site counts once"
    return (
        f"{found.kind.value}, over {over}: {how}; two-sided, {some(found.tests, 'test')}"
        f"{' adjusted together by Holm' if found.tests > 1 else ''}, level {found.alpha:g}."
    )


def _cell(beats: np.ndarray, tested: np.ndarray, i: int, j: int) -> Context:
    kind = "self" if i == j else "untested" if not tested[i, j] else "same"
    kind = "better" if beats[i, j] else "worse" if beats[j, i] else kind
    return {"kind": kind, "mark": _MARKS[kind], "word": _WORDS[kind]}


def _interval(found: Pairwise, at: int) -> str:
    return NOTHING if found.interval else span(str(int(found.low[at])), str(int(found.high[at])))


def _notes(found: Pairwise, ranked: int) -> list[str]:
    notes = []
    if found.interval:
        notes.append(f"No rank interval: {found.interval}.")
    if ranked > MOST_SHOWN:
        notes.append(f"The first {MOST_SHOWN} of {whole(ranked)} models; every pair is in pairs.csv.")
    return notes


def has_pairs(analysis: Analysis) -> bool:
    """Tell whether any pair was tested."""
    return any(isinstance(found, Pairwise) for found in analysis.pairs)


def pairs_csv(analysis: Analysis) -> bytes:
    """Write one line per ranking metric and pair of models."""
    return render_csv(COLUMNS, _lines(analysis))


def _lines(analysis: Analysis) -> Iterator[tuple[CellText, ...]]:
    for found in analysis.pairs:
        if not isinstance(found, Pairwise):
            continue
        kind = "cases" if found.kind is Tested.CASES else "sites"
        common = str(analysis.table.ref), found.metric.id
        beats = found.beats()
        for i, first in enumerate(found.models):
            for j in range(i + 1, len(found.models)):
                second, p = found.models[j], found.p[i, j]
                tested = not np.isnan(p)
                better = str(first) if found.better[i, j] else str(second) if found.better[j, i] else None
                yield (
                    *common,
                    str(first),
                    str(second),
                    kind,
                    len(found.sites),
                    round(float(p), 12) if tested else None,
                    found.alpha,
                    better if tested else None,
                    bool(beats[i, j] or beats[j, i]) if tested else None,
                )
