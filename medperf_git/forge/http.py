"""Speak HTTP with a forge: one session that follows nobody to another host, reads no netrc, and caps every answer.

session = open_session(environ, login={"Authorization": "token …"})
value = session.ask("GET", "https://forge.example/api/v1/user")

Proxies and certificate files come from the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`,
`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`). Every failure is a `Fault`.
"""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from medperf_git.forge.api import Cause, Fault
from medperf_git.registry.transport import authorities_of, clean

CONNECT_SECONDS = 10.0
READ_SECONDS = 25.0
LARGEST = 8 * 1024 * 1024
_SAID = 300


class Session(requests.Session):
    """A session whose answers are read here, within the caps, and nowhere else."""

    def ask(self, method: str, url: str, **more: Any) -> Any:
        """Ask for JSON and return its value, None for an empty answer; `Fault` when it is no success."""
        return self.ask_with_headers(method, url, **more)[0]

    def ask_with_headers(self, method: str, url: str, **more: Any) -> tuple[Any, Mapping[str, str]]:
        """Ask for JSON and return its value and the headers, names in lower case."""
        with faults_of_requests():
            answer = self.request(method, url, stream=True, allow_redirects=False, **more)
            with answer:
                data = _read(answer)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if answer.is_redirect or 300 <= answer.status_code < 400:
            raise Fault(Cause.REDIRECT, answer.status_code, said=_place(headers.get("location", "")), headers=headers)
        value = _json(data)
        if answer.status_code >= 400:
            raise Fault(Cause.STATUS, answer.status_code, said=said_by(value), headers=headers)
        if value is None and data.strip():
            raise Fault(Cause.GARBLED, answer.status_code, said="no JSON", headers=headers)
        return value, headers


class _Login(AuthBase):
    """Sets the headers that say who we are; a netrc file, which requests would prefer otherwise, has no say."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


class _Patient(requests.adapters.HTTPAdapter):
    """Gives every call a limit of time; retries are the guard's."""

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """See `HTTPAdapter.send`."""
        more["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().send(request, *args, **more)


def open_session(environ: Mapping[str, str], *, login: Mapping[str, str] | None = None) -> Session:
    """Return a session that logs in with these headers."""
    session = Session()
    session.auth = _Login(login or {})
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = "medperf-git"
    session.max_redirects = 0
    session.mount("https://", _Patient(max_retries=0))
    session.mount("http://", _Patient(max_retries=0))
    if certificates := authorities_of(environ):
        session.verify = certificates
    return session


def check_address(url: str) -> str:
    """Return an address to which a token may go: https, or http on this machine; Fault otherwise."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        return url
    raise Fault(Cause.REDIRECT, said="a token travels by https only")


def is_loopback(name: str) -> bool:
    """Tell whether a host name means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


@contextmanager
def faults_of_requests() -> Iterator[None]:
    """Turn what requests raises into a `Fault`; no address is repeated, it may hold a secret of a proxy."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise Fault(Cause.TLS) from error
    except requests.exceptions.ProxyError as error:
        raise Fault(Cause.PROXY) from error
    except requests.exceptions.Timeout as error:
        raise Fault(Cause.TIMEOUT) from error
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
        raise Fault(Cause.GARBLED, said="the answer ended too early") from error
    except requests.exceptions.TooManyRedirects as error:
        raise Fault(Cause.REDIRECT) from error
    except requests.exceptions.ConnectionError as error:
        raise Fault(Cause.UNREACHABLE) from error
    except requests.exceptions.RequestException as error:
        raise Fault(Cause.GARBLED) from error


def said_by(value: Any) -> str:
    """Return what a forge says in the body of an error, in one short line that is safe on a terminal."""
    if not isinstance(value, dict):
        return ""
    told = [value.get(key) for key in ("message", "error", "error_description", "errors") if value.get(key)]
    text = "; ".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=True) for one in told)
    return clean(" ".join(text.split()))[:_SAID]


def _read(answer: requests.Response) -> bytes:
    data = bytearray()
    for block in answer.iter_content(64 * 1024):
        data += block
        if len(data) > LARGEST:
            raise Fault(Cause.GARBLED, answer.status_code, said=f"more than {LARGEST} bytes")
    promised = answer.headers.get("Content-Length", "")
    if promised.isdigit() and not answer.headers.get("Content-Encoding") and len(data) < int(promised):
        raise Fault(Cause.GARBLED, answer.status_code, said="the answer ended too early")
    return bytes(data)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _place(location: str) -> str:
    """Return the host of a redirection; the rest of an address may hold a secret."""
    return clean(urlsplit(location).netloc.rpartition("@")[2])[:_SAID]
