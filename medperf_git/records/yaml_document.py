"""Read one strict YAML document with PyYAML's events, and say what is wrong with it (see `strict_yaml`)."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from medperf_git.records.findings import Finding
from medperf_git.records.strict_yaml import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_NODES,
    Document,
    Unreadable,
    Value,
    pointer_step,
)
from medperf_git.records.text import text_fault
from medperf_git.records.yaml_lines import LineWatch

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_SHOWN = 80
_FIX_TEXT = "remove it; write composed characters (NFC) without invisible ones"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]{0,8}[1-9]")
_LIKE_A_NUMBER = re.compile(r"[-+]?[0-9._]+(?:[eE][-+]?[0-9]*)?")
_WORD = re.compile(r"[A-Za-z_/][^\n]*")
_RISKY_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"})


def read_document(data: bytes, *, max_bytes: int, max_nodes: int = MAX_NODES) -> Document:
    """Read the document in at most `max_bytes`; raise `Unreadable` as `parse_yaml`."""
    text = _decode(data, max_bytes)
    try:
        events = _laid_out(_counted(yaml.parse(text, Loader=_LOADER), max_nodes), text)
        return _Builder(events).document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = f"not YAML: {getattr(error, 'problem', None) or error}"
        raise _fault("yaml-syntax", message, mark.line + 1 if mark else 0, fix="correct the syntax") from error


def _fault(rule: str, message: str, line: int, *, fix: str, pointer: str = "", got: str = "") -> Unreadable:
    return Unreadable(Finding(rule, message, line=line, pointer=pointer, got=_cut(got), fix=fix))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _decode(data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise _fault("too-large", f"{len(data)} bytes; a record has at most {max_bytes}", 0, fix="make it smaller")
    if not data.strip():
        raise _fault("yaml-syntax", "the file is empty", 0, fix="write `key: value` lines")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _fault("yaml-text", "the file is not UTF-8", line, fix="save it as UTF-8") from error
    if fault := text_fault(text):
        line = next((n for n, part in enumerate(text.split("\n"), start=1) if text_fault(part)), 0)
        raise _fault("yaml-text", fault, line, fix=_FIX_TEXT)
    return text


def _counted(events: Iterator[Any], max_nodes: int) -> Iterator[Any]:
    depth = 0
    for nodes, event in enumerate(events, start=1):
        line = _line(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or nodes > max_nodes:
            raise _fault("too-deep", f"deeper than {MAX_DEPTH} levels or over {max_nodes} nodes", line, fix="flatten")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _fault("yaml-alias", "anchors and aliases are not allowed", line, fix="write the value out")
        if getattr(event, "tag", None):
            raise _fault("yaml-tag", f"tag {_cut(event.tag)} is not allowed", line, fix="remove the tag")
        if getattr(event, "version", None) or getattr(event, "tags", None):
            raise _fault("yaml-directive", "directives (`%`) are not allowed", line, fix="remove the line")
        yield event


def _laid_out(events: Iterator[Any], text: str) -> Iterator[Any]:
    watch = LineWatch(text)
    for event in events:
        for line, fault in watch.faults(event):
            raise _fault("yaml-syntax", fault, line, fix="write it as YAML 1.2 says: indent by spaces")
        yield event


class _Builder:
    """Builds values from an event stream, and notes the line of every pointer."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._lines: dict[str, int] = {}

    def document(self) -> Document:
        value: Value | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if value is not None:
                    raise _fault("yaml-syntax", "more than one document", _line(event), fix="keep one")
                value = self._node(next(self._events), "")
        if not isinstance(value, dict):
            raise _fault("yaml-syntax", "a record is a mapping of keys", 1, fix="write `key: value` lines")
        return Document(value, self._lines)

    def _node(self, event: Any, pointer: str) -> Value:
        self._lines[pointer] = _line(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(pointer)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(pointer)
        return _scalar(event, pointer)

    def _sequence(self, pointer: str) -> list[Value]:
        items: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, pointer + pointer_step(len(items))))
        return items

    def _mapping(self, pointer: str) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _fault("yaml-key", "a key must be text", line, pointer=pointer, fix="use a plain word as key")
            key = _scalar(event, pointer)
            shown = _cut(repr(event.value))
            if key == "<<":
                raise _fault("yaml-key", "merge keys are not allowed", line, pointer=pointer, fix="write the keys out")
            if not isinstance(key, str):
                raise _fault("yaml-key", f"key {shown} is not text", line, pointer=pointer, fix="quote it")
            if key in values:
                raise _fault("yaml-duplicate", f"key {shown} appears twice", line, pointer=pointer, fix="keep one")
            values[key] = self._node(next(self._events), pointer + pointer_step(key))
            self._lines[pointer + pointer_step(key)] = line
        return values


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: Any, pointer: str) -> Value:
    text: str = event.value
    if event.style:  # plain is "" to the C loader, None to the Python one
        # An escape such as "\u202e" only becomes a character here, after the file's own text was looked at.
        if fault := text_fault(text):
            raise _fault("yaml-text", fault, _line(event), pointer=pointer, fix=_FIX_TEXT)
        return text
    return _plain(text, _line(event), pointer)


def _plain(text: str, line: int, pointer: str) -> Value:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text) and abs(int(text)) <= MAX_INTEGER:
        return int(text)
    if _DECIMAL.fullmatch(text) and sum(c.isdigit() for c in text.lstrip("-0.")) <= 15:
        return Decimal(text)
    if _WORD.fullmatch(text) and text.lower() not in _RISKY_WORDS:
        return text
    raise _not_plain(text, line, pointer)


def _not_plain(text: str, line: int, pointer: str) -> Unreadable:
    if not text:
        fix = "write a value, or leave the key out; quote it if the text is meant to be empty"
        return _fault("yaml-scalar", "a value is missing", line, pointer=pointer, fix=fix)
    shown = _cut(repr(text))
    if _LIKE_A_NUMBER.fullmatch(text):
        fix = (
            f"write an integer within ±{MAX_INTEGER}, or a decimal of at most 15 digits and 9 decimals, without "
            "trailing zeros or exponent; if it is text, quote it"
        )
        message = f"{shown} is not a number a record can hold"
        return _fault("yaml-number", message, line, pointer=pointer, got=text, fix=fix)
    message = f"{shown} is ambiguous: readers of YAML differ about it"
    return _fault("yaml-scalar", message, line, pointer=pointer, got=text, fix="quote it")
