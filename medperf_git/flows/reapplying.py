"""What becomes of one record of mine when others were merged first: it stands, is kept, is placed anew, or lapses.

Rules kept here: of a record that is a whole state (policy, member, registry) only what its author changed is laid
over the state of now, so nobody else's change is undone; a result keeps the bytes that were reviewed or is given up;
approving and rejecting are never done again on another state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from medperf_git.flows.propose import Draft, next_link
from medperf_git.records import layout
from medperf_git.records.convert import record_from_value, value_of
from medperf_git.records.digests import Digest, short
from medperf_git.records.folds import AssociationState, Status, association_state, marks_of
from medperf_git.records.layout import CHAINS, Kind
from medperf_git.records.models import Association, Comparison, Notice, Quarantine, Record, Result
from medperf_git.records.record import Stored, read_record, write_record
from medperf_git.records.strict_yaml import Value
from medperf_git.records.view import RecordView, chain

WHOLE_STATES = frozenset({Kind.POLICY, Kind.MEMBER, Kind.REGISTRY})
BECOMES = {"approve": Status.APPROVED, "reject": Status.REJECTED, "withdraw": Status.WITHDRAWN}
_FRAME = ("kind", "spec", "created", "previous")
_SAME_MATTER = (frozenset({"withdraw", "reinstate"}), frozenset({"dispute", "resolve"}))
_LONGEST = 100

Path = tuple[str, ...]
Event: TypeAlias = Association | Notice | Quarantine


class Became(StrEnum):
    """What became of a record; the last one is no longer proposed."""

    STANDS = "stands"
    KEPT = "kept"
    PLACED = "placed-anew"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the record that was to lie at `path`; `asks` when its author should look before signing."""

    path: str
    became: Became
    note: str
    draft: Draft | None = None
    asks: bool = False

    def as_value(self) -> dict[str, str]:
        """Return plain values for JSON."""
        now = {"now": self.draft.path} if self.draft else {}
        return {"path": self.path, "became": str(self.became), "note": self.note, **now}

    def lapsed(self, why: str) -> "Fate":
        """Return the fate of the same record when it turns out that it cannot stand."""
        return Fate(self.path, Became.LAPSED, f"no longer applies: {why}")


def fate_of(view: RecordView, path: str, data: bytes) -> Fate:
    """Return what becomes of a proposed record file in the state of now."""
    if view.blob(path) == data:
        return Fate(path, Became.STANDS, "nothing to do: it stands in the registry")
    stored = read_record(path, data).stored
    if stored is None:
        return Fate(path, Became.LAPSED, "this client cannot read it any more; make it anew")
    if _keeps_its_place(view, stored):
        return Fate(path, Became.KEPT, "goes on as it was signed", Draft(path, stored.record))
    if isinstance(stored.record, Result):
        return _result(view, stored)
    if isinstance(stored.record, Comparison):
        return _comparison(view, stored, stored.record)
    if isinstance(stored.record, Association):
        return _event(view, stored, stored.record)
    if isinstance(stored.record, Notice):
        return _notice(view, stored, stored.record)
    if isinstance(stored.record, Quarantine):
        return _quarantine(view, stored, stored.record)
    return _whole_state(view, stored) if stored.place.kind in WHOLE_STATES else _version(stored)


def _keeps_its_place(view: RecordView, stored: Stored) -> bool:
    if view.blob(stored.path) is not None:
        return False
    request = stored.record
    if isinstance(request, Association) and request.event == "request" and request.policy != _policy(view, request):
        return False
    place = (stored.place.number, getattr(stored.record, "previous", None))
    return stored.place.kind not in CHAINS or place == next_link(view, stored.place.folder)


def _version(stored: Stored) -> Fate:
    why = "this version was taken meanwhile by other bytes; submit it again, and it becomes the next version"
    return Fate(stored.path, Became.LAPSED, f"no longer applies: {why}")


def _result(view: RecordView, stored: Stored) -> Fate:
    links = chain(view, stored.place.folder)
    now = f"the result {short(links[-1].digest)} ({links[-1].path}) stands there now" if links else "its place is gone"
    again = "run `medperf-git review`, look at it, then `medperf-git result submit`"
    return Fate(stored.path, Became.LAPSED, f"given up: {now}, and a result is never numbered anew; {again}")


