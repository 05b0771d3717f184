"""The cells of a benchmark as arrays: one `Column` for each dataset, a cell made when it is asked for.

Rules kept here: every result of a column is a link of one of its chains or is hidden with a reason; what an array
does not hold is read again from the record. A million results take some 200 MB.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.tables import (
    COUNTED,
    Cell,
    CellGrid,
    CellState,
    Hidden,
    Measured,
    ResultEntry,
    Source,
    Subject,
)
from medperf_git.records.digests import Digest, short
from medperf_git.records.names import Ref

STATES = tuple(CellState)
_COUNTED = tuple(state in COUNTED for state in STATES)
ABSENT = -1  # in place of a count that a record does not give

Floats: TypeAlias = NDArray[np.float64]
# Reads the chain of results in a folder, oldest first; the last one is live.
ReadChain: TypeAlias = Callable[[str], tuple[ResultEntry, ...]]


@dataclass(frozen=True, slots=True)
class Column:
    """The results on one dataset in one benchmark, a row for each model that has some; read-only.

    `numbers[offsets[i]:offsets[i + 1]]` are the links of the i-th chain, the last of them live. Of the live link:
    `outcome` and `state` (positions in `STATES`), `reason` and the words of `facts` (positions in `texts`), `digest`
    (32 bytes), and in each metric `value` and `sd` (NaN: none) and `counts` (n, failed, undefined), and `pooled`
    (position in `texts` of the counts that can be pooled, as whole numbers, empty where there are none). `given` tells
    whether the record has that metric at all. `newest` is when its youngest record was written.
    """

    folder: str
    dataset: Ref
    metrics: tuple[str, ...]
    models: tuple[Ref, ...]
    texts: tuple[str, ...]
    offsets: NDArray[np.int32]
    numbers: NDArray[np.int16]
    outcome: NDArray[np.int8]
    state: NDArray[np.int8]
    reason: NDArray[np.int32]
    facts: NDArray[np.int32]
    digest: NDArray[np.uint8]
    value: Floats
    sd: Floats
    counts: NDArray[np.int64]
    pooled: NDArray[np.int32]
    given: NDArray[np.bool_]
    newest: str
    broken: tuple[tuple[str, str], ...]
    strays: tuple[str, ...]

    @property
    def seen(self) -> int:
        """How many result records lie here."""
        return len(self.numbers) + len(self.broken)

    def folder_of(self, row: int) -> str:
        """Return the folder of a chain."""
        return f"{self.folder}/{self.models[row].folder}"

    def numbers_of(self, row: int) -> list[int]:
        """Return the numbers of a chain's links, oldest first."""
        found: list[int] = self.numbers[self.offsets[row] : self.offsets[row + 1]].tolist()
        return found

    def digest_of(self, row: int) -> Digest:
        """Return the digest of a live link."""
        return Digest("sha256:" + self.digest[row].tobytes().hex())

    def facts_of(self, row: int) -> list[str]:
        """Return what `FACTS` names of a live link."""
        return [self.texts[text] for text in self.facts[row].tolist()]

    def measured(self, row: int, metric: int) -> Measured | None:
        """Return what the live link says of a metric."""
        if not self.given.item(row, metric):
            return None
        n, failed, undefined = (None if count == ABSENT else count for count in self.counts[row, metric].tolist())
        value, sd = _number(self.value.item(row, metric)), _number(self.sd.item(row, metric))
        return Measured(value, sd, n, failed, undefined, self.pooled_at(row, metric))

    def pooled_at(self, row: int, metric: int) -> tuple[int, ...] | None:
        """Return the counts of a live link that can be pooled."""
        text = self.texts[self.pooled.item(row, metric)]
        return tuple(map(int, text.split())) if text else None


FACTS = ("signers", "model_image", "metrics_image", "assurance")  # the columns of `Column.facts`


def _number(value: float) -> float | None:
    return None if isnan(value) else value


