"""Speak HTTP with a forge: one session for one host, that follows nobody elsewhere, reads no netrc, caps every answer.

session = open_session(environ, login={"Authorization": "token …"})
value = session.ask("GET", "https://forge.example/api/v1/user")

Proxies and certificate files come from the environment (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`,
`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`). Every failure is a `Fault`.
"""

import http.client
import ipaddress
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.auth import AuthBase

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.deadline import remaining
from medperf_git.records.text import is_refused
from medperf_git.registry.transport import AUTHORITIES

CONNECT_SECONDS = 10.0
READ_SECONDS = 25.0
LARGEST = 8 * 1024 * 1024
_SAID = 300
_PROXY = re.compile(r"(?:https?|socks[45][ah]?)://[^/]")
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")  # what http.client says, with no type of its own


class Session(requests.Session):
    """A session whose answers are read here, within the caps, and nowhere else."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002  (as the base class names it)
        """Go nowhere else: not even the request that would follow is made up."""
        return

    def ask(self, method: str, url: str, **more: Any) -> Any:
        """Ask for JSON and return its value, None for an empty answer; `Fault` when it is no success."""
        return self.ask_with_headers(method, url, **more)[0]

    def ask_with_headers(self, method: str, url: str, **more: Any) -> tuple[Any, Mapping[str, str]]:
        """Ask for JSON and return its value and the headers, names in lower case."""
        answer = self.fetch(method, url, **more)
        value, data = _json(answer.content), answer.content.strip()
        if value is None and (data or (method == "GET" and answer.status_code == 200)):
            said = "no JSON" if data else "it is empty"
            raise Fault(Cause.GARBLED, answer.status_code, said=said, headers=_headers(answer))
        return value, _headers(answer)

    def fetch(self, method: str, url: str, **more: Any) -> requests.Response:
        """Ask, and return the whole answer; `Fault` when it is no success, too long, or leads elsewhere."""
        with faults_of_requests():
            answer = self.request(method, url, stream=True, allow_redirects=False, **more)
            with answer:
                data = _read(answer)
        answer._content = data  # what was read within the caps is what `content` gives
        headers = _headers(answer)
        if 300 <= answer.status_code < 400:
            raise Fault(Cause.REDIRECT, answer.status_code, said=_place(headers.get("location", "")), headers=headers)
        if answer.status_code >= 400:
            raise Fault(Cause.STATUS, answer.status_code, said=said_by(_json(data)), headers=headers)
        return answer

    def look(self, url: str) -> Mapping[str, str]:
        """Return the headers of whatever answers at an address (names in lower case); `Fault` when nothing does."""
        with faults_of_requests(), self.request("HEAD", url, allow_redirects=False) as answer:
            return _headers(answer)


class Lent(requests.Session):
    """What a client library may speak through: a session of ours, whose every failure is a `Fault` before it sees it.

    Links to next pages are kept from it, since they may lead elsewhere: pages are asked for by number.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def request(self, method: Any, url: Any, *_: Any, **more: Any) -> requests.Response:
        """Ask, and return an answer that was read within the caps."""
        wanted = {name: more[name] for name in ("params", "json", "headers") if more.get(name) is not None}
        answer = self._session.fetch(str(method).upper(), str(url), **wanted)
        answer.headers.pop("Link", None)
        return answer


class _Login(AuthBase):
    """Sets the headers that say who we are, for the first host that is asked and no other."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._origin: tuple[str, str] | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        parts = urlsplit(request.url or "")
        origin = (parts.scheme, parts.netloc)
        self._origin = self._origin or origin
        if origin != self._origin:
            raise Fault(Cause.REDIRECT, said=_place(request.url or ""))
        request.headers.update(self._headers)
        return request


class _Patient(requests.adapters.HTTPAdapter):
    """Gives every call a limit of time and the way out of this house; retries are the guard's."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(max_retries=0)
        self._environ = environ

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        """See `HTTPAdapter.send`."""
        url = check_address(request.url or "")
        if (left := remaining()) <= 0:
            raise Fault(Cause.TIMEOUT, said="nobody waits for it any longer")
        more["timeout"] = (min(CONNECT_SECONDS, left), min(READ_SECONDS, left))
        more["proxies"] = proxies_for(url, self._environ)
        return super().send(request, *args, **more)


def open_session(environ: Mapping[str, str], *, login: Mapping[str, str] | None = None) -> Session:
    """Return a session that logs in with these headers, at the first host that it asks and at no other."""
    session = Session()
    session.trust_env = False  # no netrc; proxies and certificates are those of `environ`
    session.auth = _Login(login or {})
    session.headers["Accept"] = "application/json"
    session.headers["User-Agent"] = "medperf-git"
    session.mount("https://", _Patient(environ))
    session.mount("http://", _Patient(environ))
    if certificates := certificates_of(environ):
        session.verify = certificates
    return session


