"""The tables of two states of a registry, of which what is the same in both is read once.

Rules kept here: a column counts as the same where the ids of everything that it is read from are: its results, the
notices about them, the member whose data they are of, what was set aside. One whose owner revoked a key is read anew.
"""

from collections.abc import Iterator
from dataclasses import replace

from medperf_git.leaderboard.cells import Cells
from medperf_git.leaderboard.columns import Column
from medperf_git.leaderboard.compared import read_comparisons
from medperf_git.leaderboard.identified import has_ids
from medperf_git.leaderboard.reading import count_results, read_benchmark
from medperf_git.leaderboard.tables import BenchmarkTable
from medperf_git.records import folds, layout
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, iter_comparisons


class Tables:
    """Guards the tables of two states, so that each benchmark is read once on each side."""

    def __init__(self, before: RecordView, after: RecordView) -> None:
        self.before, self.after = before, after
        self._known: dict[tuple[bool, Ref], BenchmarkTable | None] = {}

    def earlier(self, ref: Ref) -> BenchmarkTable | None:
        """Read a benchmark before the change; None when it is not there or cannot be read."""
        return self._read(ref, later=False)

    def later(self, ref: Ref) -> BenchmarkTable | None:
        """Read a benchmark after the change."""
        return self._read(ref, later=True)

    def size(self, ref: Ref) -> int:
        """Count the results of a benchmark on the larger side, by the names of files."""
        return max(count_results(self.before, ref), count_results(self.after, ref))

    def comparisons_added(self, ref: Ref) -> int:
        """Count how many comparison records of a benchmark there are more after than before, by the names of files."""
        return _count_comparisons(self.after, ref) - _count_comparisons(self.before, ref)

    def _read(self, ref: Ref, *, later: bool) -> BenchmarkTable | None:
        if (later, ref) not in self._known:
            here, there = (self.after, self.before) if later else (self.before, self.after)
            beside = self._known.get((not later, ref))
            known = {column.folder: column for column in _iter_same(here, there, beside)} if beside else {}
            table = read_benchmark(here, ref, known=known)
            if table is not None and not table.comparisons:  # left out in brief, and tests of pairs rest on them
                table = replace(table, comparisons=read_comparisons(here, ref))
            self._known[later, ref] = table
        return self._known[later, ref]


def _iter_same(here: RecordView, there: RecordView, table: BenchmarkTable) -> Iterator[Column]:
    """Yield the columns of a table of `there` that are read from the same files here."""
    if not (isinstance(table.cells, Cells) and has_ids(here) and has_ids(there)):
        return
    for column in filter(None, table.cells.columns):
        member = column.dataset.member
        rests_on = (column.folder, f"notices/{column.folder}", layout.member_folder(member), layout.QUARANTINE)
        if all(here.folder_id(folder) == there.folder_id(folder) for folder in rests_on):
            owner = folds.member_state(here, member)
            if owner is None or not owner.revoked:
                yield column


def _count_comparisons(view: RecordView, ref: Ref) -> int:
    chains = (layout.comparison_folder(ref, *place) for place in iter_comparisons(view, ref))
    return sum(name.endswith(".yaml") for folder in chains for name in view.names(folder))