class ColumnBuilder:
    """Gathers the chains of a dataset into a `Column`."""

    def __init__(self, folder: str, dataset: Ref, metrics: Sequence[str]) -> None:
        self._at = folder, dataset, tuple(metrics)
        self._texts: dict[str, int] = {}
        self._models: list[Ref] = []
        self._numbers: list[int] = []
        self._offsets = [0]
        self._rows: list[tuple[int, int, int, tuple[int, ...], bytes]] = []
        self._values: list[list[tuple[float, float, int, int, int, bool]]] = []
        self._pooled: list[list[int]] = []
        self.newest = ""
        self.broken: list[tuple[str, str]] = []
        self.strays: list[str] = []

    def add(self, model: Ref, chain: Sequence[ResultEntry], *, reason: str) -> None:
        """Take one chain, oldest first; `reason` is why its cell does not count."""
        live = chain[-1]
        self._models.append(model)
        self._numbers += [link.number for link in chain]
        self._offsets.append(len(self._numbers))
        self.newest = max([self.newest, *(link.created for link in chain)])
        signers = " ".join(sorted({signature.signer for signature in live.source.signatures}))
        facts = signers, live.images["model"], live.images["metrics"], live.assurance
        digest = bytes.fromhex(live.source.digest.removeprefix("sha256:"))
        state = STATES.index(live.state)
        words = tuple(self._text(fact) for fact in facts)
        self._rows.append((STATES.index(live.outcome), state, self._text(reason), words, digest))
        measured = [live.values.get(metric) for metric in self._at[2]]
        self._values.append([_row_of(one) for one in measured])
        self._pooled.append([self._text(" ".join(map(str, (one and one.counts) or ()))) for one in measured])

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def build(self) -> Column:
        """Return what was gathered."""
        folder, dataset, metrics = self._at
        number, width = len(self._rows), len(metrics)
        outcome, state, reason, facts, digest = zip(*self._rows, strict=True) if self._rows else ((), (), (), (), ())
        flat = [one for row in self._values for one in row]
        value, sd, *counts, given = zip(*flat, strict=True) if flat else ((),) * 6
        shape = number, width
        return Column(
            folder=folder,
            dataset=dataset,
            metrics=metrics,
            models=tuple(self._models),
            texts=tuple(self._texts),
            offsets=np.array(self._offsets, np.int32),
            numbers=np.array(self._numbers, np.int16),
            outcome=np.array(outcome, np.int8),
            state=np.array(state, np.int8),
            reason=np.array(reason, np.int32),
            facts=np.array(facts, np.int32).reshape(number, len(FACTS)),
            digest=np.frombuffer(b"".join(digest), np.uint8).reshape(number, 32),
            value=np.array(value, np.float64).reshape(shape),
            sd=np.array(sd, np.float64).reshape(shape),
            counts=np.array(counts, np.int64).reshape(3, *shape).transpose(1, 2, 0).copy(),
            pooled=np.array(self._pooled, np.int32).reshape(shape),
            given=np.array(given, np.bool_).reshape(shape),
            newest=self.newest,
            broken=tuple(self.broken),
            strays=tuple(self.strays),
        )


def _row_of(measured: Measured | None) -> tuple[float, float, int, int, int, bool]:
    if measured is None:
        return np.nan, np.nan, ABSENT, ABSENT, ABSENT, False
    value, sd = (np.nan if one is None else one for one in (measured.value, measured.sd))
    n, failed, undefined = (
        ABSENT if one is None else one for one in (measured.n, measured.n_failed, measured.n_undefined)
    )
    return value, sd, n, failed, undefined, True


class StoredEntry(ResultEntry):
    """A result that knows what its table knows; the rest is read from its record when it is asked for."""

    __slots__ = ("_chain", "_place", "_row")

    _chain: "_Chain"
    _place: int
    _row: "tuple[Column, int] | None"

    @classmethod
    def lazily(cls, chain: "_Chain", place: int, row: "tuple[Column, int] | None", **known: Any) -> "StoredEntry":
        """Return the entry of a link with these fields; `row` is where its values stand, if they do."""
        entry = object.__new__(cls)
        for name, value in {"_chain": chain, "_place": place, "_row": row, **known}.items():
            object.__setattr__(entry, name, value)
        return entry

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name == "values" and self._row is not None:
            column, row = self._row
            measured = ((metric, column.measured(row, k)) for k, metric in enumerate(column.metrics))
            object.__setattr__(self, "values", {metric: one for metric, one in measured if one is not None})
            return self.values
        whole = self._chain.link(self._place)
        for field in ResultEntry.__dataclass_fields__:
            object.__setattr__(self, field, getattr(whole, field))
        return getattr(whole, name)


