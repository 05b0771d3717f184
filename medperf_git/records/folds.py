"""State is a fold over records: the latest link of a chain, who is associated, what is withdrawn or disputed."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from medperf_git.records import layout
from medperf_git.records.digests import Digest
from medperf_git.records.layout import Kind
from medperf_git.records.models import (
    Association,
    AutoApproval,
    Benchmark,
    Comparison,
    KeyEntry,
    Member,
    Notice,
    Policy,
    Registry,
    Result,
    Side,
)
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import R, RecordView, bundles_of, chain, record_at, stored_at, versions_of

_OF_A_SITE = frozenset({Kind.RESULT, Kind.COMPARISON})  # what the owner of a dataset says of it


class Status(StrEnum):
    """Where an association stands; `NONE` is before the first event."""

    NONE = "none"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class AssociationState:
    """The fold of one association's events."""

    status: Status = Status.NONE
    initiator: Literal["owner", "committee"] | None = None
    subject: Digest | None = None
    priority: int = 0
    automatic: bool = False
    events: int = 0
    last: Digest | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """What notices say of a record; `suspect`: it rests on a key that was in wrong hands, and so is disputed too."""

    withdrawn: bool = False
    disputed: bool = False
    withdrawn_by: Side | None = None
    suspect: bool = False
    events: int = 0
    last: Digest | None = None


def registry_state(view: RecordView) -> Registry | None:
    """Return the latest registry record."""
    return _latest(view, "registry", Registry)


def member_state(view: RecordView, name: str) -> Member | None:
    """Return the latest record of a member."""
    return _latest(view, layout.member_folder(name), Member)


def policy_state(view: RecordView, benchmark: Ref) -> Policy | None:
    """Return the policy in force."""
    return _latest(view, layout.policy_folder(benchmark), Policy)


def _latest(view: RecordView, folder: str, model: type[R]) -> R | None:
    links = chain(view, folder)
    return links[-1].record if links and isinstance(links[-1].record, model) else None


def association_state(view: RecordView, benchmark: Ref, kind: str, subject: Ref) -> AssociationState:
    """Fold the events of a `dataset` or `cube` in a benchmark.

    Auto-approval follows from the policy that the request names, so a later policy touches no pending request.
    """
    state = AssociationState()
    for link in chain(view, layout.association_folder(benchmark, kind, subject)):
        state = next_association_state(view, state, link)
    return state


def next_association_state(view: RecordView, state: AssociationState, link: Stored) -> AssociationState:
    """Return the state after one more event."""
    event = link.record
    if not isinstance(event, Association):
        return state
    status, initiator, priority, automatic = state.status, state.initiator, state.priority, state.automatic
    match event.event:
        case "request":
            automatic = is_auto_approved(view, event)
            status, initiator = (Status.APPROVED if automatic else Status.PENDING), event.side
        case "approve":
            status = Status.APPROVED
        case "reject":
            status = Status.REJECTED
        case "withdraw":
            status = Status.WITHDRAWN
        case "prioritise":
            priority = event.priority or 0
    return AssociationState(status, initiator, event.subject.digest, priority, automatic, state.events + 1, link.digest)


def is_auto_approved(view: RecordView, request: Association) -> bool:
    """Tell whether a request is approved at once, in the order same owner, committee-initiated, always, list."""
    if request.side == "committee":
        return False
    benchmark = request.benchmark.ref
    if request.subject.ref.member == benchmark.member:
        return True
    policies = chain(view, layout.policy_folder(benchmark))
    named = next((link.record for link in policies if link.digest == request.policy), None)
    if not isinstance(named, Policy):
        return False
    own = named.auto_approve.datasets if request.subject.kind == "dataset" else named.auto_approve.models
    return _allows(own, request.subject.ref.member)


def _allows(rule: AutoApproval, member: str) -> bool:
    match rule.mode:
        case "always":
            return True
        case "list":
            return member in (rule.members or ())
        case "never":
            return False


def marks_of(view: RecordView, record_path: str) -> Marks:
    """Fold the notices about a record."""
    withdrawn_by: Side | None = None
    disputed = False
    links = chain(view, layout.notice_folder(record_path))
    for link in links:
        match link.record:
            case Notice(event="withdraw", side=side):
                withdrawn_by = side
            case Notice(event="reinstate"):
                withdrawn_by = None
            case Notice(event="dispute"):
                disputed = True
            case Notice(event="resolve"):
                disputed = False
    suspect = is_suspect(view, record_path)
    return Marks(
        withdrawn=withdrawn_by is not None,
        disputed=disputed or suspect,
        withdrawn_by=withdrawn_by,
        suspect=suspect,
        events=len(links),
        last=links[-1].digest if links else None,
    )