def certificates_of(environ: Mapping[str, str]) -> str | None:
    """Return the file of authorities that this person trusts; None for those that come along.

    EnvironmentProblem: the file that a variable names holds none.
    """
    name = next((name for name in AUTHORITIES if environ.get(name)), None)
    if name is None:
        return None
    place = Path(environ[name])
    try:
        if not place.is_dir():
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(place)
    except OSError as error:  # ssl.SSLError is one
        hint = f"set {name} to a file of certificates in PEM form, or unset it"
        raise EnvironmentProblem(f"{name} names no file of certificates: {place}", hint=hint) from error
    return str(place)


def proxies_for(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy that leads to an address, as requests wants it told; empty for the direct way.

    As with curl and Git: `HTTPS_PROXY`, else `ALL_PROXY`, each also in lower case, but not for hosts of `NO_PROXY`.
    """
    parts = urlsplit(url)
    names = (f"{parts.scheme}_proxy", "all_proxy")
    proxy = next((found for name in names if (found := _either(environ, name))), "")
    if not proxy or requests.utils.should_bypass_proxies(url, no_proxy=_either(environ, "no_proxy")):
        return {}
    address = proxy if "://" in proxy else f"http://{proxy}"
    if not _PROXY.match(address):
        raise Fault(Cause.PROXY, said="the address of the proxy is none")
    return {parts.scheme: address}


def _either(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""


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
    except requests.exceptions.ProxyError as error:
        raise Fault(Cause.PROXY, said=_refusal_of(error)) from error
    except (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema) as error:
        raise Fault(Cause.PROXY, said="HTTPS_PROXY names no proxy of a kind that is known here") from error
    except requests.exceptions.RequestException as error:
        raise _fault_of(error) from error


def _fault_of(error: requests.exceptions.RequestException) -> Fault:
    """Return in which way the network failed: what lies beneath tells more than the class that requests chose."""
    beneath = list(_beneath(error))

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in beneath)

    if certificate := next((one for one in beneath if isinstance(one, ssl.SSLCertVerificationError)), None):
        return Fault(Cause.TLS, said=_harmless(certificate.verify_message or ""))
    if has(requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return Fault(Cause.TIMEOUT)
    if has(requests.exceptions.ChunkedEncodingError, urllib3.exceptions.IncompleteRead):
        return Fault(Cause.GARBLED, said="the answer ended too early")
    if has(http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
        refused = has(ConnectionRefusedError)
        return Fault(Cause.UNREACHABLE, said="" if refused else "it broke the connection off")
    if has(requests.exceptions.ContentDecodingError, http.client.HTTPException, ssl.SSLError):
        return Fault(Cause.GARBLED, said="no HTTP that is understood here")
    if has(requests.exceptions.ConnectionError):
        return Fault(Cause.UNREACHABLE)
    return Fault(Cause.GARBLED)


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that led to it: causes, contexts, and the errors that it was made with."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _refusal_of(error: BaseException) -> str:
    status = next((match.group(1) for one in _beneath(error) if (match := _TUNNEL.search(str(one)))), "")
    return {"": "", "407": "it wants a name and a password: 407"}.get(status, f"it answered {status}")


def said_by(value: Any) -> str:
    """Return what a forge says in the body of an error, in one short line that is safe on a terminal."""
    if not isinstance(value, dict):
        return ""
    told = [value.get(key) for key in ("message", "error", "error_description", "errors") if value.get(key)]
    text = "; ".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=True) for one in told)
    return _harmless(text)


def _harmless(text: str) -> str:
    return "".join(char for char in " ".join(text.split()) if not is_refused(char))[:_SAID]


def _read(answer: requests.Response) -> bytes:
    data = bytearray()
    for block in answer.iter_content(64 * 1024):
        data += block
        if len(data) > LARGEST:
            raise Fault(Cause.GARBLED, answer.status_code, said=f"more than {LARGEST} bytes")
    promised = answer.headers.get("Content-Length", "")
    whole = answer.request.method == "HEAD" or answer.headers.get("Content-Encoding")
    if promised.isdigit() and not whole and len(data) < int(promised):
        raise Fault(Cause.GARBLED, answer.status_code, said="the answer ended too early")
    return bytes(data)


def _headers(answer: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _place(location: str) -> str:
    """Return the host of a redirection; the rest of an address may hold a secret."""
    try:
        return _harmless(urlsplit(location).netloc.rpartition("@")[2])
    except ValueError:
        return ""