class StoredSource(Source):
    """The source of a result, whose signatures are read when they are asked for."""

    __slots__ = ("_chain",)

    _chain: "_Chain"

    @classmethod
    def lazily(cls, path: str, digest: Digest, chain: "_Chain") -> "StoredSource":
        """Return the source of a live link without its signatures."""
        source = object.__new__(cls)
        for name, value in {"path": path, "digest": digest, "_chain": chain}.items():
            object.__setattr__(source, name, value)
        return source

    def __getattr__(self, name: str) -> Any:
        if name != "signatures":
            raise AttributeError(name)
        object.__setattr__(self, name, self._chain.link(-1).source.signatures)
        return object.__getattribute__(self, name)


class StoredCell(Cell):
    """A cell with a result, which is made when it is asked for."""

    __slots__ = ("_at",)

    _at: "tuple[Column, int, Ref, ReadChain]"

    @classmethod
    def lazily(
        cls, column: Column, row: int, benchmark: Ref, *, marks: tuple[str, ...], read: ReadChain
    ) -> "StoredCell":
        """Return the cell of one chain of a column."""
        cell = object.__new__(cls)
        put = object.__setattr__
        put(cell, "model", column.models[row])
        put(cell, "dataset", column.dataset)
        put(cell, "state", STATES[column.state[row]])
        put(cell, "reason", column.texts[column.reason[row]])
        put(cell, "marks", marks)
        put(cell, "_at", (column, row, benchmark, read))
        return cell

    @property
    def counts(self) -> bool:
        """See `Cell.counts`."""
        return self.state in COUNTED

    @property
    def page(self) -> tuple[str, str]:
        """See `Cell.page`."""
        column, row = self._at[:2]
        return f"{column.folder_of(row)}/{column.numbers_of(row)[-1]:04d}.html", short(column.digest_of(row))

    def measured(self, metric: str) -> Measured | None:
        """See `Cell.measured`."""
        column, row = self._at[:2]
        return column.measured(row, column.metrics.index(metric)) if metric in column.metrics else None

    def __getattr__(self, name: str) -> Any:
        if name not in ("result", "earlier"):
            raise AttributeError(name)
        column, row, benchmark, read = self._at
        folder, numbers = column.folder_of(row), column.numbers_of(row)
        chain = _Chain(folder, read)
        whose = {"benchmark": benchmark, "model": self.model, "dataset": self.dataset}
        path = f"{folder}/{numbers[-1]:04d}.yaml"
        source = StoredSource.lazily(path, column.digest_of(row), chain)
        live = {**whose, "source": source, "number": numbers[-1], "state": self.state}
        object.__setattr__(self, "result", StoredEntry.lazily(chain, -1, (column, row), **live))
        earlier = (StoredEntry.lazily(chain, k, None, number=n, **whose) for k, n in enumerate(numbers[:-1]))
        object.__setattr__(self, "earlier", tuple(earlier))
        return object.__getattribute__(self, name)


class _Chain:
    """Reads a chain once, when something of it is asked for."""

    __slots__ = ("_folder", "_links", "_read")

    def __init__(self, folder: str, read: ReadChain) -> None:
        self._folder, self._read = folder, read
        self._links: tuple[ResultEntry, ...] = ()

    def link(self, place: int) -> ResultEntry:
        """Return a link; -1 is the live one."""
        self._links = self._links or self._read(self._folder)
        return self._links[place]


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
                counts, value = column.pooled_at(row, k), _number(column.value.item(row, k))
                if counts is not None and value is not None and _COUNTED[column.state[row]]:
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
