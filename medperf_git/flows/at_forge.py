"""What the forge itself says of a proposal: where its page is, what its judge found, whether people closed it."""

from dataclasses import dataclass

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Checks, Merging, State

_JUDGE = {
    Checks.NONE: "",
    Checks.RUNNING: "its judge is at work",
    Checks.PASSED: "its judge passes it",
    Checks.FAILED: "its judge refuses it",
}


@dataclass(frozen=True, slots=True)
class There:
    """A proposal as its forge shows it; `url` is empty where there is no page, `closed` says who gave it up,
    `to_open` that nobody has opened a pull request yet.
    """

    url: str = ""
    judge: str = ""
    closed: str = ""
    to_open: bool = False


def look_there(workspace: Workspace, proposal: str) -> There:
    """Ask the forge about a proposal that was sent; where it does not answer, nothing is said."""
    if workspace.forge.merging is Merging.PUSH or not workspace.online:
        return There()
    try:
        found = workspace.forge.requests(proposal)
        if not found:
            unseen = workspace.forge.merging is Merging.PAGE and proposal not in workspace.proposals()
            return There(workspace.forge.page_of(proposal), to_open=unseen)
        latest = next((one for one in found if one.state is State.OPEN), found[0])
        if latest.state is State.CLOSED:
            return There(latest.url, closed=f"closed by {latest.closed_by or 'somebody'}: #{latest.number}")
        judge = _JUDGE[workspace.forge.checks(latest)] if latest.state is State.OPEN else ""
        return There(latest.url, judge)
    except EnvironmentProblem as problem:
        workspace.context.say(f"note: {problem.message}")
        return There()
