"""Plain values → the one canonical YAML text of a record.

Keys follow the order of the schema, free maps the order of code points; block style, two spaces, LF; a string
outside a small plain set is a JSON string (RFC 8259) on one line. A reader accepts a file only if its bytes
equal their own re-emission, so no two parsers can disagree about it.
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from medperf_git.errors import Refused
from medperf_git.records.strict_yaml import MAX_INTEGER, Value, pointer_step
from medperf_git.records.text import text_fault

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./@:+][A-Za-z0-9]+)*")
_NOT_PLAIN = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"})
_MAX_PLAIN = 128
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,5})\.[0-9]{0,8}[1-9]")  # at most 15 digits: stands as it is
_ANY: Mapping[str, Any] = {}

_Trail: TypeAlias = "tuple[_Trail, str | int] | None"  # the steps to a value, its JSON Pointer once somebody asks


class Unwritable(Refused, ValueError):
    """A value that no record can hold; the message says where it stands and what is wrong."""


def emit(value: Mapping[str, Value], schema: Mapping[str, Any]) -> bytes:
    """Write `value` in canonical form, keys in the order of the JSON Schema `schema`.

    `Unwritable` (a ValueError) names a value that no record can hold: an empty collection, a null, a number
    outside the format, a forbidden character.
    """
    return Emitter(schema).emit(value)


def format_number(number: int | Decimal) -> str:
    """Write a number as records do: no exponent, no trailing zero, no negative zero; `Unwritable` if it cannot be."""
    if isinstance(number, Decimal):
        if not number.is_finite():
            raise Unwritable(f"{number} is no number", hint="leave the key out where a value is undefined")
        if _DECIMAL.fullmatch(text := str(number)):
            return text
        if abs(number.adjusted()) > 40 and number:
            raise Unwritable(f"{number} is too large or too small", hint="use another unit")
        if number != number.to_integral_value():
            return _format_decimal(number)
        number = int(number)
    if abs(number) > MAX_INTEGER:
        raise Unwritable(f"{number} is outside ±(2^53−1)", hint="use another unit")
    return str(number)


def _format_decimal(number: Decimal) -> str:
    text = format(number, "f").rstrip("0")
    digits = re.sub(r"[-.]", "", text).lstrip("0")
    if len(digits) > 15 or len(text.partition(".")[2]) > 9:
        raise Unwritable(f"{text} has more than 15 significant digits or 9 decimals", hint="round it")
    return text


class _Plan(NamedTuple):
    """What the writer needs of one place in a schema: keys in order as they are written, and what is below."""

    known: tuple[tuple[str, str, Any], ...]
    properties: Mapping[str, Any]
    others: Any
    items: Any


class Emitter:
    """Writes values by one schema; what it has learned of the schema serves every record of a kind."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._plans: dict[int, _Plan] = {}  # by the identity of a part of `schema`, which lives as long as this

    def emit(self, value: Mapping[str, Value]) -> bytes:
        """Write `value` in canonical form; `Unwritable` as `emit`."""
        writer = _Writer(self._plan)
        writer.mapping(value, self._root, indent="", trail=None)
        return ("\n".join(writer.lines) + "\n").encode("utf-8")

    def _plan(self, schema: Any) -> _Plan:
        plan = self._plans.get(id(schema))
        if plan is None:
            plan = self._plans[id(schema)] = self._new_plan(schema)
        return plan

    def _new_plan(self, schema: Any) -> _Plan:
        """Follow a local `#/$defs/name` reference, the only kind our schemas use."""
        if not isinstance(schema, Mapping):
            return _Plan((), {}, _ANY, _ANY)
        if reference := schema.get("$ref"):
            schema = self._root["$defs"][reference.rpartition("/")[2]]
        properties = schema.get("properties", {})
        known = tuple((key, _text(key, None) + ":", inner) for key, inner in properties.items())
        return _Plan(known, properties, schema.get("additionalProperties", _ANY), schema.get("items", _ANY))


class _Writer:
    """Writes nodes as lines, with a trail of steps for messages."""

    def __init__(self, plan_of: Callable[[Any], _Plan]) -> None:
        self._plan_of = plan_of
        self.lines: list[str] = []

    def mapping(self, value: Mapping[str, Value], schema: Any, *, indent: str, trail: _Trail) -> None:
        if not value:
            raise _unwritable(trail, "an empty mapping is not written", hint="leave the key out")
        plan = self._plan_of(schema)
        inside, left = indent + "  ", len(value)
        for key, head, inner in plan.known:
            if key in value:
                self._entry(indent + head, value[key], inner, indent=inside, trail=(trail, key))
                left -= 1
        if left:
            for key in sorted(key for key in value if key not in plan.properties):
                head = indent + _text(key, trail) + ":"
                self._entry(head, value[key], plan.others, indent=inside, trail=(trail, key))

    def _entry(self, head: str, value: Value, schema: Any, *, indent: str, trail: _Trail) -> None:
        if isinstance(value, str):
            self.lines.append(f"{head} {_text(value, trail)}")
        elif isinstance(value, dict | Mapping):
            self.lines.append(head)
            self.mapping(value, schema, indent=indent, trail=trail)
        elif isinstance(value, list):
            self.lines.append(head)
            self._sequence(value, schema, indent=indent, trail=trail)
        else:
            self.lines.append(f"{head} {_scalar(value, trail)}")

    def _sequence(self, items: list[Value], schema: Any, *, indent: str, trail: _Trail) -> None:
        if not items:
            raise _unwritable(trail, "an empty list is not written", hint="leave the key out")
        inner = self._plan_of(schema).items
        for number, item in enumerate(items):
            where = (trail, number)
            if isinstance(item, dict | Mapping):
                first = len(self.lines)
                self.mapping(item, inner, indent=indent + "  ", trail=where)
                self.lines[first] = indent + "- " + self.lines[first][len(indent) + 2 :]
            elif isinstance(item, list):
                raise _unwritable(where, "a list directly inside a list has no canonical form", hint="name its parts")
            else:
                self.lines.append(f"{indent}- {_scalar(item, where)}")


def _scalar(value: object, trail: _Trail) -> str:
    if isinstance(value, str):
        return _text(value, trail)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        try:
            return format_number(value)
        except Unwritable as error:
            raise _unwritable(trail, error.message, hint=error.hint) from error
    kind = "null" if value is None else type(value).__name__
    raise _unwritable(trail, f"a record holds no {kind}", hint="leave the key out, or use text, Decimal or int")


def _text(text: str, trail: _Trail) -> str:
    if not isinstance(text, str):
        raise _unwritable(trail, f"key {text!r} is not text", hint="use text as key")
    written = _written_short(text) if len(text) <= _MAX_PLAIN else _written(text)
    if not written:
        fix = "remove it; write composed characters (NFC) without invisible ones"
        raise _unwritable(trail, text_fault(text), hint=fix)
    return written


def _written(text: str) -> str:
    """Return how a text is written; nothing when no record may hold it."""
    if len(text) <= _MAX_PLAIN and _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN:
        return text
    return "" if text_fault(text) else json.dumps(text, ensure_ascii=False)


_written_short = lru_cache(maxsize=4096)(_written)  # keys and names come again in every record


def _unwritable(trail: _Trail, message: str, *, hint: str) -> Unwritable:
    return Unwritable(f"{message} (at {_pointer(trail) or 'the top'})", hint=hint)


def _pointer(trail: _Trail) -> str:
    return "" if trail is None else _pointer(trail[0]) + pointer_step(trail[1])
