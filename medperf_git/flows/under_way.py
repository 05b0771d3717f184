"""What is decided already and not merged yet: by me, or by others who ask for my signature."""

from collections.abc import Sequence

from medperf_git.errors import Refused
from medperf_git.flows.decisions import Decision
from medperf_git.flows.home import Damaged
from medperf_git.flows.outbox import Outbox
from medperf_git.flows.vouching import asked_of
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Outcome


def proposed_by_me(workspace: Workspace) -> dict[str, str]:
    """Return the records that I have proposed and that are not merged yet: path → name of the proposal."""
    there = workspace.proposals()
    try:
        entries = list(Outbox.of(workspace.context.home, workspace.alias).entries())
    except Damaged as problem:  # `status` says what to do about it
        workspace.context.say(f"note: {problem.message}")
        return {}
    alive = [entry for entry in entries if entry.state == "ready" or (entry.state == "sent" and entry.id in there)]
    return {path: f"submit/{entry.id[:12]}" for entry in alive for path in entry.records}


def waits_for_my_signature(workspace: Workspace) -> dict[str, str]:
    """Return the records of open proposals that I am asked to sign: path → first digits of the proposal."""
    found: dict[str, str] = {}
    for proposal, commit in workspace.proposals().items():
        judgement = workspace.judge(commit)
        if judgement.outcome is Outcome.NEEDS_PERSON and asks_me(workspace, judgement.change):
            found |= dict.fromkeys(judgement.change.added, proposal[:12])
    return found


def asks_me(workspace: Workspace, change: Change) -> bool:
    """Tell whether my signature counts on a change and is not there yet."""
    return workspace.member is not None and bool(asked_of(change, workspace.signer(), workspace.member))


def refuse_decided(workspace: Workspace, decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions without those that are decided already; Refused when none is left."""
    mine, asked = proposed_by_me(workspace), waits_for_my_signature(workspace)
    left = []
    for one in decisions:
        if name := mine.get(one.draft.path):
            workspace.context.say(f"{one.about}: you have decided already, in {name}, which is not merged yet")
        elif short := asked.get(one.draft.path):
            workspace.context.say(f"{one.about}: somebody has decided, and asks for your signature: sign {short}")
        else:
            left.append(one)
    if not left:
        hint = "`medperf-git status` shows who is waited for, `medperf-git inbox` what you can sign"
        raise Refused("all of this is decided already, and not merged yet", hint=hint)
    return left
