"""Cells and results made from a column when they are asked for; what it does not hold is read from the record."""

from typing import Any

from medperf_git.leaderboard.columns import STATES, Column, ReadChain
from medperf_git.leaderboard.tables import COUNTED, Cell, Measured, ResultEntry, Source
from medperf_git.records.digests import Digest, short
from medperf_git.records.names import Ref


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
