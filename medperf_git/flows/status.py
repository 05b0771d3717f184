"""Where my proposals stand, and what waits for me."""

from datetime import datetime

from medperf_git.flows.decisions import waiting_for
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.propose import judge_entry, stands, waits_for
from medperf_git.flows.vouching import asked_of
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Outcome
from medperf_git.records.folds import registry_state
from medperf_git.records.times import parse_time
from medperf_git.registry.batches import prefetch_proposals
from medperf_git.registry.history import fork_point


def list_submissions(workspace: Workspace, *, everything: bool = False) -> list[dict[str, object]]:
    """Return my proposals with age and standing, the newest last; without `everything` only the unfinished ones."""
    rows = []
    for entry in Outbox.of(workspace.context.home, workspace.alias).entries():
        row = _standing(workspace, entry)
        if everything or row["state"] not in ("merged", "replaced"):
            rows.append(row)
    return rows


def list_inbox(workspace: Workspace, *, everything: bool = False) -> list[dict[str, object]]:
    """Return what waits for me: signatures, merges, decisions; with `everything` all open proposals."""
    prefetch_proposals(workspace.store, sorted(workspace.proposals().values()))
    rows = [
        row
        for proposal in sorted(workspace.proposals())
        if (row := _open_proposal(workspace, proposal, everything=everything))
    ]
    member = workspace.member
    if member:
        rows += [
            {
                "what": "decide",
                "about": f"{one.kind} {one.subject} in {one.benchmark}",
                "waits_for": one.waits_for,
                "do": f"medperf-git approve {one.subject} --benchmark {one.benchmark}   (or reject)",
                "findings": [],
            }
            for one in waiting_for(workspace.view, member)
        ]
    return rows


def age(since: str, now: datetime) -> str:
    """Say how long ago a time was, in the largest unit that fits."""
    seconds = max(0, int((now - parse_time(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _standing(workspace: Workspace, entry: Entry) -> dict[str, object]:
    row: dict[str, object] = {
        "id": entry.id[:12],
        "what": entry.title,
        "age": age(entry.at, workspace.context.clock()),
        "state": str(entry.state),
        "waits_for": "",
        "findings": [],
    }
    if stands(workspace.view, entry):
        return {**row, "state": "merged"}
    if entry.state == "replaced":
        return {**row, "waits_for": f"replaced by {entry.replaced_by[:12]}" if entry.replaced_by else "given up"}
    _commit, verdict = judge_entry(workspace, entry)
    sent = entry.id in workspace.proposals()
    findings = [finding.as_value() for finding in verdict.findings]
    if verdict.outcome is Outcome.FAIL:
        return {**row, "state": "refused", "waits_for": "you: medperf-git submit --resume", "findings": findings}
    waits = waits_for(verdict) if sent else "you: medperf-git submit"
    return {**row, "state": str(verdict.outcome) if sent else "not sent", "waits_for": waits, "findings": findings}


def _open_proposal(workspace: Workspace, proposal: str, *, everything: bool) -> dict[str, object] | None:
    commit = workspace.proposals()[proposal]
    judgement = workspace.judge(commit)
    title = workspace.store.message(_first_commit(workspace, commit)).partition("\n")[0]
    row: dict[str, object] = {"what": "", "about": f"{title} (submit/{proposal[:12]})", "do": "", "findings": []}
    outcome = judgement.outcome
    if outcome is Outcome.NEEDS_PERSON and _asks_me(workspace, judgement.change):
        return {**row, "what": "sign", "waits_for": "you", "do": f"medperf-git sign {proposal[:12]}"}
    if outcome is Outcome.PASS and (everything or _is_maintainer(workspace)):
        return {**row, "what": "merge", "waits_for": "a merge", "do": f"medperf-git merge {proposal[:12]}"}
    if not everything:
        return None
    findings = [finding.as_value() for finding in judgement.findings]
    if outcome is Outcome.NEEDS_PERSON:
        return {**row, "what": "waits", "waits_for": waits_for(judgement.verdict), "findings": findings}
    return {**row, "what": str(outcome), "waits_for": "its author", "findings": findings}


def _asks_me(workspace: Workspace, change: Change) -> bool:
    return workspace.member is not None and bool(asked_of(change, workspace.signer(), workspace.member))


def _first_commit(workspace: Workspace, commit: str) -> str:
    """Return the oldest commit of a proposal beyond main, which bears its title."""
    store, fork = workspace.store, fork_point(workspace.store, workspace.base, commit)
    if fork is None or not fork.linear:
        beyond = list(store.iter_beyond(commit, workspace.base))
        return beyond[-1] if beyond else commit
    while commit != fork.commit and store.commit(commit).parents[0] != fork.commit:
        commit = store.commit(commit).parents[0]
    return commit


def _is_maintainer(workspace: Workspace) -> bool:
    registry = registry_state(workspace.view)
    return registry is not None and workspace.member in registry.maintainers
