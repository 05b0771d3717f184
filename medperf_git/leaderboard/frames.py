"""A benchmark without its results: what it is, who takes part, and by which rules; then a column read into arrays.

Rules kept here: every `.yaml` below the folder of a dataset is counted once, as a link of a chain, as hidden with a
reason, or as one that lies where no result may lie.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from medperf_git.errors import IntegrityBroken
from medperf_git.leaderboard.cells import Cells, HiddenResults
from medperf_git.leaderboard.columns import Column, ColumnBuilder
from medperf_git.leaderboard.results import ResultReader
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    Cell,
    CellState,
    MetricInfo,
    PolicyFacts,
    RankingSpec,
    ResultEntry,
    Subject,
)
from medperf_git.records import folds, layout, models
from medperf_git.records.names import Ref
from medperf_git.records.ranking_rules import RULES, alpha_of
from medperf_git.records.record import Stored
from medperf_git.records.standings import iter_associated
from medperf_git.records.view import RecordView, chain, folders, record_at, stored_at

OnCell = Callable[[Cell], None]


class Frame:
    """Everything of a benchmark but its results; rows and columns are read when they are asked for."""

    def __init__(self, view: RecordView, stored: Stored, record: models.Benchmark, *, brief: bool = False) -> None:
        self.view, self.record, self.ref = view, record, record.ref
        self.reader = ResultReader(view, brief=brief)
        self._stored, self._brief = stored, brief
        self._models: dict[Ref, Subject] = {}
        self._sites: dict[Ref, Subject] = {}

    @classmethod
    def of(cls, view: RecordView, ref: Ref, *, brief: bool = False) -> "Frame | None":
        """Read a benchmark; None when it cannot be read."""
        stored = stored_at(view, layout.benchmark_path(ref))
        if stored is None or not isinstance(stored.record, models.Benchmark):
            return None
        return cls(view, stored, stored.record, brief=brief)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The ids of its metrics."""
        return tuple(metric.id for metric in self.record.metrics)

    def model(self, ref: Ref) -> Subject:
        """Return a row."""
        if ref not in self._models:
            self._models[ref] = _model(self.view, self.record, ref)
        return self._models[ref]

    def site(self, ref: Ref) -> Subject:
        """Return a column's head."""
        if ref not in self._sites:
            self._sites[ref] = _site(self.view, self.record, ref)
        return self._sites[ref]

    def iter_folders(self) -> Iterator[tuple[Ref, str]]:
        """Yield each dataset with results, and the folder of them."""
        top = f"results/{self.ref.path}"
        for name in folders(self.view, top):
            if (ref := ref_of(name)) is not None:
                yield ref, f"{top}/{name}"

    def read_column(self, folder: str, on_cell: OnCell | None = None) -> Column:
        """Read the results on one dataset; each cell is handed to `on_cell` while it is whole.

        Raises IntegrityBroken when a result would be counted nowhere or twice.
        """
        dataset = Ref.from_folder(folder.rpartition("/")[2])
        builder = ColumnBuilder(folder, dataset, self.metrics)
        good: set[str] = set()
        for name in folders(self.view, folder):
            model = ref_of(name)
            entries = self.reader.chain(f"{folder}/{name}") if model is not None else ()
            if model is None or not entries:
                continue
            cell = _cell(self.model(model), self.site(dataset), entries)
            builder.add(model, entries, reason=cell.reason)
            good.update(entry.source.path for entry in entries)
            if on_cell is not None:
                on_cell(cell)
        there = list(iter_result_files(self.view, folder))
        for path in there:
            if path in good:
                continue
            if layout.place_of(path) is None:
                builder.strays.append(path)
            else:
                builder.broken.append((path, self.reader.why_broken(path)))
        if len(good) + len(builder.broken) + len(builder.strays) != len(there):
            raise IntegrityBroken(
                f"{folder}: {len(there)} results, but {len(good)} read and {len(builder.broken)} hidden",
                hint="this is a fault of medperf-git; please report it with the commit",
            )
        return builder.build()

    def column_table(
        self, dataset: Ref, models_there: Sequence[Ref], cells: Mapping[tuple[Ref, Ref], Cell]
    ) -> BenchmarkTable:
        """Return the table of one dataset alone, from which the pages of its results are made."""
        rows = tuple(self.model(ref) for ref in sorted(models_there))
        return replace(self.bare, models=rows, sites=(self.site(dataset),), cells=cells)

    def table_of_one(self, column: Column) -> BenchmarkTable:
        """Return the table of one column, its results with it."""
        rows = tuple(self.model(ref) for ref in sorted(column.models))
        sites, there, read = (self.site(column.dataset),), {column.dataset: column}, self.reader.chain
        return replace(
            self.bare,
            models=rows,
            sites=sites,
            cells=Cells(self.ref, rows, sites, there, read),
            hidden=HiddenResults(self.ref, [column], read),
            seen=column.seen,
        )

    def table(self, columns: Mapping[Ref, Column]) -> BenchmarkTable:
        """Return the table with these columns: all there are."""
        from medperf_git.leaderboard.compared import read_comparisons  # noqa: PLC0415  (scipy; columns need none of it)

        there = {model for column in columns.values() for model in column.models}
        row_refs = self._subjects("cube") | {self.record.reference_model.ref} | there
        column_refs = self._subjects("dataset") | {ref for ref, column in columns.items() if column.models}
        rows = tuple(self.model(ref) for ref in sorted(row_refs))
        sites = tuple(self.site(ref) for ref in sorted(column_refs))
        read = self.reader.chain
        return replace(
            self.bare,
            models=rows,
            sites=sites,
            cells=Cells(self.ref, rows, sites, columns, read),
            hidden=HiddenResults(self.ref, list(columns.values()), read),
            seen=sum(column.seen for column in columns.values()),
            waiting=tuple(self._iter_waiting()),
            comparisons=read_comparisons(self.view, self.ref) if self._needs_comparisons else (),
        )

    @cached_property
    def bare(self) -> BenchmarkTable:
        """The table without rows, columns and cells."""
        record, reader = self.record, self.reader
        return BenchmarkTable(
            ref=self.ref,
            source=reader.source(self._stored),
            title=record.title,
            description=record.description,
            predecessor=str(record.predecessor.ref) if record.predecessor else "",
            partial_allowed=record.partial,
            cubes=(
                reader.reference("data preparator", record.data_preparator),
                reader.reference("reference model", record.reference_model),
                reader.reference("metrics", record.metrics_cube),
            ),
            reference_model=record.reference_model.ref,
            metrics=tuple(_metric(metric) for metric in record.metrics),
            ranking=_ranking(record.ranking),
            policy=_policy(self.view, self.ref),
            bias=dict(sorted((record.bias or {}).items())),
            marks=_marks(self.view, self._stored.path, ""),
            models=(),
            sites=(),
            waiting=(),
            cells={},
            hidden=(),
            seen=0,
        )

    @property
    def _needs_comparisons(self) -> bool:
        """Whether the comparisons are shown, or ranked by."""
        return not self._brief or RULES[self.record.ranking.rule].comparisons

    def _subjects(self, kind: str) -> set[Ref]:
        return {
            ref
            for ref in iter_associated(self.view, self.ref, kind)
            if self._status(kind, ref) is folds.Status.APPROVED
        }

    def _iter_waiting(self) -> Iterator[str]:
        for kind in ("cube", "dataset"):
            for ref in iter_associated(self.view, self.ref, kind):
                if self._status(kind, ref) is folds.Status.PENDING:
                    yield str(ref)

    def _status(self, kind: str, ref: Ref) -> folds.Status:
        return folds.association_state(self.view, self.ref, kind, ref).status


