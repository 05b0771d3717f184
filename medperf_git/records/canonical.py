"""Plain values → the one canonical YAML text of a record.

Keys follow the order of the schema, free maps the order of code points; block style, two spaces, LF; a string
outside a small plain set is a JSON string (RFC 8259) on one line. A reader accepts a file only if its bytes
equal their own re-emission, so no two parsers can disagree about it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from medperf_git.records.strict_yaml import MAX_INTEGER, Value

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./@:+][A-Za-z0-9]+)*")
_NOT_PLAIN = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity"})
_MAX_PLAIN = 128


def emit(value: Mapping[str, Value], schema: Mapping[str, Any]) -> bytes:
    """Write `value` in canonical form, keys in the order of the JSON Schema `schema`.

    ValueError names a value that no record can hold: an empty collection, a number outside the format.
    """
    lines = _mapping(value, schema, schema)
    return ("\n".join(lines) + "\n").encode("utf-8")


def format_number(number: int | Decimal) -> str:
    """Write a number as records do: no exponent, no trailing zero, no negative zero."""
    if isinstance(number, int):
        if abs(number) > MAX_INTEGER:
            raise ValueError(f"{number} is outside ±(2^53−1)")
        return str(number)
    if number == number.to_integral_value():
        return format_number(int(number))
    text = format(number, "f").rstrip("0")
    digits = re.sub(r"[-.]", "", text).lstrip("0")
    if len(digits) > 15 or len(text.partition(".")[2]) > 9:
        raise ValueError(f"{text} has more than 15 significant digits or 9 decimals")
    return text


def _mapping(value: Mapping[str, Value], schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if not value:
        raise ValueError("an empty mapping is not written: leave the key out")
    shape = _resolve(schema, root)
    properties: Mapping[str, Any] = shape.get("properties", {})
    known = [key for key in properties if key in value]
    free = sorted(key for key in value if key not in properties)
    for key in [*known, *free]:
        inner = properties.get(key, shape.get("additionalProperties", {}))
        yield from _entry(_text(key) + ":", value[key], _resolve(inner, root), root)


def _entry(head: str, value: Value, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, dict):
        yield head
        yield from ("  " + line for line in _mapping(value, schema, root))
    elif isinstance(value, list):
        yield head
        yield from ("  " + line for line in _sequence(value, schema, root))
    else:
        yield f"{head} {_scalar(value)}"


def _sequence(items: list[Value], schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if not items:
        raise ValueError("an empty list is not written: leave the key out")
    inner = _resolve(schema.get("items", {}), root)
    for item in items:
        if isinstance(item, dict):
            lines = list(_mapping(item, inner, root))
            yield "- " + lines[0]
            yield from ("  " + line for line in lines[1:])
        elif isinstance(item, list):
            raise ValueError("a list directly inside a list has no canonical form")
        else:
            yield "- " + _scalar(item)


def _scalar(value: str | int | bool | Decimal) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return format_number(value)
    return _text(value)


def _text(text: str) -> str:
    if len(text) <= _MAX_PLAIN and _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN:
        return text
    return json.dumps(text, ensure_ascii=False)


def _resolve(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a local `#/$defs/name` reference, the only kind our schemas use."""
    if not isinstance(schema, Mapping):
        return {}
    reference = schema.get("$ref")
    return root["$defs"][reference.rpartition("/")[2]] if reference else schema
