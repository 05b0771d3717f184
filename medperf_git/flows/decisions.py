"""Deciding: approve, reject, withdraw, reinstate, prioritise, dispute, resolve.

Decisions on an association are events of its chain; the others are notices about one record. Each function returns
what would be written; nothing is sent here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from medperf_git.errors import MedperfGitError, Refused, UsageProblem
from medperf_git.flows.associations import find_subject, is_committee, side_of
from medperf_git.flows.decision_facts import facts_of
from medperf_git.flows.naming import Found, at_ref, find, find_result
from medperf_git.flows.propose import Draft, next_link
from medperf_git.records import layout
from medperf_git.records.digests import Digest, short
from medperf_git.records.folds import Status, marks_of, policy_state, registry_state
from medperf_git.records.models import (
    About,
    Association,
    Benchmark,
    Comparison,
    Cube,
    Dataset,
    Notice,
    Result,
    Side,
    Subject,
)
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.record import Stored
from medperf_git.records.standings import Standing, answerers, list_standings, standing
from medperf_git.records.view import RecordView, next_number, stored_at

AssociationEvent = Literal["approve", "reject", "withdraw", "prioritise"]
NoticeEvent = Literal["withdraw", "reinstate", "dispute", "resolve"]
REASONS = (
    "error-found",
    "consent-withdrawn",
    "data-problem",
    "container-problem",
    "implausible",
    "duplicate",
    "key-compromised",
    "resolved",
    "other",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, ready to be written: a line for a person and the record.

    `signatures` is how many the record will bear once it is merged; `facts` is what a committee decides on.
    """

    about: str
    where: str
    was: str
    becomes: str
    draft: Draft
    signatures: int = 1
    facts: Mapping[str, str] = field(default_factory=dict)

    def as_value(self) -> dict[str, object]:
        """Return plain values for a listing."""
        return {
            "about": self.about,
            "benchmark": self.where,
            "was": self.was,
            "becomes": self.becomes,
            **self.facts,
            "path": self.draft.path,
        }


def decide(
    view: RecordView,
    event: AssociationEvent,
    texts: Sequence[str],
    *,
    member: str,
    created: str,
    benchmark: str | None = None,
    everything: bool = False,
    priority: int | None = None,
) -> list[Decision]:
    """Compose a decision on every named dataset or model, or on `everything` that waits for `member`.

    Raises `Refused` when a state forbids the decision and `UsageProblem` when a name means nothing.
    """
    chosen = find(view, Benchmark, benchmark, member=member).ref if benchmark else None
    targets = (
        waiting_for(view, member, chosen) if everything else [_target(view, event, t, chosen, member) for t in texts]
    )
    if not targets:
        raise Refused("nothing waits for your decision", hint="`medperf-git association ls` shows where things stand")
    return [
        _decision(view, event, target, member=member, created=created, priority=priority)
        for target in _distinct(targets)
    ]


def waiting_for(view: RecordView, member: str, benchmark: Ref | None = None) -> list[Standing]:
    """Return the pending requests on which `member` may decide."""
    return [one for one in list_standings(view, benchmark) if _may_answer(view, one, member)]


def next_place(view: RecordView, one: Standing) -> str:
    """Return where the next event of an association lies."""
    folder = layout.association_folder(one.benchmark, one.kind, one.subject)
    return layout.numbered(folder, next_number(view, folder))


def notices(
    view: RecordView,
    event: NoticeEvent,
    texts: Iterable[str],
    *,
    member: str,
    created: str,
    reason: str,
) -> list[Decision]:
    """Compose a notice about each named cube, dataset, benchmark (`member/name@1`) or result (12 digits).

    Raises `Refused` when the record already is what the notice would make it, or the member has no say.
    """
    if reason not in REASONS:
        raise UsageProblem(f"{reason!r} is no reason", hint="use one of: " + ", ".join(REASONS))
    found = {stored.path: stored for stored in (_any_record(view, text, member) for text in texts)}
    return [_notice(view, event, stored, member=member, created=created, reason=reason) for stored in found.values()]


def _distinct(targets: Iterable[Standing]) -> list[Standing]:
    return list({(t.benchmark, t.kind, t.subject): t for t in targets}.values())


