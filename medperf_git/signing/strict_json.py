"""JSON that has one reading: bounded, no duplicate key, no NaN, text and structure only where they are expected.

What is written here is RFC 8785 because it is made of objects, lists and printable ASCII text without `"` and `\\`:
then sorting keys by code point is the required order, no character needs an escape, and there are no numbers.
`canonical` refuses anything else instead of guessing.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from medperf_git.errors import IntegrityBroken
from medperf_git.records.json_bounds import bounds_fault

Json = str | list["Json"] | dict[str, "Json"]

_MAX_DEPTH = 8
_MAX_NODES = 64
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
REMAKE = "discard this bundle and sign the record again with `medperf-git sign`"


def broken(reason: str) -> IntegrityBroken:
    """Return the error for signed data that is not what it must be."""
    return IntegrityBroken(reason, hint=REMAKE)


def canonical(value: Json) -> bytes:
    """Return `value` as RFC 8785 JSON (IntegrityBroken for a text that would need an escape)."""
    data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
    if b"\\" in data or b"\x7f" in data:  # every other character outside `_PLAIN` was written with a backslash
        _require_plain(value)
    return data


def parse_json(data: bytes, *, limit: int, what: str) -> object:
    """Read at most `limit` bytes of JSON; IntegrityBroken names `what` and the reason."""
    if len(data) > limit:
        raise broken(f"{what} has {len(data)} bytes, more than {limit}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise broken(f"{what} is not UTF-8") from error
    if fault := bounds_fault(text, max_depth=_MAX_DEPTH, max_nodes=_MAX_NODES):
        raise broken(f"{what} is nested too deeply, or holds too much: {fault}")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise broken(f"{what} is not strict JSON: {error}") from error


def take_object(value: object, keys: Sequence[str], *, where: str) -> dict[str, object]:
    """Return `value` as an object that has exactly `keys` (IntegrityBroken)."""
    if not isinstance(value, dict):
        raise broken(f"{where} is not an object")
    for key in keys:
        if key not in value:
            raise broken(f"{where} lacks {key!r}")
    for key in value:
        if key not in keys:
            raise broken(f"{where} has an unknown key {shown(key)}")
    return value


def take_only(value: object, *, where: str) -> object:
    """Return the one element of the list `value` (IntegrityBroken)."""
    if not isinstance(value, list) or len(value) != 1:
        raise broken(f"{where} is not a list of exactly one")
    return value[0]


def take_text(value: object, *, where: str) -> str:
    """Return `value` as a text (IntegrityBroken)."""
    if not isinstance(value, str):
        raise broken(f"{where} is not a text")
    return value


def take_constant(value: object, expected: str, *, where: str) -> None:
    """Require that `value` is the text `expected` (IntegrityBroken)."""
    if take_text(value, where=where) != expected:
        raise broken(f"{where} is {shown(value)}, expected {expected!r}")


def shown(value: object) -> str:
    """Return foreign text for a message: quoted, escaped, cut to 80 characters."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _require_plain(value: Json) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key)
            _require_plain(inner)
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner)
    elif not _PLAIN.fullmatch(value):
        raise broken(f"{shown(value)} holds a character that has no place in signed text")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
