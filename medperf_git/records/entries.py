"""The quick way to accept a record, one top-level entry after the other.

Most entries of a record (its benchmark, its model, the engine) stand byte for byte in others of its kind as well. What
is asked of an entry alone is asked once for each text of it; what is asked of all together, of every record. Like
`quick`, which reads one entry, this only ever says yes; what it does not recognise goes the careful way.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from medperf_git.records import models
from medperf_git.records.canonical import Emitter, Unwritable
from medperf_git.records.convert import field_from_value, record_of_fields
from medperf_git.records.layout import Kind
from medperf_git.records.quick import parse_canonical, shape_of
from medperf_git.records.schemas import schema_of
from medperf_git.records.selfcheck import check_entries, check_together
from medperf_git.records.strict_yaml import Document, Value

_ENTRY = re.compile(rb"[^ \n][^\n]*+\n(?: [^\n]*+\n)*+")
_KNOWN = 8192  # entries of each kind that are remembered
_MAX_KNOWN = 256  # bytes of one: references and images; the values of a result come once, and take much more in memory


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record without fault, as plain values and as what it means."""

    value: dict[str, Value]
    record: models.Record


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry that is right in itself; `place` is that of its key in the order of the schema."""

    place: int
    key: str
    value: Value
    typed: Any


def accept(data: bytes, kind: Kind, *, max_bytes: int, max_nodes: int) -> Accepted | None:
    """Read a record in canonical form that fits its schema and agrees with itself; None when that cannot be told."""
    # A line such as `- key:` makes five events at most. Without a line end, entries are looked for at every byte of the
    # last line, each time to its end.
    if len(data) > max_bytes or data.count(b"\n") > max_nodes // 5 - 1 or not data.endswith(b"\n"):
        return None
    texts = _ENTRY.findall(data)
    if sum(map(len, texts)) != len(data):
        return None
    return _reader(kind).accept(texts)


class _Reader:
    """Reads records of one kind, and remembers entries."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._shape = shape_of(kind)
        self._emitter = Emitter(schema_of(kind))
        self._places = {key: place for place, key in enumerate(schema_of(kind)["properties"])}
        self._known = lru_cache(maxsize=_KNOWN)(self._entry)

    def accept(self, texts: list[bytes]) -> Accepted | None:
        value: dict[str, Value] = {}
        fields: dict[str, Any] = {}
        last = -1
        for text in texts:
            entry = self._known(text) if len(text) <= _MAX_KNOWN else self._entry(text)
            if entry is None or entry.place <= last:  # each key once, in the order of the schema
                return None
            last = entry.place
            value[entry.key] = entry.value
            fields[entry.key] = entry.typed
        if not self._shape.together(value) or check_together(Document(value), self._kind):
            return None
        return Accepted(value, record_of_fields(self._kind, fields))

    def _entry(self, text: bytes) -> _Entry | None:
        value = parse_canonical(text)
        if value is None or len(value) != 1:
            return None
        ((key, inner),) = value.items()
        if key not in self._places or not self._shape.entries[key](inner):
            return None
        try:
            if self._emitter.emit(value) != text:
                return None
        except Unwritable:  # an escape in the file that makes a forbidden character
            return None
        if check_entries(Document(value), self._kind):
            return None
        return _Entry(self._places[key], key, inner, field_from_value(self._kind, key, inner))


_reader = cache(_Reader)
