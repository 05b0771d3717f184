"""Who is at which stage of a benchmark, and who must act next."""

from dataclasses import dataclass

from medperf_git.flows.associations import Standing, list_standings
from medperf_git.flows.naming import Found
from medperf_git.records.folds import AssociationState, Status, live_result, policy_state
from medperf_git.records.models import Benchmark, Result
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class SiteStage:
    """One dataset or model in a benchmark: how far it is, and what happens next."""

    kind: str
    subject: Ref
    status: str
    results: int
    failed: int
    expected: int
    next_step: str

    def as_value(self) -> dict[str, object]:
        """Return plain values for a listing."""
        counted = self.expected and self.kind == "dataset"
        return {
            "what": "site" if self.kind == "dataset" else "model",
            "name": str(self.subject),
            "stage": self.status,
            "results": f"{self.results} of {self.expected}" if counted else str(self.results),
            "failed": self.failed,
            "next": self.next_step,
        }


def models_of(view: RecordView, benchmark: Found[Benchmark]) -> list[Ref]:
    """Return the models that may run: the reference model, then the approved ones by priority and name."""
    reference = benchmark.record.reference_model.ref
    approved = [
        one
        for one in list_standings(view, benchmark.ref)
        if one.kind == "cube" and one.state.status is Status.APPROVED and not one.withdrawn and one.subject != reference
    ]
    ordered = sorted(approved, key=lambda one: (-one.state.priority, one.subject))
    return [reference, *(one.subject for one in ordered)]


def stages(view: RecordView, benchmark: Found[Benchmark]) -> list[SiteStage]:
    """Return every site, then every model, with who must act next."""
    models = models_of(view, benchmark)
    standings = list_standings(view, benchmark.ref)
    sites = [one for one in standings if one.kind == "dataset"]
    rows = [_site(view, benchmark, one, models) for one in sites]
    places = [one.subject for one in sites]
    reference = Standing(benchmark.ref, "cube", models[0], AssociationState(Status.APPROVED), withdrawn=False)
    rows.append(_model(view, benchmark, reference, places, reference=True))
    rows += [
        _model(view, benchmark, one, places, reference=False)
        for one in standings
        if one.kind == "cube" and one.subject != models[0]
    ]
    return rows


def _site(view: RecordView, benchmark: Found[Benchmark], one: Standing, models: list[Ref]) -> SiteStage:
    lives = [live for model in models if (live := live_result(view, benchmark.ref, one.subject, model))]
    failed = sum(isinstance(live.record, Result) and live.record.outcome == "failed" for live in lives)
    status, step = str(one.state.status), _waiting(view, one)
    if one.state.status is Status.APPROVED:
        missing = len(models) - len(lives)
        status = "done" if not missing else "running" if lives else "approved"
        step = f"{one.subject.member}: medperf-git run {benchmark.ref} --dataset {one.subject}" if missing else ""
    return SiteStage("dataset", one.subject, status, len(lives) - failed, failed, len(models), step)


def _model(
    view: RecordView, benchmark: Found[Benchmark], one: Standing, sites: list[Ref], *, reference: bool
) -> SiteStage:
    lives = [live for site in sites if (live := live_result(view, benchmark.ref, site, one.subject))]
    failed = sum(isinstance(live.record, Result) and live.record.outcome == "failed" for live in lives)
    status = "reference model" if reference else str(one.state.status)
    return SiteStage("cube", one.subject, status, len(lives) - failed, failed, len(sites), _waiting(view, one))


def _waiting(view: RecordView, one: Standing) -> str:
    if one.withdrawn:
        return "withdrawn by its owner"
    if one.state.status is not Status.PENDING:
        return ""
    policy = policy_state(view, one.benchmark)
    who = " or ".join(policy.committee) if policy and one.state.initiator == "owner" else one.subject.member
    return f"{who}: medperf-git approve {one.subject} --benchmark {one.benchmark}"
