"""Every cell of a benchmark, and every result that is none, over its columns; a cell is made when it is asked for."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.columns import ABSENT, STATES, Column, Floats, ReadChain
from medperf_git.leaderboard.stored_cells import StoredCell
from medperf_git.leaderboard.tables import COUNTED, Cell, CellGrid, CellState, Hidden, Subject
from medperf_git.records.names import Ref

_COUNTED = tuple(state in COUNTED for state in STATES)


class Cells(CellGrid):
    """Every cell of a benchmark: models by sites, in that order."""

    def __init__(
        self,
        benchmark: Ref,
        models: Sequence[Subject],
        sites: Sequence[Subject],
        columns: Mapping[Ref, Column],
        read: ReadChain,
    ) -> None:
        self._benchmark = benchmark
        self._models, self._sites = tuple(models), tuple(sites)
        self.columns = [columns.get(site.ref) for site in self._sites]
        self._read = read
        self._model_at = {model.ref: at for at, model in enumerate(self._models)}
        self._site_at = {site.ref: at for at, site in enumerate(self._sites)}
        self._rows = np.full((len(self._models), len(self._sites)), ABSENT, np.int32)
        for place, column in enumerate(self.columns):
            if column is not None:
                at = [self._model_at[model] for model in column.models]
                self._rows[at, place] = np.arange(len(at))
        self._marks = [tuple(f"model {mark}" for mark in model.marks) for model in self._models]
        self._site_marks = [tuple(f"dataset {mark}" for mark in site.marks) for site in self._sites]

    def __len__(self) -> int:
        return self._rows.size

    def __iter__(self) -> Iterator[tuple[Ref, Ref]]:
        return ((model.ref, site.ref) for model in self._models for site in self._sites)

    def __getitem__(self, key: tuple[Ref, Ref]) -> Cell:
        return self._cell(self._model_at[key[0]], self._site_at[key[1]])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and len(key) == 2 and key[0] in self._model_at and key[1] in self._site_at

    @cached_property
    def states(self) -> NDArray[np.int8]:
        """The state of each cell as a position in `STATES`, (model, site)."""
        found = np.full(self._rows.shape, STATES.index(CellState.MISSING), np.int8)
        for place, column, at, rows in self._filled():
            found[at, place] = column.state[rows]
        return found

    @property
    def places(self) -> tuple[Mapping[Ref, int], Mapping[Ref, int]]:
        """The row of each model and the column of each site."""
        return self._model_at, self._site_at

    @property
    def live(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which cells have a result that is not withdrawn, (model, site): one with values; one that failed."""
        values, failed = np.zeros(self._rows.shape, np.bool_), np.zeros(self._rows.shape, np.bool_)
        for place, column, at, rows in self._filled():
            stays = column.state[rows] != STATES.index(CellState.WITHDRAWN)
            lost = column.outcome[rows] == STATES.index(CellState.FAILED)
            values[at, place], failed[at, place] = stays & ~lost, stays & lost
        return values, failed

    @property
    def shown(self) -> int:
        """See `CellGrid.shown`."""
        return int((self._rows != ABSENT).sum())

    @property
    def counted(self) -> int:
        """See `CellGrid.counted`."""
        return int(np.array(_COUNTED)[self.states].sum())

    def values_of(self, metric: str) -> Floats:
        """See `BenchmarkTable.values`."""
        return self._metric(metric, lambda column, rows, k: column.value[rows, k])

    def cases_of(self, metric: str) -> Floats:
        """See `BenchmarkTable.cases_of`."""

        def cases(column: Column, rows: NDArray[np.int32], k: int) -> Floats:
            number = column.counts[rows, k, 0].astype(np.float64)
            return np.where((number == ABSENT) | np.isnan(column.value[rows, k]), np.nan, number)

        return self._metric(metric, cases)

    def sds_of(self, metric: str) -> Floats:
        """See `BenchmarkTable.sds_of`."""
        return self._metric(
            metric, lambda column, rows, k: np.where(np.isnan(column.value[rows, k]), np.nan, column.sd[rows, k])
        )

    def iter_pooled(self, metric: str) -> Iterator[tuple[int, tuple[int, ...], float]]:
        """See `BenchmarkTable.iter_pooled`."""
        for _, column, at, rows in self._filled():
            if metric not in column.metrics or not any(column.texts[one] for one in set(column.pooled.flat)):
                continue
            k = column.metrics.index(metric)
            for m, row in zip(at.tolist(), rows.tolist(), strict=True):
                counts, value = column.pooled_at(row, k), column.value.item(row, k)
                if counts is not None and not isnan(value) and _COUNTED[column.state[row]]:
                    yield m, counts, value

    def _metric(self, metric: str, of: Callable[[Column, NDArray[np.int32], int], Floats]) -> Floats:
        found = np.full(self._rows.shape, np.nan)
        for place, column, at, rows in self._filled():
            counts = np.array(_COUNTED)[column.state[rows]]
            if metric in column.metrics:
                found[at, place] = np.where(counts, of(column, rows, column.metrics.index(metric)), np.nan)
        return found

    def iter_gaps(self) -> Iterator[Cell]:
        """See `CellGrid.iter_gaps`."""
        for m, s in np.argwhere(~np.array(_COUNTED)[self.states]).tolist():
            yield self._cell(m, s)

    def iter_placed(self) -> Iterator[tuple[Cell, Column | None, int]]:
        """Yield every cell in order, with the column and the row of its result (None and -1: it has none)."""
        for m, s in np.ndindex(self._rows.shape):
            yield self._cell(m, s), self.columns[s], int(self._rows[m, s])

    def _filled(self) -> Iterator[tuple[int, Column, NDArray[np.intp], NDArray[np.int32]]]:
        for place, column in enumerate(self.columns):
            if column is not None:
                at = np.flatnonzero(self._rows[:, place] != ABSENT)
                yield place, column, at, self._rows[at, place]

    def _cell(self, m: int, s: int) -> Cell:
        model, site = self._models[m].ref, self._sites[s].ref
        marks = (*self._marks[m], *self._site_marks[s])
        row, column = int(self._rows[m, s]), self.columns[s]
        if row == ABSENT or column is None:
            return Cell(model, site, CellState.MISSING, "no result yet", marks)
        return StoredCell.lazily(column, row, self._benchmark, marks=marks, read=self._read)


