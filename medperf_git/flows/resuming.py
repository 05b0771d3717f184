"""Send what was not sent, and find its place again for what lost it.

When somebody else claimed the next word on the same thing first, the new state is judged: what already stands needs
nothing; a decision that was taken on another state is not taken again by itself, its author is told what now holds;
everything else is numbered anew and signed again.
"""

from dataclasses import dataclass, replace

from medperf_git.flows.outbox import Entry, Outbox
from medperf_git.flows.propose import (
    Draft,
    Proposed,
    already_there,
    judge_entry,
    next_link,
    refuse_failed,
    send,
    sign_entry,
    stands,
    waits_for,
)
from medperf_git.flows.workspace import Workspace
from medperf_git.policy.verdict import Outcome, Verdict
from medperf_git.records import layout
from medperf_git.records.findings import Finding
from medperf_git.records.folds import Status, association_state
from medperf_git.records.layout import CHAINS
from medperf_git.records.models import Association, Record
from medperf_git.records.record import Stored, read_record, write_record
from medperf_git.records.view import chain

BECOMES = {"approve": Status.APPROVED, "reject": Status.REJECTED, "withdraw": Status.WITHDRAWN}
LOST = frozenset({"number-taken", "chain"})


@dataclass(frozen=True, slots=True)
class Resumed:
    """What became of one proposal of mine; `note` says it in words."""

    id: str
    title: str
    done: bool
    note: str
    verdict: Verdict
    proposed: Proposed | None = None


def resume_all(workspace: Workspace, *, renumber: bool) -> list[Resumed]:
    """Go through everything of mine that does not stand yet, oldest first."""
    outbox = Outbox.of(workspace.context.home, workspace.alias)
    waiting = [entry for entry in outbox.entries() if entry.state in ("ready", "sent")]
    return [resume(workspace, entry, renumber=renumber) for entry in waiting]


def resume(workspace: Workspace, entry: Entry, *, renumber: bool) -> Resumed:
    """Bring one proposal of mine as far as it can come now."""
    if stands(workspace.view, entry):
        proposed = already_there(workspace, entry)
        return Resumed(
            entry.id, entry.title, True, "nothing to do: it stands in the registry", proposed.verdict, proposed
        )
    commit, verdict = judge_entry(workspace, entry)
    if verdict.outcome in (Outcome.PASS, Outcome.NEEDS_PERSON):
        return _sent(entry, _send_if_new(workspace, entry, commit, verdict))
    if not renumber or not {finding.rule for finding in verdict.findings} & LOST:
        hint = "; run `medperf-git submit --resume`" if _lost_only(verdict.findings) else ""
        note = f"it would be refused as it stands{hint}"
        return Resumed(entry.id, entry.title, done=False, note=note, verdict=verdict)
    return _find_new_place(workspace, entry)


def _send_if_new(workspace: Workspace, entry: Entry, commit: str, verdict: Verdict) -> Proposed:
    there = workspace.proposals().get(entry.id)
    if there == commit and verdict.outcome is Outcome.NEEDS_PERSON:
        return Proposed(entry.id, verdict, workspace.forge.page_of(entry.id), waits_for(verdict), merged=False)
    return send(workspace, entry, commit=commit, verdict=verdict)


def _sent(entry: Entry, proposed: Proposed) -> Resumed:
    note = "merged" if proposed.merged else f"sent; waits for {proposed.waits_for}"
    return _resumed(entry, note, proposed)


def _resumed(entry: Entry, note: str, proposed: Proposed) -> Resumed:
    return Resumed(entry.id, entry.title, done=True, note=note, verdict=proposed.verdict, proposed=proposed)


def _find_new_place(workspace: Workspace, entry: Entry) -> Resumed:
    records = [stored for path, data in entry.records.items() if (stored := read_record(path, data).stored)]
    outbox = Outbox.of(workspace.context.home, workspace.alias)
    for stored in records:
        if said := _already_said(workspace, stored):
            outbox.put(entry.moved("replaced"))
            return Resumed(entry.id, entry.title, done=True, note=said, verdict=Verdict(Outcome.PASS))
        if holds := _overtaken(workspace, stored):
            outbox.put(entry.moved("replaced"))
            return Resumed(entry.id, entry.title, done=False, note=holds, verdict=Verdict(Outcome.FAIL))
    drafts = [_renumbered(workspace, stored) for stored in records]
    files = {draft.path: write_record(draft.record) for draft in drafts}
    fresh = sign_entry(workspace, files, title=entry.title, made=entry.at)
    commit, verdict = judge_entry(workspace, fresh)
    refuse_failed(verdict, f"{entry.title}: it no longer applies to what stands in the registry now")
    outbox.put(fresh)
    outbox.put(entry.moved("replaced", replaced_by=fresh.id))
    proposed = send(workspace, fresh, commit=commit, verdict=verdict)
    after = "merged" if proposed.merged else f"waits for {proposed.waits_for}"
    places = ", ".join(draft.path for draft in drafts)
    return _resumed(fresh, f"numbered anew and signed again: {places}; {after}", proposed)


def _already_said(workspace: Workspace, stored: Stored) -> str:
    """Say that the latest link of the chain has the same words already; empty when it has not."""
    links = chain(workspace.view, stored.place.folder)
    if stored.place.kind not in CHAINS or not links:
        return ""
    latest = links[-1]
    if isinstance(stored.record, Association) and isinstance(latest.record, Association):
        state = _state_of(workspace, stored.record)
        if BECOMES.get(stored.record.event) is state:
            return f"nothing to do: it is already {state}, by {latest.record.by} ({latest.path})"
        return ""
    return (
        f"nothing to do: {latest.path} says the same already" if _words(latest.record) == _words(stored.record) else ""
    )


def _overtaken(workspace: Workspace, stored: Stored) -> str:
    """Say why a decision taken on another state is not taken again by itself; empty when it may be."""
    record = stored.record
    if not isinstance(record, Association) or record.event not in ("approve", "reject"):
        return ""
    links = chain(workspace.view, stored.place.folder)
    latest = links[-1].record if links else None
    who = f"{latest.event} by {latest.by} at {latest.created}" if isinstance(latest, Association) else "nothing yet"
    state = _state_of(workspace, record)
    return (
        f"your {record.event} of {record.subject.ref} in {record.benchmark.ref} no longer applies: "
        f"it is now {state} ({who}); if you still mean it, run `medperf-git {record.event} {record.subject.ref}` again"
    )


def _renumbered(workspace: Workspace, stored: Stored) -> Draft:
    if stored.place.kind not in CHAINS or (workspace.view.blob(stored.path) is None and stored.place.number == 1):
        return Draft(stored.path, stored.record)
    number, previous = next_link(workspace.view, stored.place.folder)
    record: Record = replace(stored.record, previous=previous)  # type: ignore[arg-type]  # links of chains have it
    if isinstance(record, Association) and record.event == "request":
        policies = chain(workspace.view, layout.policy_folder(record.benchmark.ref))
        record = replace(record, policy=policies[-1].digest if policies else None)
    return Draft(layout.numbered(stored.place.folder, number), record)


def _state_of(workspace: Workspace, record: Association) -> Status:
    return association_state(workspace.view, record.benchmark.ref, record.subject.kind, record.subject.ref).status


def _words(record: Record) -> Record:
    """Return a record without what only says when and after which it was written."""
    return replace(record, created="", previous=None) if record.KIND in CHAINS else record  # type: ignore[arg-type]


def _lost_only(findings: tuple[Finding, ...]) -> bool:
    return bool({finding.rule for finding in findings} & LOST)
