"""Fetch the note of freshness from where the registry's record says it is published."""

import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from medperf_git.errors import EnvironmentProblem
from medperf_git.signing.note import MAX_BYTES

_SECONDS = 20
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def fetch_note(url: str) -> bytes:
    """Return the bytes at a URL: https anywhere, http on this machine only, no redirects, little and soon."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HERE):
        raise EnvironmentProblem(f"{url} is no https address", hint="tell the maintainers: the registry names it")
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(url, timeout=_SECONDS) as answer:
            data: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException, ValueError) as error:
        hint = "check the network; without the note nobody can tell whether this host shows what is new"
        raise EnvironmentProblem(f"the note of freshness at {url} cannot be had: {error}", hint=hint) from error
    return data


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nothing: another host could answer with anything, and every answer is signed anyway."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, which ends with the redirect as an error."""
