"""Ask an address over http(s) and go nowhere else: what both the forge and the note of freshness need."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.request import BaseHandler, HTTPRedirectHandler, Request, build_opener

_SECONDS = 20


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing: a token would go along, or another host could answer."""


@contextmanager
def opened(request: Request, *handlers: BaseHandler) -> Iterator[HTTPResponse]:
    """Open an address whose scheme the caller looked at; a redirection is an HTTPError."""
    with build_opener(_Stay(), *handlers).open(request, timeout=_SECONDS) as answer:
        yield answer
