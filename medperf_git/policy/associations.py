"""Rules about associations: who may say what, when."""

from collections.abc import Iterator

from medperf_git.policy.case import Case
from medperf_git.records import layout, models
from medperf_git.records.findings import Finding
from medperf_git.records.folds import AssociationState, Status, association_state, policy_state
from medperf_git.records.view import chain, record_at

# Status → events that may follow; a new request only after a rejection or a withdrawal.
FOLLOWS: dict[Status, frozenset[str]] = {
    Status.NONE: frozenset({"request"}),
    Status.PENDING: frozenset({"approve", "reject", "withdraw", "prioritise"}),
    Status.APPROVED: frozenset({"reject", "withdraw", "prioritise"}),
    Status.REJECTED: frozenset({"request"}),
    Status.WITHDRAWN: frozenset({"request"}),
}
STANDS: dict[Status, str] = {
    Status.NONE: "was never proposed to",
    Status.PENDING: "still waits for a decision in",
    Status.APPROVED: "is approved in",
    Status.REJECTED: "was rejected in",
    Status.WITHDRAWN: "was withdrawn from",
}


def _state(case: Case, event: models.Association) -> AssociationState:
    return association_state(case.change.before, event.benchmark.ref, event.subject.kind, event.subject.ref)


def check_transitions(case: Case) -> Iterator[Finding]:
    """Refuse events that do not follow from where the association stands."""
    for stored, event in case.of(models.Association):
        status = _state(case, event).status
        if event.event not in FOLLOWS[status]:
            yield Finding(
                "association-state",
                f"{event.event} cannot follow: {event.subject.ref} {STANDS[status]} {event.benchmark.ref}",
                path=stored.path,
                pointer="/event",
                expected=", ".join(sorted(FOLLOWS[status])),
                got=event.event,
                fix="see `medperf-git association show` for what holds now",
            )


def check_sides(case: Case) -> Iterator[Finding]:
    """Refuse an approval by the side that asked, a priority by the owner, and speakers who are not on their side."""
    for stored, event in case.of(models.Association):
        initiator = _state(case, event).initiator
        if event.event == "approve" and event.side == initiator:
            message, fix = f"the {initiator} asked, so the other side approves", "wait for the other side"
            yield Finding("association-side", message, path=stored.path, pointer="/side", got=event.side, fix=fix)
        if event.event == "prioritise" and event.side != "committee":
            message, fix = "priority is the committee's", "ask a committee member"
            yield Finding("association-side", message, path=stored.path, pointer="/side", got=event.side, fix=fix)
        policy = policy_state(case.change.before, event.benchmark.ref)
        committee = policy.committee if policy else ()
        allowed = (event.subject.ref.member,) if event.side == "owner" else committee
        if event.by not in allowed:
            message, fix = f"{event.by} does not speak for the {event.side}", "let one of them submit it"
            want = ", ".join(allowed) or "nobody: the benchmark is not merged"
            yield Finding(
                "association-side", message, path=stored.path, pointer="/by", expected=want, got=event.by, fix=fix
            )


def check_requests(case: Case) -> Iterator[Finding]:
    """Refuse a request under another policy than the one in force, or of a dataset prepared for something else."""
    for stored, event in case.of(models.Association):
        if event.event != "request":
            continue
        policies = chain(case.change.before, layout.policy_folder(event.benchmark.ref))
        if not policies or event.policy != policies[-1].digest:
            yield Finding(
                "association-request",
                "the request names another policy than the one in force",
                path=stored.path,
                pointer="/policy",
                expected=policies[-1].digest if policies else "a merged benchmark",
                got=event.policy or "",
                fix="run `medperf-git sync`, then make the request anew",
            )
        benchmark = record_at(case.change.before, layout.benchmark_path(event.benchmark.ref), models.Benchmark)
        dataset = record_at(case.change.after, layout.dataset_path(event.subject.ref), models.Dataset)
        prepared = dataset.preparator if dataset and event.subject.kind == "dataset" else None
        if benchmark and prepared and prepared != benchmark.data_preparator:
            yield Finding(
                "association-request",
                "the dataset was not prepared with this benchmark's data preparator",
                path=stored.path,
                pointer="/subject",
                expected=str(benchmark.data_preparator.ref),
                got=str(prepared.ref),
                fix="prepare the data with the benchmark's preparator",
            )


def check_subject_unchanged(case: Case) -> Iterator[Finding]:
    """Refuse an event about other bytes than those the request was about: approving means the same bytes."""
    for stored, event in case.of(models.Association):
        asked = _state(case, event).subject
        if event.event != "request" and asked is not None and event.subject.digest != asked:
            message, fix = "this is not what was asked about", "make the event anew"
            pointer, got = "/subject/digest", event.subject.digest
            yield Finding(
                "association-subject", message, path=stored.path, pointer=pointer, expected=asked, got=got, fix=fix
            )