def is_suspect(view: RecordView, record_path: str) -> bool:
    """Tell whether a result or comparison rests on a key its owner revoked, and was not there at the revocation's step.

    It does not when enough of the owner's other keys signed it too.
    """
    parts = record_path.split("/")
    place = layout.place_of(record_path)
    owner = Ref.from_folder(parts[4]).member if place is not None and place.kind in _OF_A_SITE else ""
    state = member_state(view, owner) if owner else None
    if state is None or not state.revoked:
        return False
    signed = {layout.split_bundle(bundle)[1] for bundle in bundles_of(view, record_path)}  # type: ignore[index]  # they are bundles
    data = view.blob(record_path)
    bad = {
        key_short(entry.key) for entry in state.revoked if not _stood(view.earlier(entry.since), record_path, data)
    } & signed
    own = {key_short(key.key) for link in chain(view, layout.member_folder(owner)) for key in _keys_of(link)}
    wanted = state.cosigning.result if state.cosigning else 1
    return bool(bad) and len((signed & own) - bad) < wanted


def _stood(view: RecordView | None, path: str, data: bytes | None) -> bool:
    return view is not None and data is not None and view.blob(path) == data


def _keys_of(link: Stored) -> tuple[KeyEntry, ...]:
    return link.record.keys.signing if isinstance(link.record, Member) else ()


def key_short(line: str) -> str:
    """Return by which 16 hexadecimal digits the bundles of a signing key, as records write it, are named."""
    return hashlib.sha256(base64.b64decode(line.partition(" ")[2])[-32:]).hexdigest()[:16]


def result_chain(view: RecordView, benchmark: Ref, dataset: Ref, model: Ref) -> tuple[Stored, ...]:
    """Return the results of a model on a dataset, oldest first; the last one is live, the others superseded."""
    return chain(view, layout.result_folder(benchmark, dataset, model))


def live_result(view: RecordView, benchmark: Ref, dataset: Ref, model: Ref) -> Stored | None:
    """Return the newest result of a model on a dataset; None when it is withdrawn: what it superseded stays so."""
    return live_of(view, result_chain(view, benchmark, dataset, model))


def live_of(view: RecordView, results: Iterable[Stored]) -> Stored | None:
    """Return the live one of a chain of results, as `live_result` does."""
    links = [link for link in results if isinstance(link.record, Result)]
    return links[-1] if links and not marks_of(view, links[-1].path).withdrawn else None


def comparison_chain(view: RecordView, benchmark: Ref, dataset: Ref, metric: str) -> tuple[Stored, ...]:
    """Return the comparisons of the models on a dataset by a metric, oldest first; the last one is live."""
    return chain(view, layout.comparison_folder(benchmark, dataset, metric))


def live_comparison(view: RecordView, benchmark: Ref, dataset: Ref, metric: str) -> Stored | None:
    """Return the newest comparison by a metric; None when it is withdrawn: what it superseded stays so."""
    links = [one for one in comparison_chain(view, benchmark, dataset, metric) if isinstance(one.record, Comparison)]
    return links[-1] if links and not marks_of(view, links[-1].path).withdrawn else None


def replaced_in(view: RecordView, comparison: Comparison) -> tuple[Ref, ...]:
    """Return the models of a comparison whose result is not the live one any more."""
    benchmark, dataset = comparison.benchmark.ref, comparison.dataset.ref
    lives = ((one, live_result(view, benchmark, dataset, one.ref)) for one in comparison.models)
    return tuple(one.ref for one, live in lives if live is None or live.digest != one.result)


def is_associated_model(view: RecordView, benchmark: Ref, model: Ref) -> bool:
    """Tell whether a model may run: approved, or the benchmark's own reference model."""
    record = record_at(view, layout.benchmark_path(benchmark), Benchmark)
    if record is not None and record.reference_model.ref == model:
        return True
    return association_state(view, benchmark, "cube", model).status is Status.APPROVED


def newest_version(view: RecordView, folder: str, member: str, name: str) -> Ref | None:
    """Return the newest version that is not withdrawn of a thing below `cubes`, `datasets` or `benchmarks`."""
    for ref in reversed(versions_of(view, folder, member=member, name=name)):
        path = versioned_path(folder, ref)
        if view.blob(path) is not None and not marks_of(view, path).withdrawn:
            return ref
    return None


def versioned_path(folder: str, ref: Ref) -> str:
    """Return the record path of one version below `cubes`, `datasets` or `benchmarks`."""
    return layout.benchmark_path(ref) if folder == "benchmarks" else f"{folder}/{ref.path}.yaml"


def members(view: RecordView) -> tuple[str, ...]:
    """Return the names of all members."""
    return tuple(name[:-1] for name in view.names("members") if name.endswith("/"))


def reference_to(view: RecordView, path: str) -> Digest | None:
    """Return the digest of the record at `path`, when it can be read."""
    stored = stored_at(view, path)
    return stored.digest if stored else None