def _may_answer(view: RecordView, one: Standing, member: str) -> bool:
    if one.state.status is not Status.PENDING or one.withdrawn:
        return False
    return member in answerers(one, policy_state(view, one.benchmark))


def _target(view: RecordView, event: AssociationEvent, text: str, benchmark: Ref | None, member: str) -> Standing:
    subject = find_subject(view, text, member=member)
    kind: Literal["dataset", "cube"] = "dataset" if isinstance(subject.record, Dataset) else "cube"
    if benchmark:
        return standing(view, benchmark, kind, subject.ref)
    wanted = (Status.PENDING,) if event == "approve" else (Status.PENDING, Status.APPROVED)
    open_ones = [
        one
        for one in list_standings(view)
        if (one.kind, one.subject) == (kind, subject.ref) and one.state.status in wanted
    ]
    if len(open_ones) != 1:
        where = ", ".join(str(one.benchmark) for one in open_ones) or "no benchmark"
        hint = "say which with --benchmark; `medperf-git association ls` shows where it stands"
        raise UsageProblem(f"{subject.ref} stands open in {where}", hint=hint)
    return open_ones[0]


def _decision(
    view: RecordView, event: AssociationEvent, target: Standing, *, member: str, created: str, priority: int | None
) -> Decision:
    side = _side(view, event, target, member)
    _refuse_impossible(event, target)
    folder = layout.association_folder(target.benchmark, target.kind, target.subject)
    number, previous = next_link(view, folder)
    becomes = {"approve": "approved", "reject": "rejected", "withdraw": "withdrawn"}.get(event, f"priority {priority}")
    record = Association(
        created=created,
        previous=previous,
        benchmark=at_ref(view, Benchmark, target.benchmark).reference,
        subject=Subject(target.kind, target.subject, _subject_digest(view, target)),
        event=event,
        by=MemberName(member),
        side=side,
        priority=priority if event == "prioritise" else None,
    )
    policy = policy_state(view, target.benchmark)
    return Decision(
        str(target.subject),
        str(target.benchmark),
        str(target.state.status),
        becomes,
        Draft(layout.numbered(folder, number), record),
        signatures=policy.thresholds.events if policy and side == "committee" else 1,
        facts=facts_of(view, target, policy),
    )


def _side(view: RecordView, event: AssociationEvent, target: Standing, member: str) -> Literal["owner", "committee"]:
    if event == "prioritise":
        if not is_committee(view, target.benchmark, member):
            hint = "ask a member of the committee"
            raise Refused(f"{member} is not on the committee of {target.benchmark}", hint=hint)
        return "committee"
    if event == "approve":
        other: Literal["owner", "committee"] = "committee" if target.state.initiator == "owner" else "owner"
        allowed = (
            is_committee(view, target.benchmark, member) if other == "committee" else target.subject.member == member
        )
        if not allowed and target.state.status is Status.PENDING:
            raise Refused(
                f"{member} may not approve {target.subject} in {target.benchmark}: the side that asked cannot approve",
                hint=f"{target.waits_for} can",
            )
        return other
    return side_of(view, target.benchmark, target.subject, member=member)


def _refuse_impossible(event: AssociationEvent, target: Standing) -> None:
    possible = {
        "approve": (Status.PENDING,),
        "reject": (Status.PENDING, Status.APPROVED),
        "withdraw": (Status.PENDING, Status.APPROVED),
        "prioritise": (Status.PENDING, Status.APPROVED),
    }[event]
    if target.state.status not in possible:
        raise Refused(
            f"cannot {event} {target.subject} in {target.benchmark}: it is {target.state.status}",
            hint="a new request is needed: medperf-git association request"
            if target.state.status in (Status.NONE, Status.REJECTED, Status.WITHDRAWN)
            else "nothing to do",
        )


def _subject_digest(view: RecordView, target: Standing) -> Digest:
    if target.kind == "dataset":
        return at_ref(view, Dataset, target.subject).stored.digest
    return at_ref(view, Cube, target.subject).stored.digest