class LivesOfTable:
    """The live results of a table, for `stages.read_stages`."""

    def __init__(self, cells: Cells) -> None:
        self._newest = {column.dataset: column.newest for column in cells.columns if column is not None}
        self._model_at, self._site_at = cells.places
        self._live, self._failed = cells.live

    def newest(self, dataset: Ref) -> str:
        """See `stages.Lives.newest`."""
        return self._newest.get(dataset, "")

    def count(self, datasets: Iterable[Ref], models: Iterable[Ref]) -> tuple[int, int]:
        """See `stages.Lives.count`."""
        rows = [self._model_at[model] for model in models if model in self._model_at]
        columns = [self._site_at[dataset] for dataset in datasets if dataset in self._site_at]
        here = np.ix_(rows, columns)
        return int(self._live[here].sum()), int(self._failed[here].sum())


class HiddenResults(Sequence[Hidden]):
    """The results of a benchmark that are no cell: broken ones and superseded ones, in the order of their paths."""

    def __init__(self, benchmark: Ref, columns: Sequence[Column], read: ReadChain) -> None:
        self._benchmark, self._read = benchmark, read
        self._columns = sorted(columns, key=lambda column: column.folder)
        self._broken = [(path, why) for column in self._columns for path, why in column.broken]
        self._superseded = [
            (place, row)
            for place, column in enumerate(self._columns)
            for row in np.flatnonzero(np.diff(column.offsets) > 1).tolist()
        ]

    def __len__(self) -> int:
        links = (np.diff(self._columns[place].offsets)[row] - 1 for place, row in self._superseded)
        return len(self._broken) + int(sum(links))

    def __getitem__(self, index: Any) -> Any:
        return self._all[index]

    def __iter__(self) -> Iterator[Hidden]:
        return iter(self._all)

    @cached_property
    def _all(self) -> tuple[Hidden, ...]:
        broken = (Hidden(path, why) for path, why in self._broken)
        return tuple(sorted([*broken, *self._iter_superseded()], key=lambda hidden: hidden.path))

    def _iter_superseded(self) -> Iterator[Hidden]:
        for place, row in self._superseded:
            column = self._columns[place]
            cell = StoredCell.lazily(column, row, self._benchmark, marks=(), read=self._read)
            reason = f"superseded by {column.digest_of(row)[7:19]}"
            for number, entry in zip(column.numbers_of(row), cell.earlier, strict=False):
                yield Hidden(f"{column.folder_of(row)}/{number:04d}.yaml", reason, entry)
