"""Ask one question of a forge's REST interface; the token goes to that address and nowhere else."""

import ipaddress
import json
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.fetching import opened
from medperf_git.forge.host import Host

_LARGEST = 4 * 1024 * 1024


class Ask(Protocol):
    """How a question is asked."""

    def __call__(self, url: str, *, host: Host, token: str) -> tuple[int, Any]:
        """Return the status and the value of the answer, None where it is no success."""
        ...


def rest(url: str, *, host: Host, token: str) -> tuple[int, Any]:
    """Ask over https, on this machine also http; EnvironmentProblem when nothing sensible answers."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise UsageProblem("a token travels by https only", hint="give an https address")
    headers = {"Accept": "application/json", "User-Agent": "medperf-git", **_login(host, token)}
    handlers = [ProxyHandler({})] if _is_loopback(parts.hostname or "") else []
    try:
        with opened(Request(url, headers=headers), *handlers) as answer:  # noqa: S310  (the scheme was looked at)
            data = answer.read(_LARGEST + 1)
            status = answer.status
    except HTTPError as refused:
        with refused:
            return refused.code, None
    except (URLError, OSError, HTTPException) as error:
        raise EnvironmentProblem(f"{parts.netloc} does not answer: {error}", hint="check the network") from error
    try:
        return status, json.loads(data)
    except ValueError as error:
        hint = "check the address: this is no such forge"
        raise EnvironmentProblem(f"{parts.netloc} answered with something else than JSON", hint=hint) from error


def _login(host: Host, token: str) -> dict[str, str]:
    match host:
        case Host.GITHUB:
            return {
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            }
        case Host.GITLAB:
            return {"PRIVATE-TOKEN": token}
        case _:
            return {"Authorization": f"token {token}"}


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
