"""Bring main and every open proposal into the local copy, wherever their branches lie.

The registry's own branches `submit/*` come by one fetch. Pull requests from forks come from the registry's repository
too, by the refs that forges keep for them (`refs/pull/7/head`), to `refs/upstream/pull/7`; what the forge says of them
is not believed, their id follows from their content.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.port import Request, State
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import proposal_ref, set_ref
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import (
    MAIN_REFSPEC,
    PROPOSALS_REFSPEC,
    SILENT_SECONDS,
    UPSTREAM_PULLS,
    Access,
    Silence,
    fetch,
    list_refs,
)

MOST = 500
MOST_BYTES = 64 * 1024 * 1024  # of all pull requests that are new at once; a proposal has at most some MB
OWN = "refs/upstream/own/"


def gather(
    copy: Path,
    remote: Remote,
    access: Access,
    listed: Callable[[int], Sequence[Request]],
    *,
    say: Callable[[str], None],
) -> None:
    """Fetch main, branches of proposals, and the heads of open pull requests.

    EnvironmentProblem: main cannot be fetched. Where only the forge's interface is silent, the pull requests stay as
    they were fetched last, and that is said.
    """
    fetch(copy, remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC], access=access)
    try:
        requests = [one for one in listed(MOST) if one.ref]
    except EnvironmentProblem as problem:
        say(f"note: {problem.message}; the pull requests are those of the last time ({problem.hint})")
        return
    if len(requests) == MOST:
        say(f"note: only the newest {MOST} open pull requests are looked at")
    wanted = {f"{UPSTREAM_PULLS}{one.number}": one.ref for one in requests}
    _drop_others(copy, frozenset(wanted))
    _fetch_sound(copy, remote, access, [f"+{ref}:{place}" for place, ref in wanted.items()], say=say)


def heads_of(remote: Remote, pattern: str, access: Access, limit: int) -> list[Request]:
    """Return the newest pull requests by the refs that the registry's repository shows to everybody.

    `pattern` is like `refs/pull/*/head`. No ref tells which are open; what main has of them is found out later.
    """
    start, end = pattern.split("*")
    found: list[Request] = []
    for ref, commit in list_refs(remote, [f"{start}*"], access=access).items():
        number = ref.removeprefix(start).removesuffix(end)
        if ref.endswith(end) and number.isascii() and number.isdigit() and len(number) < 10:
            found.append(Request(int(number), "", commit, "", "", State.OPEN, "", ref))
    return sorted(found, key=lambda one: -one.number)[:limit]


def bring(copy: Path, remote: Remote, proposal: str, *, access: Access) -> str | None:
    """Fetch what lies on the branch of a proposal; return its commit, None for nothing."""
    ref = proposal_ref(proposal)
    there = list_refs(remote, [ref], access=access).get(ref)
    if there is not None:
        fetch(copy, remote, [f"+{ref}:{OWN}{proposal}"], access=access)
    return there


def _drop_others(copy: Path, wanted: frozenset[str]) -> None:
    store = open_copy(copy)
    for name in store.refs(UPSTREAM_PULLS):
        if name not in wanted:
            set_ref(store, name, None)


def _fetch_sound(
    copy: Path, remote: Remote, access: Access, specs: Sequence[str], *, say: Callable[[str], None]
) -> None:
    """Fetch what can be fetched, by halves where a fetch fails: one pull request that is broken keeps no other out.

    Anybody may open one, so none of them, however broken or slow, ends a command; only a host that is gone does.
    """
    began = time.monotonic()
    waiting = [list(specs)] if specs else []
    while waiting:
        some = waiting.pop()
        try:
            fetch(copy, remote, some, access=access, most=MOST_BYTES)
        except Silence:
            raise
        except EnvironmentProblem as problem:
            if time.monotonic() - began > SILENT_SECONDS[remote.transport] / 2:
                left = sum(map(len, waiting), len(some))
                say(f"note: {left} pull requests are those of the last time: {problem.message}")
                return
            if len(some) == 1:
                say(f"note: {some[0].partition(':')[0].lstrip('+')} cannot be fetched: {problem.message}")
            else:
                waiting += [some[: len(some) // 2], some[len(some) // 2 :]]
