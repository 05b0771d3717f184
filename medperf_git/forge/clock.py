"""Ask a host what time it is: the date of one answer, no token, nothing read (RFC 9110, Date)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from medperf_git.forge.api import Fault
from medperf_git.forge.http import open_session


def read_clock(url: str, environ: Mapping[str, str]) -> datetime | None:
    """Return the host's time in whole seconds, None where it does not tell."""
    try:
        headers = open_session(environ).ask_with_headers("HEAD", f"https://{urlsplit(url).netloc}/")[1]
    except Fault as fault:
        headers = fault.headers
    try:
        told = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return None
    return told.astimezone(UTC)
