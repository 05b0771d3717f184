"""Where my proposals stand, how old they are, and who is waited for."""

from datetime import datetime

from medperf_git.flows.at_forge import There, look_there
from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.propose import OPEN_IT, judge_entry, stands, waits_for
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.verdict import Outcome
from medperf_git.records.times import parse_time

PATIENCE = 30  # days for which a proposal may be open before its author is told how else it can travel (threat T09)
CARRY = "`medperf-git submit --no-push` writes a bundle that anybody may carry"


def list_submissions(workspace: Workspace, *, everything: bool = False) -> list[dict[str, object]]:
    """Return my proposals with age and standing, the newest last; without `everything` only the unfinished ones."""
    rows = []
    now = workspace.context.clock()
    for entry in Outbox.of(workspace.context.home, workspace.alias).entries():
        row = _standing(workspace, entry, now)
        if everything or row["state"] not in ("merged", "replaced"):
            rows.append(row)
    return rows


def command(workspace: Workspace, text: str) -> str:
    """Return the command that a person types, for this registry also where another one is the current one."""
    return f"medperf-git {text}" + (f" -R {workspace.alias}" if workspace.context.registry else "")


def age(since: str, now: datetime) -> str:
    """Say how long ago a time was, in the largest unit that fits."""
    seconds = max(0, int((now - parse_time(since)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _standing(workspace: Workspace, entry: Entry, now: datetime) -> dict[str, object]:
    row: dict[str, object] = {
        "id": entry.id[:12],
        "what": entry.title,
        "since": entry.at,
        "age": age(entry.at, now),
        "state": str(entry.state),
        "waits_for": "",
        "findings": [],
        "warning": "",
        "url": "",
        "there": "",
    }
    if stands(workspace.view, entry):
        return {**row, "state": "merged"}
    if entry.state == "replaced":
        return {**row, "waits_for": f"replaced by {entry.replaced_by[:12]}" if entry.replaced_by else "given up"}
    row["warning"] = _warning(entry, now)
    there = look_there(workspace, entry.id) if entry.state == "sent" else There()
    row |= {"url": there.url, "there": there.closed or there.judge}
    _commit, verdict = judge_entry(workspace, entry)
    sent = entry.id in workspace.proposals() or bool(there.url)
    findings = [finding.as_value() for finding in verdict.findings]
    if verdict.outcome is Outcome.FAIL:
        again = f"you: {command(workspace, 'submit --resume')}"
        return {**row, "state": "refused", "waits_for": again, "findings": findings}
    if there.closed:
        return {**row, "state": "closed", "waits_for": f"you: read why at {there.url}", "findings": findings}
    waits = waits_for(verdict) if sent else f"you: {command(workspace, 'submit')}"
    if there.to_open:
        waits = f"{OPEN_IT} (below), if you have not yet"
    return {**row, "state": str(verdict.outcome) if sent else "not sent", "waits_for": waits, "findings": findings}


def _warning(entry: Entry, now: datetime) -> str:
    """Say that a proposal has been open for long, and how it can travel without the host; else nothing."""
    days = (now - parse_time(entry.at)).days
    return f"submit/{entry.id[:12]} is open for {days} d: {CARRY}" if days >= PATIENCE else ""
