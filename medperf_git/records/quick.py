"""The quick way to accept a record: a line reader of the canonical form, and schemas compiled to plain functions.

Both only ever say yes; whatever they do not recognise goes the careful way, which explains. Reading this way is safe
because the caller compares the bytes with their own emission: a value whose emission is the file is what a careful
reader finds in it. SPEED: about a fifth of libyaml and jsonschema.
"""

import operator
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from json import decoder
from typing import Any, TypeAlias

from medperf_git.records.schemas import SPEC, schema_of
from medperf_git.records.strict_yaml import Value
from medperf_git.records.text import text_fault

Test: TypeAlias = Callable[[Any], bool]

# Reads a JSON string from the position after its first quote: (text, position after the last quote); ValueError.
_scan_string: Callable[[str, int], tuple[str, int]] = decoder.scanstring  # type: ignore[attr-defined]  # not in typeshed

_MAX_DEPTH = 10
_MAX_KNOWN = 160
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{0,8}[1-9]")


def parse_canonical(data: bytes) -> dict[str, Value] | None:
    """Read lines of the canonical form; None when they are not.

    The caller MUST compare `data` with its emission, and bounds how large it may be.
    """
    try:
        text = data.decode("utf-8")
        if text_fault(text):
            return None
        reader = _Lines(text.split("\n"))
        value = reader.mapping(0)
    except (ValueError, IndexError):
        return None
    return value if reader.position == len(reader.lines) - 1 else None


class _Lines:
    """Reads nested blocks from lines; ValueError or IndexError where they are not of the form."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.position = 0

    def mapping(self, indent: int) -> dict[str, Value]:
        if indent > 2 * _MAX_DEPTH:
            raise ValueError
        values: dict[str, Value] = {}
        while (line := self.lines[self.position]) and len(line) - len(line.lstrip(" ")) == indent:
            key, value = _known_entry(line, indent) if len(line) <= _MAX_KNOWN else _entry(line, indent)
            self.position += 1
            values[key] = self._block(indent + 2) if value is None else value
        return values

    def _block(self, indent: int) -> Value:
        return self._list(indent) if self.lines[self.position].startswith(" " * indent + "- ") else self.mapping(indent)

    def _list(self, indent: int) -> list[Value]:
        items: list[Value] = []
        start = " " * indent + "- "
        while (line := self.lines[self.position]).startswith(start):
            text = line[indent + 2 :]
            if _is_entry(text):
                self.lines[self.position] = " " * (indent + 2) + text
                items.append(self.mapping(indent + 2))
            else:
                self.position += 1
                items.append(_scalar(text))
        return items


def _entry(line: str, indent: int) -> "tuple[str, Value | None]":
    """Return the key and the scalar of a line; None for one that a block follows."""
    key, end = _key(line, indent)
    return key, None if end == len(line) else _scalar(line[end + 1 :])


_known_entry = lru_cache(maxsize=4096)(_entry)  # most lines of a record stand in others of its kind as well


def _key(line: str, indent: int) -> tuple[str, int]:
    """Return a key and the position after its colon."""
    if line[indent] == '"':
        key, end = _scan_string(line, indent + 1)
    else:
        end = line.find(": ", indent)
        end = len(line) - 1 if end < 0 else end
        key = line[indent:end]
    if line[end] != ":":
        raise ValueError
    return key, end + 1


def _is_entry(text: str) -> bool:
    if text.startswith('"'):
        return _scan_string(text, 1)[1] < len(text)
    return ": " in text or text.endswith(":")


def _scalar(text: str) -> Value:
    if text.startswith('"'):
        value, end = _scan_string(text, 1)
        if end != len(text):
            raise ValueError
        return value
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema as tests: one for the value of each entry, and one for all entries together.

    A mapping whose keys are all in `entries`, and which passes them, fits the schema as jsonschema would say.
    """

    entries: Mapping[str, Test]
    together: Test


@cache
def shape_of(kind: str) -> Shape:
    """Return the tests of the schema of a kind."""
    schema = schema_of(kind, SPEC)
    entries = {key: _compiled(inner, schema) for key, inner in schema["properties"].items()}
    around = {word: argument for word, argument in schema.items() if word not in _OBJECT}
    return Shape(entries, _compiled(around, schema))


def _compiled(schema: Any, root: Mapping[str, Any]) -> Test:
    if isinstance(schema, bool):
        return lambda _: schema
    words = {word: argument for word, argument in schema.items() if word not in _WORDS}
    if words.get("type") == "string" and words.keys() <= _OF_STRINGS:
        return _string(words)
    tests = [_test(word, argument, schema=schema, root=root) for word, argument in words.items()]
    if _OBJECT & schema.keys():
        tests.append(_fields(schema, root))
    return _together(tests)


