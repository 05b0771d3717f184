"""Points in time as records write them: UTC, whole seconds, `2026-11-25T10:00:00Z` (RFC 3339)."""

import re
from datetime import UTC, datetime

_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def format_time(moment: datetime) -> str:
    """Write an aware `moment` in UTC, cut to whole seconds; ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parse_time(text: str) -> datetime:
    """Read a time in the one accepted form; ValueError says what is wrong."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time like 2026-11-25T10:00:00Z")
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"{text!r} is no day and time that exist: {error}") from error
