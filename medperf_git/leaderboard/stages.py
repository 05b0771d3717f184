"""Who is at which stage of a benchmark, and who must act next: a fold over records, no clock.

Rules kept here: the terminal, the CSV and the page of a site show this one computation; a site's sign of life is the
newest of its own records in the benchmark (a request, an answer, a result), as it dated itself, and never later than
the moment that is asked about.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from medperf_git.records import layout
from medperf_git.records.folds import AssociationState, Status, live_of, member_state, policy_state, result_chain
from medperf_git.records.models import Association, Cube, Dataset, Member, Policy, Result
from medperf_git.records.names import Ref
from medperf_git.records.standings import Standing, SubjectKind, answerers, events_of, list_standings
from medperf_git.records.times import format_time, parse_time
from medperf_git.records.view import RecordView, iter_results, record_at

DONE = "done"
REFERENCE = "reference model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One dataset or model in a benchmark: how far it is, and what happens next.

    Times are as records write them, empty for what did not happen. `asked_by` is the side that asked; `results` and
    `failed` are of `expected`: the models of the benchmark for a site, its approved sites for a model. `waits_for`
    are the members of whom one must act, by `command`; `note` says why nobody must.
    """

    kind: SubjectKind
    subject: Ref
    owner_title: str
    title: str
    status: str
    joined: str = ""
    registered: str = ""
    asked: str = ""
    asked_by: str = ""
    approved: str = ""
    automatic: bool = False
    results: int = 0
    failed: int = 0
    expected: int = 0
    last: str = ""
    waits_for: tuple[str, ...] = ()
    command: str = ""
    note: str = ""

    @property
    def next_step(self) -> str:
        """Who must act next and how, in one line; else why nobody must, or nothing."""
        return f"{' or '.join(self.waits_for)}: {self.command}" if self.waits_for else self.note


class Lives(Protocol):
    """Which live results a benchmark has, and when each dataset last had one, live or not."""

    def newest(self, dataset: Ref) -> str:
        """Return when the newest result on a dataset was written, empty when there is none."""
        ...

    def count(self, datasets: Iterable[Ref], models: Iterable[Ref]) -> tuple[int, int]:
        """Return how many of these pairs have a result with values, and how many a failed one."""
        ...


@dataclass(frozen=True, slots=True)
class _Lives:
    """`Lives` as the records themselves tell them."""

    failed: Mapping[tuple[Ref, Ref], bool]
    last: Mapping[Ref, str]

    @classmethod
    def of(cls, view: RecordView, benchmark: Ref) -> "_Lives":
        failed: dict[tuple[Ref, Ref], bool] = {}
        last: dict[Ref, str] = {}
        for dataset, model in iter_results(view, benchmark):
            links = result_chain(view, benchmark, dataset, model)
            last[dataset] = max([last.get(dataset, ""), *(link.record.created for link in links)])
            stored = live_of(view, links)
            if stored is not None and isinstance(stored.record, Result):
                failed[dataset, model] = stored.record.outcome == "failed"
        return cls(failed, last)

    def newest(self, dataset: Ref) -> str:
        return self.last.get(dataset, "")

    def count(self, datasets: Iterable[Ref], models: Iterable[Ref]) -> tuple[int, int]:
        there = list(models)
        found = [self.failed[d, m] for d in datasets for m in there if (d, m) in self.failed]
        return len(found) - sum(found), sum(found)


def models_of(view: RecordView, benchmark: Ref, *, reference: Ref) -> list[Ref]:
    """Return the models that may run: the reference model, then the approved ones by priority and name."""
    return _models(reference, list_standings(view, benchmark))


def read_stages(
    view: RecordView, benchmark: Ref, *, reference: Ref, as_of: datetime, lives: Lives | None = None
) -> tuple[Stage, ...]:
    """Return every site, then every model of a benchmark, as things stand at a moment.

    Results are read from the records, unless somebody who has read them gives `lives`.
    """
    standings = list_standings(view, benchmark)
    models = _models(reference, standings)
    lives, policy = lives or _Lives.of(view, benchmark), policy_state(view, benchmark)
    sites = [one for one in standings if one.kind == "dataset"]
    open_sites = [one.subject for one in sites if one.state.status is Status.APPROVED and not one.withdrawn]
    always = Standing(benchmark, "cube", reference, AssociationState(Status.APPROVED), withdrawn=False)
    others = [one for one in standings if one.kind == "cube" and one.subject != reference]
    return (
        *(_site(view, one, models, lives, policy=policy, as_of=as_of) for one in sites),
        *(_model(view, one, open_sites, lives, policy=policy, as_of=as_of) for one in (always, *others)),
    )


