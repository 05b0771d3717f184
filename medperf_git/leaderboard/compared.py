"""The comparisons that sites published of their models: all of them with their state, the live ones with all numbers.

Rules kept here: every readable link of a chain is listed; a ranking rests only on the last link of a chain, and only
when it is neither withdrawn nor disputed and every result it rests on is the live one and counts. What it may not rest
on is named with the reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medperf_git.leaderboard.block import Block, block_of
from medperf_git.leaderboard.ranking import LeftOut
from medperf_git.leaderboard.tables import BenchmarkTable, ComparisonEntry
from medperf_git.records.folds import comparison_chain, marks_of, replaced_in
from medperf_git.records.models import Comparison
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, iter_comparisons

LIVE = "live"


def read_comparisons(view: RecordView, benchmark: Ref) -> tuple[ComparisonEntry, ...]:
    """Return every comparison of a benchmark, in the order of dataset and metric, oldest first within a chain."""
    return tuple(
        entry
        for dataset, metric in iter_comparisons(view, benchmark)
        for entry in _entries(view, comparison_chain(view, benchmark, dataset, metric))
    )


def _entries(view: RecordView, links: tuple[Stored, ...]) -> Iterator[ComparisonEntry]:
    for link in links:
        if isinstance(link.record, Comparison):
            record = link.record
            yield ComparisonEntry(
                path=link.path,
                digest=link.digest,
                dataset=record.dataset.ref,
                metric=record.metric,
                models=tuple(model.ref for model in record.models),
                n=record.n,
                state=(state := _state(view, link, record, newest=link is links[-1])),
                block=block_of(record) if state == LIVE else None,
            )


def _state(view: RecordView, link: Stored, record: Comparison, *, newest: bool) -> str:
    marks = marks_of(view, link.path)
    if marks.withdrawn:
        return "withdrawn"
    if marks.disputed:
        return "disputed"
    if not newest:
        return "superseded"
    return "rests on a result that is not the live one" if replaced_in(view, record) else LIVE


@dataclass(frozen=True, slots=True)
class Shared:
    """The comparisons by one metric that a ranking may rest on, by dataset, and the sites without one, with reasons."""

    metric: str
    blocks: Mapping[Ref, Block]
    aside: tuple[LeftOut, ...]


def shared_cases(table: BenchmarkTable, metric: str) -> Shared:
    """Gather the usable comparisons of a benchmark by a metric."""
    newest = {entry.dataset: entry for entry in table.comparisons if entry.metric == metric}
    title = table.metric(metric).title
    blocks: dict[Ref, Block] = {}
    aside: list[LeftOut] = []
    for site in table.sites:
        entry = newest.get(site.ref)
        reason = _why_unusable(table, entry) if entry else f"it has published no comparison by {title}"
        if entry is not None and entry.block is not None and not reason:
            blocks[site.ref] = entry.block
        else:
            aside.append(LeftOut(str(site.ref), reason))
    return Shared(metric, blocks, tuple(aside))


def _why_unusable(table: BenchmarkTable, entry: ComparisonEntry) -> str:
    """Say why no ranking may rest on the newest comparison of a site, empty where it may."""
    if entry.block is None:
        return f"its comparison {entry.state if entry.state.startswith('rests') else f'is {entry.state}'}"
    for model, digest in zip(entry.block.models, entry.block.results, strict=True):
        cell = table.cells.get((model, entry.dataset))
        if cell is None or cell.result is None or cell.result.source.digest != digest:
            return f"its comparison rests on a result of {model} that is not the live one"
        if not cell.counts:
            return f"its comparison rests on a result of {model} that is {cell.state}"
    return ""
