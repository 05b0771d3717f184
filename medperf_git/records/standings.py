"""Where datasets and models stand in a benchmark, as the fold of their events."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from medperf_git.records import layout
from medperf_git.records.folds import AssociationState, Status, association_state, marks_of, versioned_path
from medperf_git.records.models import Association, Benchmark, Policy
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, chain, folders, iter_versions, record_at

SubjectKind = Literal["dataset", "cube"]
KINDS: tuple[SubjectKind, ...] = ("dataset", "cube")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a dataset or model stands in a benchmark."""

    benchmark: Ref
    kind: SubjectKind
    subject: Ref
    state: AssociationState
    withdrawn: bool

    @property
    def waits_for(self) -> str:
        """Who must act next, in words; empty when nobody must."""
        if self.state.status is not Status.PENDING:
            return ""
        return "the committee" if self.state.initiator == "owner" else self.subject.member

    def as_value(self) -> dict[str, object]:
        """Return plain values for a listing."""
        return {
            "benchmark": str(self.benchmark),
            "kind": self.kind,
            "subject": str(self.subject),
            "status": str(self.state.status),
            "asked_by": self.state.initiator or "",
            "automatic": self.state.automatic,
            "priority": self.state.priority,
            "withdrawn": self.withdrawn,
            "waits_for": self.waits_for,
        }


def standing(view: RecordView, benchmark: Ref, kind: SubjectKind, subject: Ref) -> Standing:
    """Return where one dataset or model stands in a benchmark."""
    state = association_state(view, benchmark, kind, subject)
    return Standing(benchmark, kind, subject, state, marks_of(view, versioned_path(f"{kind}s", subject)).withdrawn)


def list_standings(view: RecordView, benchmark: Ref | None = None) -> list[Standing]:
    """Return where every dataset and model stands, in one benchmark or in all, pending ones first."""
    benchmarks = [benchmark] if benchmark else list(_readable(view))
    found = [
        standing(view, one, kind, subject)
        for one in benchmarks
        for kind in KINDS
        for subject in iter_associated(view, one, kind)
    ]
    return sorted(found, key=lambda one: (one.state.status is not Status.PENDING, one.benchmark, one.kind, one.subject))


def iter_associated(view: RecordView, benchmark: Ref, kind: str) -> Iterator[Ref]:
    """Yield every dataset or cube that ever had an event in a benchmark; a stray folder is `check`'s to report."""
    for name in folders(view, f"associations/{benchmark.path}/{kind}s"):
        with suppress(ValueError):
            yield Ref.from_folder(name)


def events_of(view: RecordView, one: Standing) -> tuple[Association, ...]:
    """Return the events of a dataset or model in a benchmark, oldest first."""
    links = chain(view, layout.association_folder(one.benchmark, one.kind, one.subject))
    return tuple(link.record for link in links if isinstance(link.record, Association))


def request_of(view: RecordView, one: Standing) -> Association | None:
    """Return the newest request, which is the one that stands or was answered."""
    requests = [event for event in events_of(view, one) if event.event == "request"]
    return requests[-1] if requests else None


def answerers(one: Standing, policy: Policy | None) -> tuple[str, ...]:
    """Return the members of whom one can answer a request.

    What a member of the committee owns is for another member, as long as there is one.
    """
    owner = one.subject.member
    if one.state.initiator != "owner":
        return (owner,)
    committee = tuple(policy.committee) if policy else ()
    return tuple(name for name in committee if name != owner) or committee


def _readable(view: RecordView) -> Iterator[Ref]:
    for ref in iter_versions(view, "benchmarks"):
        if record_at(view, layout.benchmark_path(ref), Benchmark) is not None:
            yield ref
