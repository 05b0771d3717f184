"""Start records from their schemas, and bring what people write into canonical form; form only, never content."""

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import write_file
from medperf_git.records.findings import Finding
from medperf_git.records.foreign import load_foreign_yaml
from medperf_git.records.layout import Kind
from medperf_git.records.record import check_document, write_value
from medperf_git.records.schemas import schema_of
from medperf_git.records.strict_yaml import Document, Unreadable, Value, parse_yaml

_STARTS = {"integer": "0", "number": "0", "boolean": "false", "string": '""'}


@dataclass(frozen=True, slots=True)
class Formatted:
    """What formatting a file did: the difference as text, empty when it was canonical, or why it could not."""

    path: Path
    diff: str
    findings: tuple[Finding, ...] = ()


def format_file(path: Path, *, write: bool) -> Formatted:
    """Bring a record file into canonical form; with `write` in place. Any YAML that means one thing is read."""
    data = path.read_bytes()
    document, faults = _read(data)
    if document is None:
        return Formatted(path, "", tuple(finding.at(str(path)) for finding in faults))
    kind = document.value.get("kind")
    if kind not in list(Kind):
        fix = "write `kind:` and one of " + ", ".join(Kind)
        return Formatted(
            path, "", (Finding("kind", "no known kind of record", path=str(path), got=str(kind), fix=fix),)
        )
    findings = tuple(finding.at(str(path)) for finding in check_document(document, Kind(str(kind))))
    try:
        canonical = write_value(Kind(str(kind)), document.value)
    except (ValueError, KeyError) as error:
        return Formatted(
            path, "", (*findings, Finding("canonical", str(error), path=str(path), fix="correct that value"))
        )
    if canonical == data:
        return Formatted(path, "", findings)
    if write:
        write_file(path.absolute(), canonical)
    return Formatted(path, _difference(path, data, canonical), findings)


def read_written(path: Path) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read a record that a person wrote, in any YAML that means one thing; None and why it cannot be."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}", hint="name a file that is there") from error
    document, faults = _read(data)
    return document, tuple(finding.at(str(path)) for finding in faults)


def commented_draft(kind: str) -> str:
    """Return a draft of a record: every field of its schema with its description, optional ones commented out."""
    schema = schema_of(kind)
    lines = [f"# {schema['title']}: {schema['description']}", f"# Fill in, then run: medperf-git fmt {kind}.yaml", ""]
    return "\n".join([*lines, *_fields(schema, schema, indent="", off=False)]) + "\n"


def _fields(schema: Mapping[str, Any], root: Mapping[str, Any], *, indent: str, off: bool) -> Iterator[str]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        inner = _resolve(raw, root)
        hidden = off or name not in required
        mark = "# " if hidden else ""
        if told := raw.get("description", inner.get("description", "")):
            yield f"{indent}# {told}"
        if inner.get("properties"):
            yield f"{mark}{indent}{name}:"
            yield from _fields(inner, root, indent=indent + "  ", off=hidden)
        else:
            yield f"{mark}{indent}{name}: {_start(inner)}"


def _start(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return f"{schema['enum'][0]} # one of: {', '.join(map(str, schema['enum']))}"
    if schema.get("type") == "array":
        return "[] # a list"
    if schema.get("type") == "object":
        return "{} # a mapping"
    return _STARTS.get(str(schema.get("type")), '""')


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref", "")
    if not reference.startswith("#/$defs/"):
        return schema
    found: Mapping[str, Any] = root["$defs"][reference.removeprefix("#/$defs/")]
    return found


def _read(data: bytes) -> tuple[Document | None, tuple[Finding, ...]]:
    """Read strictly; where that refuses only the form, read as people write YAML."""
    try:
        return parse_yaml(data), ()
    except Unreadable as strict:
        try:
            value = _plain(load_foreign_yaml(data))
        except (Unreadable, ValueError):
            return None, (strict.finding,)
        return (Document(value), ()) if isinstance(value, dict) else (None, (strict.finding,))


def _plain(value: Any) -> Value:
    """Return what YAML's loader made as values of a record; ValueError for what no record can hold."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else Decimal(repr(value))
    if isinstance(value, str | int):
        return value
    raise ValueError(f"{value!r} has no place in a record")


def _difference(path: Path, old: bytes, new: bytes) -> str:
    lines = [text.decode("utf-8", "replace").splitlines(keepends=True) for text in (old, new)]
    return "".join(difflib.unified_diff(lines[0], lines[1], f"{path} (as it was)", f"{path} (canonical)"))