def _together(tests: list[Test]) -> Test:
    match tests:
        case [one]:
            return one
        case [one, two]:
            return lambda value: one(value) and two(value)
        case [one, two, three]:
            return lambda value: one(value) and two(value) and three(value)

    def test(value: Any) -> bool:
        for one in tests:  # noqa: SIM110  (twice as fast as `all` of a generator, for every record there is)
            if not one(value):
                return False
        return True

    return test


def _test(word: str, argument: Any, *, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Test:
    """Return the test of one keyword; KeyError for one that our schemas do not use."""
    if word in _LEAVES:
        return _LEAVES[word](argument)
    match word:
        case "$ref":
            return _compiled(root["$defs"][argument.rpartition("/")[2]], root)
        case "items":
            item = _compiled(argument, root)
            return lambda value: not isinstance(value, list) or all(map(item, value))
        case "not":
            unwanted = _compiled(argument, root)
            return lambda value: not unwanted(value)
        case "if":
            when, then, otherwise = (_compiled(schema.get(part, True), root) for part in ("if", "then", "else"))
            return lambda value: then(value) if when(value) else otherwise(value)
        case "allOf" | "anyOf" | "oneOf":
            tests, enough = [_compiled(one, root) for one in argument], _ENOUGH[word]
            return lambda value: enough(sum(test(value) for test in tests), len(tests))
    raise KeyError(word)


def _fields(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Test:
    known = {key: _compiled(inner, root) for key, inner in schema.get("properties", {}).items()}
    other = _compiled(schema.get("additionalProperties", True), root)
    name = _compiled(schema["propertyNames"], root) if "propertyNames" in schema else None

    def test(value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        if name is not None and not all(map(name, value)):
            return False
        for key, inner in value.items():  # noqa: SIM110  (as above)
            if not known.get(key, other)(inner):
                return False
        return True

    return test


def _string(words: Mapping[str, Any]) -> Test:
    """Return the test of a schema that has nothing but keywords for strings, `type` among them."""
    low, high = words.get("minLength", 0), words.get("maxLength", sys.maxsize)
    search = re.compile(words.get("pattern", "")).search
    return lambda value: isinstance(value, str) and low <= len(value) <= high and search(value) is not None


def _sized(kind: type[str | list[Any] | dict[Any, Any]], fits: Callable[[int, int], bool]) -> Callable[[int], Test]:
    return lambda limit: lambda value: not isinstance(value, kind) or fits(len(value), limit)


def _type(named: str | list[str]) -> Test:
    if isinstance(named, str):
        return _TYPES[named]
    tests = [_TYPES[one] for one in named]
    return lambda value: any(test(value) for test in tests)


def _required(keys: frozenset[str]) -> Test:
    return lambda value: not isinstance(value, dict) or value.keys() >= keys


def _pattern(text: str) -> Test:
    search = re.compile(text).search
    return lambda value: not isinstance(value, str) or search(value) is not None


_is_number: Test = lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool)  # noqa: E731
_TYPES: dict[str, Test] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
}
_OBJECT = frozenset({"properties", "additionalProperties", "propertyNames"})
_WORDS = _OBJECT | {"$schema", "$id", "$defs", "title", "description", "then", "else"}
_OF_STRINGS = frozenset({"type", "pattern", "minLength", "maxLength"})
_ENOUGH: dict[str, Callable[[int, int], bool]] = {
    "allOf": lambda fitting, all_: fitting == all_,
    "anyOf": lambda fitting, _: fitting > 0,
    "oneOf": lambda fitting, _: fitting == 1,
}
_LEAVES: dict[str, Callable[[Any], Test]] = {
    "type": _type,
    "pattern": _pattern,
    "const": lambda wanted: lambda value: type(value) is type(wanted) and value == wanted,
    "enum": lambda wanted: lambda value: isinstance(value, str) and value in wanted,
    "minimum": lambda limit: lambda value: not _is_number(value) or value >= limit,
    "maximum": lambda limit: lambda value: not _is_number(value) or value <= limit,
    "minLength": _sized(str, operator.ge),
    "maxLength": _sized(str, operator.le),
    "minItems": _sized(list, operator.ge),
    "maxItems": _sized(list, operator.le),
    "minProperties": _sized(dict, operator.ge),
    "maxProperties": _sized(dict, operator.le),
    "required": lambda keys: _required(frozenset(keys)),
}
