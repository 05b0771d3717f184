"""Ask one question of a forge's REST interface; the token goes to that address and nowhere else."""

import os
from typing import Any, Protocol
from urllib.parse import urlsplit

from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.faults import Surroundings, problem_of
from medperf_git.forge.host import Host


class Ask(Protocol):
    """How a question is asked."""

    def __call__(self, url: str, *, host: Host, token: str) -> tuple[int, Any]:
        """Return the status and the value of the answer, None where it is no success."""
        ...


def rest(url: str, *, host: Host, token: str) -> tuple[int, Any]:
    """Ask over https, on this machine also http; EnvironmentProblem when nothing sensible answers."""
    from medperf_git.forge.http import open_session  # noqa: PLC0415  (requests is not needed to say what is unknown)

    word = "Bearer" if host in (Host.GITHUB, Host.GITLAB) else "token"
    session = open_session(os.environ, login={"Authorization": f"{word} {token}"})
    try:
        return 200, session.ask("GET", url)
    except Fault as fault:
        if fault.status and fault.cause in (Cause.STATUS, Cause.REDIRECT):
            return fault.status, None
        where = Surroundings(host, urlsplit(url).netloc)
        raise problem_of(fault, "look at the settings", where) from fault
