"""Before a dataset asks to join a benchmark: the benchmark's reference model runs on it, here, from end to end.

Nothing of it leaves. It is the run that the committee's yes allows later, in the same store: what it made is kept,
and `run` does not repeat it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.bench import opened_bench, sandbox_cache
from medperf_git.flows.naming import Found, at_ref, find
from medperf_git.flows.prepared import Prepared, prepared_for
from medperf_git.flows.progress import RunProgress
from medperf_git.flows.propose import Draft
from medperf_git.flows.run_rows import run_store
from medperf_git.flows.running import folders_of
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.record import Stored, write_record
from medperf_git.runner.execute import execute
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import PinnedBenchmark, PinnedCube, PinnedDataset, RunPlan, build_run_plan

_NEVER_RAN = ("needs-gpu", "image-unavailable")
_WITHOUT = "or ask without a trial run, where this machine runs no containers: --no-trial"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How the reference model did on the real data; `skipped` says why it was not run."""

    benchmark: Benchmark
    outcome: Outcome | None = None
    skipped: str = ""

    def lines(self) -> Iterator[str]:
        """Say what came of it."""
        if self.outcome is None:
            yield f"no trial run: {self.skipped}"
            return
        told = f"the reference model {self.outcome.model.ref} went through these data ({self.outcome.seconds:.0f} s)"
        yield f"{told}; its values stay here:"
        titles = {metric.id: metric.title for metric in self.benchmark.metrics}
        for key, value in (self.outcome.values or {}).items():
            yield f"  {titles.get(key, key)}: {'undefined' if value.value is None else value.value}"
        yield "what it made is kept: `run` takes it over once the committee has said yes"


def rehearse(
    workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset], settings: RunSettings
) -> Rehearsal:
    """Run the reference model of a benchmark on a dataset of this machine, approved or not.

    Raises `Refused` when it fails on these data. Where the data are elsewhere, or this machine lacks what the model
    needs, nothing is run, and that is said.
    """
    about = benchmark.record
    try:
        prepared = prepared_for(workspace.context.home, dataset.record)
    except UsageProblem as problem:
        return Rehearsal(about, skipped=problem.message)
    say = workspace.context.say
    say(f"the reference model runs on {dataset.ref} first, here; nothing of it leaves")
    plan = _plan(workspace, benchmark, dataset, prepared, settings)
    try:
        outcome = _run(workspace, plan, prepared, settings)
    except EnvironmentProblem as problem:
        raise EnvironmentProblem(problem.message, hint=f"{problem.hint}; {_WITHOUT}".lstrip("; ")) from problem
    if outcome.outcome != "failed":
        return Rehearsal(about, outcome)
    if outcome.reason in _NEVER_RAN:
        return Rehearsal(about, skipped=f"{outcome.explanation} ({outcome.reason})")
    raise Refused(
        f"nothing was asked, since the reference model {outcome.model.ref} failed on these data:"
        f" {outcome.explanation} ({outcome.reason})",
        hint=f"{outcome.hint}; its log: medperf-git runs logs {plan.run_id}; then ask again".lstrip("; "),
    )


def pair_of(workspace: Workspace, drafts: Sequence[Draft], benchmark: str) -> tuple[Found[Benchmark], Found[Dataset]]:
    """Return the benchmark that is named, and the dataset among drafts that are about to be submitted."""
    about = find(workspace.view, Benchmark, benchmark, member=workspace.require_member())
    for draft in drafts:
        place = layout.place_of(draft.path)
        if place is not None and isinstance(draft.record, Dataset):
            stored = Stored(place, draft.record, digest_of(write_record(draft.record)))
            return about, Found(stored, draft.record)
    raise UsageProblem("no dataset is about to be submitted", hint="name one that was prepared here")


def _plan(
    workspace: Workspace,
    benchmark: Found[Benchmark],
    dataset: Found[Dataset],
    prepared: Prepared,
    settings: RunSettings,
) -> RunPlan:
    view, about = workspace.view, benchmark.record
    metrics = at_ref(view, Cube, about.metrics_cube.ref)
    reference = at_ref(view, Cube, about.reference_model.ref)
    return build_run_plan(
        PinnedBenchmark(about, benchmark.stored.digest),
        PinnedDataset(dataset.record, dataset.stored.digest, prepared.cases),
        metrics_cube=PinnedCube(metrics.record, metrics.stored.digest),
        models=[PinnedCube(reference.record, reference.stored.digest)],
        content=prepared.content,
        default_profile=settings.profile,
    )


def _run(workspace: Workspace, plan: RunPlan, prepared: Prepared, settings: RunSettings) -> Outcome:
    context = workspace.context
    with opened_bench(context, settings, run_id=plan.run_id) as bench:
        (outcome,) = execute(
            plan,
            folders_of(prepared),
            bench=bench,
            store=run_store(context.home),
            now=context.clock,
            on_event=RunProgress(context.say, [model.model.ref for model in plan.models]),
            retry_failed=True,
            sandbox_cache=sandbox_cache(context),
            noting={"engine": settings.engine, "detached": False},
        )
    return outcome
