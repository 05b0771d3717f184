"""What waits for me: proposals to sign or to merge, requests to decide on; since when, by whom, and what to run.

What others wrote stands in a row as they wrote it; whoever prints it makes it harmless.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from medperf_git.flows.decisions import next_place, waiting_for
from medperf_git.flows.merging import title_of
from medperf_git.flows.propose import waits_for
from medperf_git.flows.status import age, command
from medperf_git.flows.under_way import asks_me, proposed_by_me
from medperf_git.flows.workspace import Workspace
from medperf_git.forge.host import Host
from medperf_git.forge.port import Merging
from medperf_git.policy.case import Case
from medperf_git.policy.change import Change
from medperf_git.policy.signatures import signed
from medperf_git.policy.verdict import Outcome
from medperf_git.records.folds import registry_state
from medperf_git.records.standings import Standing, request_of
from medperf_git.records.times import format_time
from medperf_git.registry.batches import prefetch_proposals
from medperf_git.registry.history import first_beyond
from medperf_git.registry.objects import BadObject
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.steps import Judgement

KINDS = ("sign", "merge", "decide", "waits", "refused", "not judged")
UNTITLED = "(no title)"
NOBODY = "nobody whose signature counts"
_SOUND = ("sign", "merge", "waits")  # what the judge does not refuse
_WORDS = {Outcome.FAIL: ("refused", "its author"), Outcome.COULD_NOT_CHECK: ("not judged", "us: our own trouble")}


def list_inbox(workspace: Workspace, *, everything: bool = False) -> list[dict[str, object]]:
    """Return what waits for me, kind by kind, the oldest first; with `everything` all that is open."""
    now = workspace.context.clock()
    prefetch_proposals(workspace.store, list(workspace.proposals().values()))
    rows = [_proposal(workspace, proposal, now=now) for proposal in workspace.proposals()]
    if workspace.member:
        decided = _decided(workspace, rows)
        rows += [_request(workspace, one, decided, now=now) for one in waiting_for(workspace.view, workspace.member)]
    shown = [row for row in rows if everything or _is_for_me(workspace, row)]
    return sorted(shown, key=lambda row: (KINDS.index(str(row["what"])), str(row["since"]), str(row["about"])))


def _is_for_me(workspace: Workspace, row: dict[str, object]) -> bool:
    if row["what"] == "merge":
        registry = registry_state(workspace.view)
        return registry is not None and workspace.member in registry.maintainers
    return row["what"] in ("sign", "decide")


def _proposal(workspace: Workspace, proposal: str, *, now: datetime) -> dict[str, object]:
    """Say one open proposal: what it needs of me, or of whom else."""
    commit = workspace.proposals()[proposal]
    judgement = workspace.judge(commit)
    title, time, by = _origin(workspace, commit, judgement.change)
    since = format_time(min(time, now))
    what, who, text = _needs(workspace, proposal, judgement)
    return {
        "what": what,
        "about": title,
        "proposal": proposal,
        "by": by,
        "since": since,
        "age": age(since, now),
        "verdict": str(judgement.outcome),
        "waits_for": who,
        "do": command(workspace, text) if text else "",
        "records": sorted(path for path in judgement.change.added if not path.endswith(".sigstore.json")),
        "findings": [finding.as_value() for finding in judgement.findings],
    }


def _needs(workspace: Workspace, proposal: str, judgement: Judgement) -> tuple[str, str, str]:
    """Return what a proposal needs, of whom, and the command that helps."""
    short = proposal[:12]
    look = "" if workspace.known.kind is Host.PLAIN else f"open {short}"
    if judgement.outcome is Outcome.NEEDS_PERSON:
        if asks_me(workspace, judgement.change):
            return "sign", "you", f"sign {short}"
        return "waits", waits_for(judgement.verdict), look
    if judgement.outcome is Outcome.PASS:
        return "merge", "a merge", look if workspace.forge.merging is Merging.PAGE else f"merge {short}"
    what, who = _WORDS[judgement.outcome]
    return what, who, look


def _decided(workspace: Workspace, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return the records that open proposals would write: path → which proposal, and by whom or what it needs of me."""
    open_ones = sorted((row for row in rows if row["what"] in _SOUND), key=lambda row: row["what"] == "sign")
    found = {path: (f"submit/{row['proposal'][:12]}", row["what"]) for row in open_ones for path in row["records"]}
    return found | {path: (name, "mine") for path, name in proposed_by_me(workspace).items()}


def _request(
    workspace: Workspace, one: Standing, decided: Mapping[str, tuple[str, str]], *, now: datetime
) -> dict[str, object]:
    """Say one request on which I may decide; what I have decided, or am asked to sign, is no decision any more."""
    asked = request_of(workspace.view, one)
    since = min(asked.created if asked else format_time(now), format_time(now))
    name, how = decided.get(next_place(workspace.view, one), ("", ""))
    waits = how in ("mine", "sign")
    text = "status" if how == "mine" else f"approve {one.subject} --benchmark {one.benchmark}"
    return {
        "what": "waits" if waits else "decide",
        "about": f"{one.kind} {one.subject} in {one.benchmark}",
        "proposal": "",
        "by": asked.by if asked else one.subject.member,
        "since": since,
        "age": age(since, now),
        "verdict": "merged",
        "waits_for": f"{name} to be merged" if name else one.waits_for,
        "do": command(workspace, text),
        "records": [],
        "findings": [],
    }


def _origin(workspace: Workspace, commit: str, change: Change) -> tuple[str, datetime, str]:
    """Return the title of a proposal, when it was made and by which members, as its first commit says and signs it."""
    try:
        first = first_beyond(workspace.store, workspace.base, commit)
        return (
            title_of(workspace, commit) or UNTITLED,
            workspace.store.commit(first).time,
            _proposers(workspace, first, change),
        )
    except BadObject as bad:  # the judge refuses it, and says why
        return f"{UNTITLED}: {bad.finding.message}", workspace.context.clock(), NOBODY


def _proposers(workspace: Workspace, first: str, change: Change) -> str:
    """Name the members whose signatures came with a proposal when it was made, and verify."""
    case, then = Case(change), Snapshot.at(workspace.store, first)
    found = [signed(case, stored).vouches.items() for stored in case.records.values()]
    members = {vouch.member for vouches in found for path, vouch in vouches if then.blob(path) is not None}
    return ", ".join(sorted(members)) or NOBODY