def _comparison(view: RecordView, stored: Stored, comparison: Comparison) -> Fate:
    links = chain(view, stored.place.folder)
    now = f"the comparison {links[-1].path} stands there now" if links else "its place is gone"
    again = f"run `medperf-git compare {comparison.benchmark.ref} --dataset {comparison.dataset.ref}`"
    return Fate(stored.path, Became.LAPSED, f"given up: {now}, and a comparison is never numbered anew; {again}")


def _event(view: RecordView, stored: Stored, event: Association) -> Fate:
    links, state = chain(view, stored.place.folder), _state_of(view, event)
    if _is_said(event, state):
        by = "".join(
            f", by {link.record.by} ({link.path})" for link in links[-1:] if isinstance(link.record, Association)
        )
        return Fate(stored.path, Became.STANDS, f"nothing to do: it is already {state.status}{by}")
    if event.event in ("approve", "reject"):
        return Fate(stored.path, Became.LAPSED, _overtaken(event, state, links))
    between = _between(links, event)
    asks = any(isinstance(link.record, Association) and link.record.event != "prioritise" for link in between)
    if event.event == "request" and event.policy != (policy := _policy(view, event)):
        fate = _numbered_anew(view, stored, replace(event, policy=policy), between, asks=True)
        return replace(fate, note=f"{fate.note}; {event.benchmark.ref} has another policy in force now, see its terms")
    return _numbered_anew(view, stored, event, between, asks=asks)


def _policy(view: RecordView, request: Association) -> Digest | None:
    """Return the policy in force in the benchmark of a request."""
    policies = chain(view, layout.policy_folder(request.benchmark.ref))
    return policies[-1].digest if policies else None


def _is_said(event: Association, state: AssociationState) -> bool:
    """Tell whether an association is already what the event would make it."""
    if event.event == "request":
        asked = state.status is Status.PENDING and state.initiator == event.side
        return asked or state.status is Status.APPROVED
    if event.event == "prioritise":
        return state.priority == event.priority
    return BECOMES[event.event] is state.status


def _overtaken(event: Association, state: AssociationState, links: tuple[Stored, ...]) -> str:
    latest = links[-1].record if links else None
    who = f"{latest.event} by {latest.by} at {latest.created}" if isinstance(latest, Association) else "nothing yet"
    return (
        f"your {event.event} of {event.subject.ref} in {event.benchmark.ref} no longer applies: "
        f"it is now {state.status} ({who}); if you still mean it, run `medperf-git {event.event} {event.subject.ref}` "
        "again"
    )


def _notice(view: RecordView, stored: Stored, notice: Notice) -> Fate:
    marks = marks_of(view, notice.record.path)
    said = {
        "withdraw": (marks.withdrawn, "it is withdrawn already"),
        "reinstate": (not marks.withdrawn, "it is not withdrawn any more"),
        "dispute": (marks.disputed, "it is disputed already"),
        "resolve": (not marks.disputed, "it is not disputed any more"),
    }
    stands, words = said[notice.event]
    if stands:
        return Fate(stored.path, Became.STANDS, f"nothing to do: {words}")
    between = _between(chain(view, stored.place.folder), notice)
    matter = next((pair for pair in _SAME_MATTER if notice.event in pair), frozenset())
    asks = any(isinstance(link.record, Notice) and link.record.event in matter for link in between)
    return _numbered_anew(view, stored, notice, between, asks=asks)


def _quarantine(view: RecordView, stored: Stored, record: Quarantine) -> Fate:
    links = chain(view, stored.place.folder)
    for link in links:
        said = link.record
        if isinstance(said, Quarantine) and said.commit == record.commit and {*record.paths} <= {*said.paths}:
            return Fate(stored.path, Became.STANDS, f"nothing to do: {link.path} sets it aside already")
    return _numbered_anew(view, stored, record, _between(links, record), asks=True)


def _numbered_anew(view: RecordView, stored: Stored, record: Event, between: list[Stored], *, asks: bool) -> Fate:
    number, previous = next_link(view, stored.place.folder)
    path = layout.numbered(stored.place.folder, number)
    told = [f"{_what(link.record)} ({link.path})" for link in between]
    meanwhile = f"; meanwhile: {'; '.join(told)}" if told else ""
    how = "numbered" if path != stored.path else "made"
    note = f"{how} anew and signed again: {path}{meanwhile}"
    return Fate(stored.path, Became.PLACED, note, Draft(path, replace(record, previous=previous)), asks=asks)


