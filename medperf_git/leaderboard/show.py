"""A benchmark's ranking as rows of plain text, for `leaderboard show`; the command line prints them."""

from collections.abc import Iterator
from dataclasses import dataclass

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Standing, analyse
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.text import NOTHING, fixed, span
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class Shown:
    """One benchmark: a sentence, what it rests on, a table and notes below it.

    `numeric` says which columns are numbers and stand to the right.
    """

    benchmark: str
    title: str
    headline: str
    explanation: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def show(view: RecordView, benchmark: Ref | None = None) -> tuple[Shown, ...]:
    """Render one benchmark version, or all of them; empty if there is none."""
    tables = read_tables(view).benchmarks
    return tuple(_shown(analyse(table)) for table in tables if benchmark in (None, table.ref))


def _shown(analysis: Analysis) -> Shown:
    table = analysis.table
    heads = [(f"{metric.title} {metric.arrow}", "range or interval") for metric in analysis.metrics]
    scores = tuple(name for pair in heads for name in pair)
    others = tuple(f"by {other.rule.title.lower()}" for other in analysis.others)
    return Shown(
        benchmark=str(table.ref),
        title=table.title,
        headline=analysis.headline,
        explanation=analysis.explanation,
        columns=("rank", "model", *scores, "without a site", *others, "sites", "cases"),
        numeric=(True, False, *(True for _ in scores), True, *(True for _ in others), True, True),
        rows=tuple(_row(analysis, row) for row in analysis.standings),
        notes=tuple(_notes(analysis)),
    )


def _row(analysis: Analysis, row: Standing) -> tuple[str, ...]:
    scores: list[str] = []
    for score in row.scores:
        decimals = score.metric.decimals
        scores.append(fixed(score.value, decimals))
        scores.append(_bounds(score.interval, decimals))
    ranks = row.others or (None,) * len(analysis.others)
    return (
        _rank(row.rank),
        str(row.model.ref),
        *scores,
        span(*map(str, row.rank_range)) if row.rank_range else NOTHING,
        *(_rank(rank) for rank in ranks),
        f"{row.sites}/{len(analysis.table.sites)}",
        NOTHING if row.cases is None else str(row.cases),
    )


def _bounds(interval: un.Interval | un.Undefined, decimals: int) -> str:
    if isinstance(interval, un.Undefined):
        return NOTHING
    return span(fixed(interval.low, decimals), fixed(interval.high, decimals))


def _rank(rank: int | None) -> str:
    return NOTHING if rank is None else str(rank)


def _notes(analysis: Analysis) -> Iterator[str]:
    for row in analysis.standings:
        if row.rank is None:
            yield f"{row.model.ref} is not ranked: {row.unranked}"
        elif row.beside_first and row.rank > 1:
            yield f"{row.model.ref} cannot be told from first place"
    for cell in analysis.table.cells.values():
        if not cell.counts:
            yield f"{cell.model} at {cell.dataset}: {cell.state} ({cell.reason})"
    if analysis.table.hidden:
        yield f"{len(analysis.table.hidden)} results are hidden: superseded or unreadable"