def iter_result_files(view: RecordView, folder: str) -> Iterator[str]:
    """Yield every `.yaml` below a folder of `results/`."""
    for name in view.names(folder):
        path = f"{folder}/{name}"
        if name.endswith("/"):
            yield from iter_result_files(view, path[:-1])
        elif name.endswith(".yaml"):
            yield path


def ref_of(folder: str) -> Ref | None:
    """Return what a folder name refers to, None when it is no reference."""
    try:
        return Ref.from_folder(folder)
    except ValueError:
        return None


def _cell(model: Subject, site: Subject, entries: tuple[ResultEntry, ...]) -> Cell:
    around = (*(f"model {mark}" for mark in model.marks), *(f"dataset {mark}" for mark in site.marks))
    live = entries[-1]
    reason = live.reason
    if live.state in (CellState.WITHDRAWN, CellState.DISPUTED):
        event = "withdraw" if live.state is CellState.WITHDRAWN else "dispute"
        told = [notice for notice in live.notices if notice.event == event]
        reason = f"{told[-1].by}: {told[-1].reason.replace('-', ' ')}" if told else reason
    return Cell(model.ref, site.ref, live.state, reason, around, live, entries[:-1])


def _model(view: RecordView, benchmark: models.Benchmark, ref: Ref) -> Subject:
    record = record_at(view, layout.cube_path(ref), models.Cube)
    reference = ref == benchmark.reference_model.ref
    status = folds.association_state(view, benchmark.ref, "cube", ref).status
    standing = "reference model" if reference else str(status)
    marks = _marks(view, layout.cube_path(ref), "" if reference else _lost(status))
    return Subject(ref, record.title if record else str(ref), standing, marks=marks)


