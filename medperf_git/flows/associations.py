"""Asking that a dataset or a model takes part in a benchmark.

A request is made by the subject's owner, or by the committee (an invitation). It names the policy in force, from
which automatic approval follows; a request that already stands is not made twice.
"""

from typing import Literal

from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.naming import Found, find
from medperf_git.flows.propose import Draft, next_link
from medperf_git.records import layout
from medperf_git.records.folds import Status, association_state, is_auto_approved, policy_state
from medperf_git.records.models import Association, Benchmark, Cube, Dataset, Subject
from medperf_git.records.names import MemberName, Ref
from medperf_git.records.standings import SubjectKind, list_standings
from medperf_git.records.view import RecordView, chain


def side_of(view: RecordView, benchmark: Ref, subject: Ref, *, member: str) -> Literal["owner", "committee"]:
    """Return on which side a member stands towards a subject; the owner's comes first. `UsageProblem` when on none."""
    if subject.member == member:
        return "owner"
    if is_committee(view, benchmark, member):
        return "committee"
    hint = f"the owner ({subject.member}) or a member of the committee can"
    raise UsageProblem(f"{member} neither owns {subject} nor sits on the committee of {benchmark}", hint=hint)


def is_committee(view: RecordView, benchmark: Ref, member: str) -> bool:
    """Tell whether a member sits on the committee of a benchmark."""
    policy = policy_state(view, benchmark)
    return policy is not None and member in policy.committee


def build_request(
    view: RecordView, benchmark: Found[Benchmark], subject: Found[Dataset] | Found[Cube], *, member: str, created: str
) -> Draft:
    """Compose the request that a dataset or model joins a benchmark.

    The subject may be one that travels in the same proposal. Raises `Refused` when the request already stands.
    """
    kind: SubjectKind = "dataset" if isinstance(subject.record, Dataset) else "cube"
    state = association_state(view, benchmark.ref, kind, subject.ref)
    if state.status in (Status.PENDING, Status.APPROVED):
        raise Refused(
            f"{subject.ref} in {benchmark.ref} is already {state.status}",
            hint="nothing to do; `medperf-git association ls` shows where it stands",
        )
    if subject.ref == benchmark.record.reference_model.ref:
        raise Refused(f"{subject.ref} is the reference model of {benchmark.ref}", hint="nothing to do: it always runs")
    folder = layout.association_folder(benchmark.ref, kind, subject.ref)
    number, previous = next_link(view, folder)
    policies = chain(view, layout.policy_folder(benchmark.ref))
    record = Association(
        created=created,
        previous=previous,
        benchmark=benchmark.reference,
        subject=Subject(kind, subject.ref, subject.stored.digest),
        event="request",
        by=MemberName(member),
        side=side_of(view, benchmark.ref, subject.ref, member=member),
        policy=policies[-1].digest if policies else None,
    )
    return Draft(layout.numbered(folder, number), record)


def say_after_request(view: RecordView, draft: Draft) -> str:
    """Say who is waited for once a request is merged."""
    record = draft.record
    if not isinstance(record, Association):
        return ""
    if is_auto_approved(view, record):
        return f"{record.subject.ref} is approved automatically in {record.benchmark.ref} once this is merged"
    if record.side == "committee":
        return f"{record.subject.ref.member} is asked to say yes: medperf-git approve {record.subject.ref}"
    policy = policy_state(view, record.benchmark.ref)
    names = ", ".join(policy.committee) if policy else "the committee"
    return f"{names} decide: medperf-git approve {record.subject.ref} --benchmark {record.benchmark.ref}"


def find_subject(view: RecordView, text: str, *, member: str | None) -> Found[Dataset] | Found[Cube]:
    """Return the dataset or cube that `text` names; `UsageProblem` when neither or both exist."""
    found: list[Found[Dataset] | Found[Cube]] = []
    problems: list[UsageProblem] = []
    for search in (_as_dataset, _as_cube):
        try:
            found.append(search(view, text, member))
        except UsageProblem as error:
            problems.append(error)
    if len(found) > 1:
        paths = ", ".join(one.stored.path for one in found)
        raise UsageProblem(f"{text!r} is the name of a dataset and of a cube: {paths}", hint="give one another name")
    if not found:
        message = f"no dataset and no cube here is called {text!r}"
        raise UsageProblem(message, hint=problems[-1].hint)
    return found[0]


def _as_dataset(view: RecordView, text: str, member: str | None) -> Found[Dataset] | Found[Cube]:
    return find(view, Dataset, text, member=member)


def _as_cube(view: RecordView, text: str, member: str | None) -> Found[Dataset] | Found[Cube]:
    return find(view, Cube, text, member=member)


def association_events(view: RecordView, subject: Ref, benchmark: Ref | None = None) -> list[dict[str, object]]:
    """Return every event of a dataset or model, benchmark by benchmark, oldest first."""
    rows: list[dict[str, object]] = []
    for one in list_standings(view, benchmark):
        if one.subject != subject:
            continue
        links = chain(view, layout.association_folder(one.benchmark, one.kind, subject))
        rows.extend(_event_row(link.record, link.path) for link in links if isinstance(link.record, Association))
    return rows


def _event_row(event: Association, path: str) -> dict[str, object]:
    return {
        "benchmark": str(event.benchmark.ref),
        "event": event.event,
        "by": event.by,
        "side": event.side,
        "priority": "" if event.priority is None else event.priority,
        "created": event.created,
        "path": path,
    }