def days_since(moment: str, as_of: datetime) -> int | None:
    """Return the whole days from a time of a record to a moment; None where there is no time."""
    return max(0, (as_of - parse_time(moment)).days) if moment else None


def _models(reference: Ref, standings: Iterable[Standing]) -> list[Ref]:
    approved = [
        one
        for one in standings
        if one.kind == "cube" and one.state.status is Status.APPROVED and not one.withdrawn and one.subject != reference
    ]
    ordered = sorted(approved, key=lambda one: (-one.state.priority, one.subject))
    return [reference, *(one.subject for one in ordered)]


def _site(
    view: RecordView, one: Standing, models: list[Ref], lives: Lives, *, policy: Policy | None, as_of: datetime
) -> Stage:
    dataset = record_at(view, layout.dataset_path(one.subject), Dataset)
    results, failed = lives.count([one.subject], models)
    missing = len(models) - results - failed
    status, who, command, note = _answer(one, policy)
    if status == Status.APPROVED:
        status = DONE if not missing else "running" if results or failed else status
        note = _closed(policy, as_of) if missing else ""
        if missing and not note:
            who, command = (one.subject.member,), f"medperf-git run {one.benchmark} --dataset {one.subject}"
    return Stage(
        **_common(view, one, dataset, newest=lives.newest(one.subject), as_of=as_of),
        status=status,
        results=results,
        failed=failed,
        expected=len(models),
        waits_for=who,
        command=command,
        note=note,
    )


def _model(
    view: RecordView, one: Standing, sites: list[Ref], lives: Lives, *, policy: Policy | None, as_of: datetime
) -> Stage:
    cube = record_at(view, layout.cube_path(one.subject), Cube)
    results, failed = lives.count(sites, [one.subject])
    status, who, command, note = _answer(one, policy)
    return Stage(
        **_common(view, one, cube, newest="", as_of=as_of),
        status=status if one.state.events else REFERENCE,
        results=results,
        failed=failed,
        expected=len(sites),
        waits_for=who,
        command=command,
        note=note,
    )


def _common(
    view: RecordView, one: Standing, record: Dataset | Cube | None, *, newest: str, as_of: datetime
) -> dict[str, Any]:
    """Return what a row says of any subject: whose it is, and when it came how far."""
    owner = one.subject.member
    first, now = record_at(view, layout.member_path(owner, 1), Member), member_state(view, owner)
    events = events_of(view, one)
    asked = next((event for event in reversed(events) if event.event == "request"), None)
    last = max([newest, *(event.created for event in events if event.by == owner)])
    return {
        "kind": one.kind,
        "subject": one.subject,
        "owner_title": now.title if now else owner,
        "title": record.title if record else str(one.subject),
        "joined": first.created if first else "",
        "registered": record.created if record else "",
        "asked": asked.created if asked else "",
        "asked_by": asked.side if asked else "",
        "approved": _approved(one, events),
        "automatic": one.state.automatic and one.state.status is Status.APPROVED,
        "last": min(last, format_time(as_of)),
    }


def _approved(one: Standing, events: tuple[Association, ...]) -> str:
    if one.state.status is not Status.APPROVED:
        return ""
    yes = [event.created for event in events if event.event in ("request", "approve")]
    return yes[-1] if yes else ""


def _answer(one: Standing, policy: Policy | None) -> tuple[str, tuple[str, ...], str, str]:
    """Return the state of an association, of whom one must answer it, how, and why nobody must."""
    if one.withdrawn:
        return str(Status.WITHDRAWN), (), "", "withdrawn by its owner"
    if one.state.status is not Status.PENDING:
        return str(one.state.status), (), "", ""
    who = answerers(one, policy)
    return str(Status.PENDING), who, f"medperf-git approve {one.subject} --benchmark {one.benchmark}", ""


def _closed(policy: Policy | None, as_of: datetime) -> str:
    """Say since or until when a benchmark takes no results; empty while it does."""
    now = format_time(as_of)
    if policy is None:
        return ""
    if policy.opens and now < policy.opens:
        return f"results are taken from {policy.opens} on"
    return f"closed since {policy.closes}" if policy.closes and now > policy.closes else ""
