"""Find out what kind of host stands behind an https address whose name does not say, by what its interface answers."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from medperf_git.forge.api import Fault
from medperf_git.forge.guard import in_time
from medperf_git.forge.host import Host, host_of
from medperf_git.registry.remotes import Remote, Transport

SECONDS = 10.0


def _tells_version(value: Any, _fault: Fault | None) -> bool:
    return isinstance(value, dict) and isinstance(value.get("version"), str)


def _is_gitlab(value: Any, fault: Fault | None) -> bool:
    asked = fault is not None and fault.status == 401 and any(name.startswith("x-gitlab-") for name in fault.headers)
    return asked or _tells_version(value, fault)


def _is_github(value: Any, fault: Fault | None) -> bool:
    asked = fault is not None and "x-github-request-id" in fault.headers
    return asked or (isinstance(value, dict) and "verifiable_password_authentication" in value)


PROBES: tuple[tuple[Host, str, Callable[[Any, Fault | None], bool]], ...] = (
    (Host.FORGEJO, "/api/v1/version", _tells_version),
    (Host.PAGURE, "/api/0/version", _tells_version),
    (Host.GITLAB, "/api/v4/version", _is_gitlab),
    (Host.GITHUB, "/api/v3/meta", _is_github),
)


def find_host(url: str, environ: Mapping[str, str]) -> Host:
    """Return what stands behind an address: by its name, else by asking; a host that answers nothing is plain Git."""
    named = host_of(url)
    remote = Remote.parse(url)
    if named is not Host.PLAIN or remote.transport is not Transport.HTTPS:
        return named
    from medperf_git.forge.http import open_session  # noqa: PLC0415  (only for a host that is met the first time)

    session = open_session(environ)
    place = f"https://{urlsplit(url).netloc}"
    for host, path, tells in PROBES:
        value, fault = None, None
        try:
            value = in_time(partial(session.ask, "GET", place + path), SECONDS)
        except Fault as problem:
            fault = problem
            if not problem.status:
                break  # nobody speaks there, and the fetch that follows says so
        if tells(value, fault):
            return host
    return Host.PLAIN
