"""Calls of the docker library whose errors are ours: the engine refuses, is gone, or has not what was asked for."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from medperf_git.errors import EnvironmentProblem

__all__ = [
    "BROKEN", "APIError", "Client", "ImageNotFound", "NotFound", "NotRunning", "close_stream", "gone",
    "see_that_it_listens", "speaking",
]  # fmt: skip
BROKEN = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)


class Client(docker.APIClient):
    """The library's client; it need not ask the engine whether a container has a terminal, for none of ours has."""

    def _check_is_tty(self, container: str) -> bool:  # noqa: ARG002
        return False


class NotRunning(Exception):
    """The container had ended already."""


@contextlib.contextmanager
def speaking(purpose: str) -> Iterator[None]:
    """Turn the library's errors into EnvironmentProblem; what is not found stays NotFound."""
    try:
        yield
    except (NotFound, ImageNotFound):
        raise
    except APIError as error:
        if error.status_code == 409 and purpose == "stop a container":
            raise NotRunning from error
        raise EnvironmentProblem(
            f"the container engine would not {purpose}: {error.explanation or error}",
            hint="see the engine's own log; medperf-git doctor checks the usual causes",
        ) from error
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise gone(f"could not {purpose}: {error}") from error


def see_that_it_listens(address: str) -> None:
    """Raise OSError unless somebody listens at a socket of this machine; the library would leave its own one open."""
    if not address.startswith("unix://"):
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(60)
        sock.connect(address.removeprefix("unix://"))


def gone(detail: str) -> EnvironmentProblem:
    """Return the problem of an engine that went away."""
    return EnvironmentProblem(
        f"the container engine went away ({detail})",
        hint="start it again and repeat the command: finished models are kept, and leftovers are removed first",
    )


def close_stream(stream: Any) -> None:
    """Let go of a container's output."""
    response = getattr(stream, "_response", None)
    if response is None:
        return
    # The library's own close stops half way, with the socket open, when the engine has gone.
    with contextlib.suppress(*BROKEN, AttributeError, ValueError):
        response.raw._fp.fp.raw._sock.close()
    response.close()
