"""The cells of a benchmark as arrays: one `Column` for each dataset, a cell made when it is asked for.

Rules kept here: every result of a column is a link of one of its chains or is hidden with a reason; what an array
does not hold is read again from the record. A million results take some 200 MB.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
from medperf_git.records.digests import Digest
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
    (32 bytes), and in each metric `value` and `sd` (NaN: none) and `counts` (n, failed, undefined). `given` tells
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

    def measured(self, row: int, metric: int) -> Measured | None:
        """Return what the live link says of a metric."""
        if not self.given[row, metric]:
            return None
        n, failed, undefined = (None if count == ABSENT else count for count in self.counts[row, metric].tolist())
        return Measured(_number(self.value[row, metric]), _number(self.sd[row, metric]), n, failed, undefined)


FACTS = ("signers", "model_image", "metrics_image", "assurance")  # the columns of `Column.facts`


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


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
        self._values.append([_row_of(live.values.get(metric)) for metric in self._at[2]])

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

    __slots__ = ("_load",)

    _load: Callable[[], ResultEntry]

    @classmethod
    def lazily(cls, load: Callable[[], ResultEntry], **known: Any) -> "StoredEntry":
        """Return an entry with these fields; any other calls `load` once."""
        entry = object.__new__(cls)
        for name, value in {"_load": load, **known}.items():
            object.__setattr__(entry, name, value)
        return entry

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        whole = self._load()
        for field in ResultEntry.__dataclass_fields__:
            object.__setattr__(self, field, getattr(whole, field))
        return getattr(whole, name)


class StoredSource(Source):
    """The source of a result, whose signatures are read when they are asked for."""

    __slots__ = ("_load",)

    _load: Callable[[], ResultEntry]

    @classmethod
    def lazily(cls, path: str, digest: Digest, load: Callable[[], ResultEntry]) -> "StoredSource":
        """Return a source without its signatures."""
        source = object.__new__(cls)
        for name, value in {"path": path, "digest": digest, "_load": load}.items():
            object.__setattr__(source, name, value)
        return source

    def __getattr__(self, name: str) -> Any:
        if name != "signatures":
            raise AttributeError(name)
        object.__setattr__(self, name, self._load().source.signatures)
        return object.__getattribute__(self, name)


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
        return cell_of(column, row, self._benchmark, marks=marks, read=self._read)


def cell_of(column: Column, row: int, benchmark: Ref, *, marks: tuple[str, ...], read: ReadChain) -> Cell:
    """Make the cell of one chain of a column."""
    folder, numbers = column.folder_of(row), column.numbers_of(row)
    chain = _Chain(folder, read)
    state, reason = STATES[column.state[row]], column.texts[column.reason[row]]
    whose = {"benchmark": benchmark, "model": column.models[row], "dataset": column.dataset}
    measured = ((metric, column.measured(row, k)) for k, metric in enumerate(column.metrics))
    live = StoredEntry.lazily(
        chain.live,
        source=StoredSource.lazily(f"{folder}/{numbers[-1]:04d}.yaml", column.digest_of(row), chain.live),
        number=numbers[-1],
        state=state,
        values={metric: one for metric, one in measured if one is not None},
        **whose,
    )
    earlier = tuple(
        StoredEntry.lazily(chain.link(place), number=number, **whose) for place, number in enumerate(numbers[:-1])
    )
    return Cell(column.models[row], column.dataset, state, reason, marks, live, earlier)


class _Chain:
    """Reads a chain once, when something of it is asked for."""

    __slots__ = ("_folder", "_links", "_read")

    def __init__(self, folder: str, read: ReadChain) -> None:
        self._folder, self._read = folder, read
        self._links: tuple[ResultEntry, ...] = ()

    def _all(self) -> tuple[ResultEntry, ...]:
        self._links = self._links or self._read(self._folder)
        return self._links

    def live(self) -> ResultEntry:
        return self._all()[-1]

    def link(self, place: int) -> Callable[[], ResultEntry]:
        return lambda: self._all()[place]


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
            cell = cell_of(column, row, self._benchmark, marks=(), read=self._read)
            reason = f"superseded by {column.digest_of(row)[7:19]}"
            for number, entry in zip(column.numbers_of(row), cell.earlier, strict=False):
                yield Hidden(f"{column.folder_of(row)}/{number:04d}.yaml", reason, entry)