def _between(links: tuple[Stored, ...], record: Event) -> list[Stored]:
    """Return the links that were merged after the one this record continues."""
    known = [number for number, link in enumerate(links, start=1) if link.digest == record.previous]
    return list(links[known[0] if known else 0 :])


def _what(record: Record) -> str:
    if isinstance(record, Association | Notice):
        return f"{record.event} by {record.by} at {record.created}"
    return f"{record.commit[:12]} set aside" if isinstance(record, Quarantine) else str(record.KIND)


def _state_of(view: RecordView, event: Association) -> AssociationState:
    return association_state(view, event.benchmark.ref, event.subject.kind, event.subject.ref)


def _whole_state(view: RecordView, stored: Stored) -> Fate:
    links = chain(view, stored.place.folder)
    base = next((link for link in links if link.digest == getattr(stored.record, "previous", None)), None)
    if base is None:
        begun = f"somebody else began {stored.place.folder} meanwhile"
        gone = f"what it continues is not in {stored.place.folder}"
        why = begun if stored.place.number == 1 else gone
        return Fate(stored.path, Became.LAPSED, f"no longer applies: {why}; make it anew")
    now = links[-1]
    old, mine, theirs = (_leaves(value_of(link.record)) for link in (base, stored, now))
    changed, meanwhile = _changed(old, mine), _changed(old, theirs)
    wanted = {path for path in changed if mine.get(path) != theirs.get(path)}
    clash = sorted(wanted & meanwhile)
    if clash:
        fields = "; ".join(f"{_name(path)}: now {_shown(theirs, path)}, yours {_shown(mine, path)}" for path in clash)
        why = f"you and {now.path} both changed {fields}; make your change anew"
        return Fate(stored.path, Became.LAPSED, f"no longer applies: {why}")
    if not wanted:
        return Fate(stored.path, Became.STANDS, f"nothing to do: {now.path} says the same already")
    return _laid_over(view, stored, now, wanted=wanted, mine=mine, theirs=theirs, meanwhile=meanwhile)


def _laid_over(
    view: RecordView,
    stored: Stored,
    now: Stored,
    *,
    wanted: set[Path],
    mine: Mapping[Path, Value],
    theirs: Mapping[Path, Value],
    meanwhile: set[Path],
) -> Fate:
    number, previous = next_link(view, stored.place.folder)
    path = layout.numbered(stored.place.folder, number)
    leaves = {at: leaf for at, leaf in theirs.items() if at not in wanted}
    leaves |= {at: mine[at] for at in wanted if at in mine}
    frame = {key: inner for key, inner in value_of(stored.record).items() if key in _FRAME}
    record = record_from_value(stored.place.kind, {**frame, **_nested(leaves), "previous": str(previous)})
    if findings := read_record(path, write_record(record)).findings:
        said = "; ".join(f"{finding.message} ({finding.fix})" for finding in findings)
        return Fate(stored.path, Became.LAPSED, f"no longer applies: with {now.path} it has no valid form: {said}")
    yours = "; ".join(f"{_name(at)}: {_shown(theirs, at)} → {_shown(mine, at)}" for at in sorted(wanted))
    others = "; ".join(f"{_name(at)}: {_shown(theirs, at)}" for at in sorted(meanwhile)) or "nothing"
    note = f"numbered anew and signed again: {path}; your change: {yours}; kept from others: {others}"
    return Fate(stored.path, Became.PLACED, note, Draft(path, record), asks=True)


def _leaves(value: Mapping[str, Value]) -> dict[Path, Value]:
    """Return every value that is no mapping, by the names that lead to it; lists are one value."""
    return {path: leaf for path, leaf in _iter_leaves(value, ()) if path[0] not in _FRAME}


def _iter_leaves(value: Mapping[str, Value], above: Path) -> Iterator[tuple[Path, Value]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _iter_leaves(inner, (*above, key))
        else:
            yield (*above, key), inner


def _nested(leaves: Mapping[Path, Value]) -> dict[str, Value]:
    """Return leaves as the mappings they came from."""
    root: dict[str, Any] = {}
    for path, leaf in leaves.items():
        inner = root
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = leaf
    return root


def _changed(before: Mapping[Path, Value], after: Mapping[Path, Value]) -> set[Path]:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def _name(path: Path) -> str:
    return ".".join(path)


def _shown(leaves: Mapping[Path, Value], path: Path) -> str:
    text = _text(leaves[path]) if path in leaves else "nothing"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(value: Value) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(map(_text, value.values()))
    return str(value) if isinstance(value, str | int | Decimal) else repr(value)
