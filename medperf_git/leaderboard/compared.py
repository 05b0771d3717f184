"""The comparisons that sites published of their models, as the page of a benchmark lists them.

Rules kept here: every readable link of a chain is listed with its state; no ranking rests on them yet.
"""

from collections.abc import Iterator

from medperf_git.leaderboard.tables import ComparisonEntry
from medperf_git.records.folds import comparison_chain, marks_of, replaced_in
from medperf_git.records.models import Comparison
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, iter_comparisons


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
                state=_state(view, link, record, newest=link is links[-1]),
            )


def _state(view: RecordView, link: Stored, record: Comparison, *, newest: bool) -> str:
    marks = marks_of(view, link.path)
    if marks.withdrawn:
        return "withdrawn"
    if marks.disputed:
        return "disputed"
    if not newest:
        return "superseded"
    return "rests on a result that is not the live one" if replaced_in(view, record) else "live"