def _site(view: RecordView, benchmark: models.Benchmark, ref: Ref) -> Subject:
    record = record_at(view, layout.dataset_path(ref), models.Dataset)
    status = folds.association_state(view, benchmark.ref, "dataset", ref).status
    marks = _marks(view, layout.dataset_path(ref), _lost(status))
    if record is None:
        return Subject(ref, str(ref), str(status), None, "unknown", marks)
    return Subject(ref, record.title, str(status), record.cases.exact, str(record.cases), marks)


def _lost(status: folds.Status) -> str:
    return "" if status is folds.Status.APPROVED else "no longer approved"


def _marks(view: RecordView, path: str, standing: str) -> tuple[str, ...]:
    marks = folds.marks_of(view, path)
    words = ("withdrawn" if marks.withdrawn else "", "disputed" if marks.disputed else "", standing)
    return tuple(filter(None, words))


def _metric(metric: models.Metric) -> MetricInfo:
    return MetricInfo(
        id=metric.id,
        title=metric.title,
        unit=metric.unit,
        higher_is_better=metric.direction == "higher",
        decimals=metric.decimals,
        low=float(metric.range.min),
        high=float(metric.range.max),
        reduction=metric.reduction,
        worst=None if metric.worst is None else float(metric.worst),
    )


def _ranking(ranking: models.Ranking) -> RankingSpec:
    return RankingSpec(
        rule=ranking.rule,
        version=ranking.version,
        metrics=ranking.metrics,
        weights=ranking.weights,
        missing=ranking.missing,
        seed=ranking.seed,
        cap=ranking.cap,
        alpha=float(alpha_of(ranking)),
        adjust=ranking.adjust or "holm",
        method=ranking.method or "DL",
    )


def _policy(view: RecordView, benchmark: Ref) -> PolicyFacts | None:
    links = chain(view, layout.policy_folder(benchmark))
    record = links[-1].record if links else None
    if not isinstance(record, models.Policy):
        return None
    return PolicyFacts(
        source=ResultReader(view).source(links[-1]),
        committee=tuple(record.committee),
        change=record.thresholds.change,
        events=record.thresholds.events,
        auto_datasets=_auto(record.auto_approve.datasets),
        auto_models=_auto(record.auto_approve.models),
        opens=record.opens or "",
        closes=record.closes or "",
        min_cases=record.disclosure.min_cases,
        decimals=record.disclosure.decimals,
        exact_n=record.disclosure.n == "exact",
    )


def _auto(rule: models.AutoApproval) -> str:
    return f"those of {', '.join(rule.members or ())}" if rule.mode == "list" else rule.mode
