"""A benchmark's ranking as rows of plain text, for `leaderboard show`; the command line prints them."""

from collections.abc import Iterator
from dataclasses import dataclass

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing, analyse
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.section_firm import firm_notes, usable_others
from medperf_git.leaderboard.section_ranking import ranking_notes
from medperf_git.leaderboard.text import NOTHING, fixed, some, span
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class Shown:
    """One benchmark: a sentence, what it rests on, a table and notes below it.

    `sites` and `cases` of a row are those that its score rests on. A range or interval over others bears ‡.
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
    others = tuple(f"by {analysis.others[place].rule.title}" for place in usable_others(analysis))
    own = (analysis.own_name,) if analysis.own_name else ()
    open_ranks = ("ranks left open",) if _has_intervals(analysis) else ()
    return Shown(
        benchmark=str(table.ref),
        title=table.title,
        headline=analysis.headline,
        explanation=analysis.explanation,
        columns=("rank", "model", *own, *scores, "sites", "cases", *open_ranks, "without a site", *others),
        numeric=(
            True,
            False,
            *(True for _ in (*own, *scores)),
            True,
            True,
            *(True for _ in (*open_ranks, "", *others)),
        ),
        rows=tuple(_row(analysis, row) for row in analysis.standings),
        notes=tuple(_notes(analysis)),
    )


def _row(analysis: Analysis, row: Standing) -> tuple[str, ...]:
    scores: list[str] = []
    for score in row.scores:
        scores.append(fixed(score.value, score.metric.decimals))
        scores.append(_bounds(score))
    ranks = [row.others[place] for place in usable_others(analysis)]
    own = (fixed(row.own, 3),) if analysis.own_name else ()
    open_ranks = (_interval(row),) if _has_intervals(analysis) else ()
    return (
        _rank(row.rank),
        str(row.model.ref),
        *own,
        *scores,
        *_counted(analysis, row),
        *open_ranks,
        span(*map(str, row.rank_range)) if row.rank_range else NOTHING,
        *(_rank(rank) for rank in ranks),
    )


def _has_intervals(analysis: Analysis) -> bool:
    return any(isinstance(row.rank_interval, tuple) for row in analysis.standings)


def _interval(row: Standing) -> str:
    return NOTHING if isinstance(row.rank_interval, un.Undefined) else span(*map(str, row.rank_interval))


def _counted(analysis: Analysis, row: Standing) -> tuple[str, str]:
    """Return the sites and the cases of its own that a model's score rests on, of all sites."""
    if not isinstance(analysis.ranking, rk.Ranking) or row.rank is None:
        return NOTHING, NOTHING
    counted = [site for site in row.scores[0].per_site if str(site) in analysis.ranking.counted.grid.sites]
    measured = [analysis.table.cells[row.model.ref, site].measured(row.scores[0].metric.id) for site in counted]
    sizes = [one.n for one in measured if one is not None and one.n is not None]
    cases = str(sum(sizes)) if len(sizes) == len(counted) else NOTHING
    return f"{len(counted)}/{len(analysis.table.sites)}", cases


def _bounds(score: Score) -> str:
    interval, decimals = score.interval, score.metric.decimals
    if isinstance(interval, un.Undefined):
        return NOTHING
    bounds = span(fixed(interval.low, decimals), fixed(interval.high, decimals))
    return f"{bounds} ‡" if score.own_sites_differ else bounds


def _rank(rank: int | None) -> str:
    return NOTHING if rank is None else str(rank)


def _notes(analysis: Analysis) -> Iterator[str]:
    yield from ranking_notes(analysis)
    yield from firm_notes(analysis)
    for row in analysis.standings:
        if row.rank is None:
            yield f"{row.model.ref} is not ranked: {row.unranked}"
        elif row.beside_first and row.rank > 1:
            yield f"{row.model.ref} cannot be told from first place"
        yield from (_own_sites(row, score) for score in row.scores if score.own_sites_differ)
    for cell in analysis.table.iter_gaps():
        yield f"{cell.model} at {cell.dataset}: {cell.state} ({cell.reason})"
    if hidden := len(analysis.table.hidden):
        yield f"{some(hidden, 'result is', 'results are')} hidden:"
    for one in analysis.table.hidden:
        yield f"  {one.path}: {one.reason}"


def _own_sites(row: Standing, score: Score) -> str:
    """Say over what the range or interval of a score is, where it is over more than the score."""
    sites = some(score.interval.sites, "site") if isinstance(score.interval, un.Interval) else NOTHING
    cases = f", {some(row.cases, 'case')}" if row.cases is not None and score is row.scores[0] else ""
    return f"{row.model.ref}: the range or interval of {score.metric.title} is over {sites}{cases}"
