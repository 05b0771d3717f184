"""Say under open pull requests what the judge finds: for a forge on which nothing of ours runs, by anybody's clock.

One comment of ours on each, kept up to date; what has not changed is not written again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.flows.checking import check_change
from medperf_git.flows.comment import render_markdown
from medperf_git.flows.comparing import with_comparison
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.port import Merging, State
from medperf_git.policy.verdict import Outcome


@dataclass(frozen=True, slots=True)
class Commented:
    """One open pull request that was judged and spoken to; `trouble` is why nothing could be said there."""

    proposal: str
    url: str
    outcome: Outcome
    trouble: str = ""


def comment_on(workspace: Workspace, proposals: list[str]) -> Iterator[Commented]:
    """Judge open proposals as everybody does, and say it under each pull request whose head was judged.

    Refused: this registry lies at no forge that we may speak at.
    """
    if workspace.forge.merging is not Merging.API:
        hint = "a plain Git host has no comments; at a forge a token is needed"
        raise Refused("there is no place for a comment", hint=hint)
    for proposal in proposals:
        yield from _comment(workspace, proposal, workspace.proposals()[proposal])


def _comment(workspace: Workspace, proposal: str, commit: str) -> Iterator[Commented]:
    checked = check_change(workspace.store, workspace.base, commit, at=workspace.context.clock())
    text = render_markdown(with_comparison(checked))
    for request in workspace.forge.requests(proposal):
        if request.state is not State.OPEN or request.commit not in (commit, ""):
            continue
        try:
            workspace.forge.comment(request, text)
        except EnvironmentProblem as problem:
            yield Commented(proposal, request.url, checked.verdict.outcome, problem.message)
        else:
            yield Commented(proposal, request.url, checked.verdict.outcome)
