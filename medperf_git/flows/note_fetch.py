"""Fetch the note of freshness from where the registry's record says it is published."""

from http.client import HTTPException
from urllib.parse import urlsplit
from urllib.request import Request

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.fetching import opened
from medperf_git.signing.note import MAX_BYTES

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def fetch_note(url: str) -> bytes:
    """Return the bytes at a URL: https anywhere, http on this machine only, no redirects, little and soon."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise EnvironmentProblem(f"{url} is no https address", hint="tell the maintainers: the registry names it")
    try:
        with opened(Request(url)) as answer:  # noqa: S310  (the scheme was looked at)
            data = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        hint = "check the network; without the note nobody can tell whether this host shows what is new"
        raise EnvironmentProblem(f"the note of freshness at {url} cannot be had: {error}", hint=hint) from error
    return data