def _any_record(view: RecordView, text: str, member: str) -> Stored:
    if layout.place_of(text) is not None and (stored := stored_at(view, text)) is not None:
        return stored
    if "/" not in text and all(c in "0123456789abcdef" for c in text):
        return find_result(view, text)
    problems: list[MedperfGitError] = []
    found: list[Found[Cube] | Found[Dataset] | Found[Benchmark]] = []
    for search in (_as_cube, _as_dataset, _as_benchmark):
        try:
            found.append(search(view, text, member))
        except UsageProblem as error:
            problems.append(error)
    if len(found) > 1:
        paths = ", ".join(one.stored.path for one in found)
        raise UsageProblem(f"{text!r} names several records", hint=f"write the path of one: {paths}")
    if not found:
        raise problems[0]
    return found[0].stored


def _as_cube(view: RecordView, text: str, member: str) -> Found[Cube]:
    return find(view, Cube, text, member=member)


def _as_dataset(view: RecordView, text: str, member: str) -> Found[Dataset]:
    return find(view, Dataset, text, member=member)


def _as_benchmark(view: RecordView, text: str, member: str) -> Found[Benchmark]:
    return find(view, Benchmark, text, member=member)


def _notice(
    view: RecordView, event: NoticeEvent, stored: Stored, *, member: str, created: str, reason: str
) -> Decision:
    marks = marks_of(view, stored.path)
    stands = {
        "withdraw": marks.withdrawn,
        "reinstate": not marks.withdrawn,
        "dispute": marks.disputed,
        "resolve": not marks.disputed,
    }[event]
    was = ", ".join(w for w, on in (("withdrawn", marks.withdrawn), ("disputed", marks.disputed)) if on) or "valid"
    name = _name_of(stored)
    if stands:
        raise Refused(f"cannot {event} {name}: it is {was}", hint="nothing to do")
    folder = layout.notice_folder(stored.path)
    number, previous = next_link(view, folder)
    record = Notice(
        created=created,
        previous=previous,
        record=About(stored.path, stored.digest),
        event=event,
        by=MemberName(member),
        side=_notice_side(view, event, stored, member),
        reason=reason,
    )
    becomes = {"withdraw": "withdrawn", "reinstate": "valid again", "dispute": "disputed", "resolve": "resolved"}[event]
    benchmark = stored.record.benchmark.ref if isinstance(stored.record, Result | Comparison) else ""
    draft = Draft(layout.numbered(folder, number), record)
    return Decision(name, str(benchmark), was, becomes, draft, signatures=_office_size(view, stored, record.side))


def _office_size(view: RecordView, stored: Stored, side: Side) -> int:
    """Return how many must sign a notice by this side; one for an owner, whoever it is."""
    if side == "maintainers":
        registry = registry_state(view)
        return registry.threshold if registry else 1
    policies = [policy for ref in _benchmarks_of(view, stored) if (policy := policy_state(view, ref))]
    return max((max(policy.thresholds.events, policy.thresholds.change) for policy in policies), default=1)


def _notice_side(view: RecordView, event: NoticeEvent, stored: Stored, member: str) -> Side:
    if event in ("dispute", "resolve"):
        if not any(is_committee(view, ref, member) for ref in _benchmarks_of(view, stored)):
            raise Refused(f"only the committee may {event} {_name_of(stored)}", hint="ask a member of the committee")
        return "committee"
    if _is_owner(view, stored, member):
        return "owner"
    registry = registry_state(view)
    if registry and member in registry.maintainers:
        return "maintainers"
    hint = "its owner can, or the maintainers of the registry"
    raise Refused(f"{member} does not own {_name_of(stored)}", hint=hint)


def _is_owner(view: RecordView, stored: Stored, member: str) -> bool:
    record = stored.record
    if isinstance(record, Result | Comparison):
        return record.dataset.ref.member == member
    if isinstance(record, Benchmark):
        return is_committee(view, record.ref, member)
    return isinstance(record, Cube | Dataset) and record.member == member


def _benchmarks_of(view: RecordView, stored: Stored) -> list[Ref]:
    record = stored.record
    if isinstance(record, Result | Comparison):
        return [record.benchmark.ref]
    if isinstance(record, Benchmark):
        return [record.ref]
    if isinstance(record, Cube | Dataset):
        return [one.benchmark for one in list_standings(view) if one.subject == record.ref]
    return []


def _name_of(stored: Stored) -> str:
    record = stored.record
    if isinstance(record, Cube | Dataset | Benchmark):
        return str(record.ref)
    return f"result {short(stored.digest)}" if isinstance(record, Result) else stored.path
