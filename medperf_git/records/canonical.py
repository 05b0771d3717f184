"""Plain values → the one canonical YAML text of a record.

Keys follow the order of the schema, free maps the order of code points; block style, two spaces, LF; a string
outside a small plain set is a JSON string (RFC 8259) on one line. A reader accepts a file only if its bytes
equal their own re-emission, so no two parsers can disagree about it.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from medperf_git.errors import Refused
from medperf_git.records.strict_yaml import MAX_INTEGER, Value, pointer_step
from medperf_git.records.text import text_fault

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./@:+][A-Za-z0-9]+)*")
_NOT_PLAIN = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"})
_MAX_PLAIN = 128


class Unwritable(Refused, ValueError):
    """A value that no record can hold; the message says where it stands and what is wrong."""


def emit(value: Mapping[str, Value], schema: Mapping[str, Any]) -> bytes:
    """Write `value` in canonical form, keys in the order of the JSON Schema `schema`.

    `Unwritable` (a ValueError) names a value that no record can hold: an empty collection, a null, a number
    outside the format, a forbidden character.
    """
    writer = _Writer(schema)
    writer.mapping(value, schema, indent="", pointer="")
    return ("\n".join(writer.lines) + "\n").encode("utf-8")


def format_number(number: int | Decimal) -> str:
    """Write a number as records do: no exponent, no trailing zero, no negative zero; `Unwritable` if it cannot be."""
    if isinstance(number, Decimal):
        if not number.is_finite():
            raise Unwritable(f"{number} is no number", hint="leave the key out where a value is undefined")
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


class _Writer:
    """Writes nodes as lines, following the schema for the order of keys and a JSON Pointer for messages."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self.lines: list[str] = []

    def mapping(self, value: Mapping[str, Value], schema: Any, *, indent: str, pointer: str) -> None:
        if not value:
            raise _unwritable(pointer, "an empty mapping is not written", hint="leave the key out")
        shape = self._resolve(schema)
        properties: Mapping[str, Any] = shape.get("properties", {})
        known = [key for key in properties if key in value]
        free = sorted(key for key in value if key not in properties)
        for key in [*known, *free]:
            inner = properties.get(key, shape.get("additionalProperties", {}))
            head = indent + _text(key, pointer) + ":"
            self._entry(head, value[key], inner, indent=indent + "  ", pointer=pointer + pointer_step(key))

    def _entry(self, head: str, value: Value, schema: Any, *, indent: str, pointer: str) -> None:
        if isinstance(value, Mapping):
            self.lines.append(head)
            self.mapping(value, schema, indent=indent, pointer=pointer)
        elif isinstance(value, list):
            self.lines.append(head)
            self._sequence(value, schema, indent=indent, pointer=pointer)
        else:
            self.lines.append(f"{head} {_scalar(value, pointer)}")

    def _sequence(self, items: list[Value], schema: Any, *, indent: str, pointer: str) -> None:
        if not items:
            raise _unwritable(pointer, "an empty list is not written", hint="leave the key out")
        inner = self._resolve(schema).get("items", {})
        for number, item in enumerate(items):
            where = pointer + pointer_step(number)
            if isinstance(item, Mapping):
                first = len(self.lines)
                self.mapping(item, inner, indent=indent + "  ", pointer=where)
                self.lines[first] = indent + "- " + self.lines[first][len(indent) + 2 :]
            elif isinstance(item, list):
                raise _unwritable(where, "a list directly inside a list has no canonical form", hint="name its parts")
            else:
                self.lines.append(f"{indent}- {_scalar(item, where)}")

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        """Follow a local `#/$defs/name` reference, the only kind our schemas use."""
        if not isinstance(schema, Mapping):
            return {}
        reference = schema.get("$ref")
        return self._root["$defs"][reference.rpartition("/")[2]] if reference else schema


def _scalar(value: object, pointer: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        try:
            return format_number(value)
        except Unwritable as error:
            raise _unwritable(pointer, error.message, hint=error.hint) from error
    if isinstance(value, str):
        return _text(value, pointer)
    kind = "null" if value is None else type(value).__name__
    raise _unwritable(pointer, f"a record holds no {kind}", hint="leave the key out, or use text, Decimal or int")


def _text(text: str, pointer: str) -> str:
    if not isinstance(text, str):
        raise _unwritable(pointer, f"key {text!r} is not text", hint="use text as key")
    if len(text) <= _MAX_PLAIN and _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN:
        return text
    if fault := text_fault(text):
        raise _unwritable(pointer, fault, hint="remove it; write composed characters (NFC) without invisible ones")
    return json.dumps(text, ensure_ascii=False)


def _unwritable(pointer: str, message: str, *, hint: str) -> Unwritable:
    return Unwritable(f"{message} (at {pointer or 'the top'})", hint=hint)
