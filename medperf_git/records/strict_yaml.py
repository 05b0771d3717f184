"""YAML text → plain values, refusing everything that two readers could understand differently.

Bytes, nodes and depth are limited on the event stream, before anything is built. Refused: anchors, aliases,
tags, merge keys, duplicate keys, several documents, byte order marks, control and direction characters, text
that is not NFC, and plain scalars that YAML 1.1 and 1.2 read differently ("quote it"). Numbers are integers
within ±(2^53−1) or short decimals (`Decimal`); there is no null.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from medperf_git.records.findings import Finding

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | bool | Decimal"

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_NODES = 20_000
# A comparison of many models holds numbers for every pair of them.
MAX_COMPARISON_BYTES = 512 * 1024
MAX_COMPARISON_NODES = 160_000
MAX_INTEGER = 2**53 - 1


class Unreadable(ValueError):
    """The text breaks a rule of reading; carries one finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(slots=True)
class Document:
    """What was read: the value, and the line on which each JSON Pointer starts."""

    value: dict[str, Value]
    lines: dict[str, int] = field(default_factory=dict)

    def line_of(self, pointer: str) -> int:
        """Return the line of `pointer`, or of its nearest parent that has one."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)


def parse_yaml(data: bytes, *, max_bytes: int = MAX_BYTES, max_nodes: int = MAX_NODES) -> Document:
    """Read one strict YAML document; raise `Unreadable` with what, where and how to mend it."""
    from medperf_git.records.yaml_document import read_document  # noqa: PLC0415  (PyYAML: only to explain)

    return read_document(data, max_bytes=max_bytes, max_nodes=max_nodes)


def pointer_step(key: str | int) -> str:
    """Return one step of a JSON Pointer, escaped as RFC 6901 says."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
