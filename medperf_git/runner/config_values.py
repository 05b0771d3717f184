"""Values of a configuration that somebody else wrote, read with a sentence for each that is not as it should be."""

import shlex
from collections.abc import Mapping
from typing import Any


class Wrong(Exception):
    """One place of a configuration that cannot be kept; `where` is its keys with `/` between them."""

    def __init__(self, where: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.where = where
        self.message = message
        self.hint = hint


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a mapping."""
    if not isinstance(value, dict):
        raise Wrong(where, f"{where or 'the file'} is no mapping of keys", "write `key: value` lines there")
    return value


def only(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    """Refuse a key that is not known."""
    for key in content:
        if key not in known:
            place = f"{where}/{key}" if where else str(key)
            raise Wrong(place, f"{place} is not known", f"remove it; what is known here: {', '.join(known)}")


def words(value: Any, where: str) -> str | tuple[str, ...] | None:
    """Return a command: one line, a list of words, or None."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, list) and value and all(isinstance(word, str | int | float) for word in value):
        return tuple(text(word) for word in value)
    raise Wrong(where, f"{where} is neither text nor a list of words", "write it as one line or as a list")


def split(line: str, where: str) -> list[str]:
    """Split a line into shell words."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise Wrong(where, f"{where} cannot be split into words: {error}", "close every quotation mark") from error


def text(value: Any) -> str:
    """Return a scalar as a container would see it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def scalar(value: Any, where: str) -> str:
    """Return the text of one value; nothing, a list and a mapping have none."""
    if value is None or isinstance(value, list | dict):
        raise Wrong(where, f"{where} is no single value", "write the value in quotation marks, or remove the line")
    return text(value)


def text_or_number(value: Any, where: str) -> str | int | None:
    """Return text, a whole number, or None."""
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    raise Wrong(where, f"{where} is neither text nor a whole number", "write for instance 2g, all or 1")
