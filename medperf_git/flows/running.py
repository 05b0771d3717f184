"""A benchmark on a dataset of this machine: which models, whether they may and can, and what came of each.

Approvals and digests are looked at when the run is planned and again before each model starts; no key and no membership
are needed.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, Refused
from medperf_git.flows.amounts import size_text
from medperf_git.flows.bench import opened_bench, opened_engine, sandbox_cache
from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.flows.naming import Found, at_ref, find, refuse_withdrawn
from medperf_git.flows.needs import RunNeeds, Site
from medperf_git.flows.prepared import Prepared, prepared_for
from medperf_git.flows.progress import RunProgress, Tally
from medperf_git.flows.run_rows import outcome_row, run_store, skipped_row
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.still_approved import StillApproved, refuse_unapproved, refuse_unapproved_model
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.stages import models_of
from medperf_git.records.folds import live_result
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.runner.disk import room_for_containers
from medperf_git.runner.events import OnEvent
from medperf_git.runner.execute import Skipped, execute
from medperf_git.runner.image_size import ImageSizes
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import (
    PinnedBenchmark,
    PinnedCube,
    PinnedDataset,
    RunPlan,
    Unfit,
    build_run_plan,
    run_id_of,
)
from medperf_git.runner.wish import Wish

DETACHED = "MEDPERF_GIT_DETACHED"  # set in the environment of a process that works without a terminal


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """What a run would do; `again` repeats models that were named, `resume` goes on with the wish under way."""

    plan: RunPlan
    models: tuple[Found[Cube], ...]
    prepared: Prepared
    settings: RunSettings
    again: bool
    resume: bool

    def needs(self, home: Path) -> RunNeeds:
        """Return what each model needs, whether it fits this machine, and what all need together."""
        with opened_engine(self.settings) as engine:
            site = Site(
                engine=engine,
                limits=self.settings.limits(engine.info()),
                gpus=self.settings.gpus,
                cases=self.prepared.cases,
                home=private_folder(home),
                sizes=ImageSizes(),
            )
            models = tuple(site.needs_of(model.record, self._unfit(model.ref)) for model in self.models)
        return RunNeeds(
            models, self.settings.max_parallel, room_for_containers(home), home, low_disk=self.settings.low_disk
        )

    def plan_refs(self) -> tuple[Ref, ...]:
        """Return the models in the order in which they start."""
        return tuple(model.model.ref for model in self.plan.models)

    def expected_seconds(self) -> dict[Ref, float | None]:
        """Return how long each model should take, by its owner's own test; None where nobody knows."""
        cases = self.prepared.cases
        tested = {model.ref: model.record.resources for model in self.models}
        known = {ref: one.seconds_per_case if one else None for ref, one in tested.items()}
        return {ref: None if each is None else float(each) * cases for ref, each in known.items()}

    def _unfit(self, ref: Ref) -> str:
        infer = next(one.infer for one in self.plan.models if one.model.ref == ref)
        return infer.message if isinstance(infer, Unfit) else ""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What came of each model: outcomes, which of them had been finished before, and what was not started."""

    run_id: str
    outcomes: tuple[Outcome, ...]
    kept: frozenset[Ref] = frozenset()
    skipped: tuple[Skipped, ...] = ()

    def raise_if_nothing_succeeded(self) -> None:
        """Raise `ContainerFailed` when every model failed, `Refused` when none was started."""
        if not self.outcomes and self.skipped:
            raise Refused("no model was started", hint="; ".join(f"{one.model}: {one.why}" for one in self.skipped))
        if all(outcome.outcome == "failed" for outcome in self.outcomes):
            said = "the model failed" if len(self.outcomes) == 1 else f"all {len(self.outcomes)} models failed"
            hint = f"look why: medperf-git runs logs {self.run_id}; a failure may be submitted as well"
            raise ContainerFailed(said, hint=hint)

    def rows(self) -> list[dict[str, Any]]:
        """Return one line for each model."""
        ended = [outcome_row(outcome) | self._kept(outcome) for outcome in self.outcomes]
        return [*ended, *(skipped_row(one.model, one.why) for one in self.skipped)]

    def counts(self) -> dict[str, int]:
        """Return how many models ended how; `kept` are those of them that had been finished before."""
        ended = Counter(outcome.outcome for outcome in self.outcomes)
        counted = {name: ended[name] for name in ("complete", "partial", "failed")}
        return counted | {"skipped": len(self.skipped), "kept": len(self.kept)}

    def summary(self) -> str:
        """Return the counts in one line."""
        counts = self.counts()
        kept = counts.pop("kept")
        said = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing was run"
        return f"{said} ({kept} of them finished before)" if kept else said

    def notes(self) -> Iterator[str]:
        """Say why models failed and what to do; this stays here."""
        for outcome in self.outcomes:
            if outcome.outcome == "failed":
                yield f"{outcome.model.ref}: {outcome.explanation}"
                if outcome.hint:
                    yield f"  {outcome.hint}"
            elif outcome.outcome == "partial":
                yield f"{outcome.model.ref}: partial; to clear it: run again with --model {outcome.model.ref}"
        for one in self.skipped:
            yield f"{one.model}: not started: {one.why}"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": self.run_id, "models": self.rows(), "counts": self.counts(), "notes": list(self.notes())}

    def _kept(self, outcome: Outcome) -> dict[str, Any]:
        return {"kept": outcome.model.ref in self.kept}


def plan_run(
    workspace: Workspace,
    benchmark: str,
    *,
    dataset: str,
    models: Sequence[str] = (),
    settings: RunSettings,
    resume: bool = False,
) -> PlannedRun:
    """Plan a run of the named models, or of all that are approved and have no live result, in priority order.

    With `resume` and no names, the models are those of the last run of this benchmark and dataset. Raises `Refused`
    when the dataset or a model is not approved, `UsageProblem` when the data is not here.
    """
    view, member = workspace.view, workspace.member
    about = find(view, Benchmark, benchmark, member=member)
    data = find(view, Dataset, dataset, member=member)
    refuse_withdrawn(view, about.stored)
    refuse_withdrawn(view, data.stored)
    refuse_unapproved(view, about.ref, data)
    prepared = prepared_for(workspace.context.home, data.record)
    kept = _last_wish(workspace, about, data) if resume else None
    if models:
        chosen = [find(view, Cube, text, member=member) for text in dict.fromkeys(models)]
    elif kept is not None:
        chosen = [at_ref(view, Cube, ref) for ref in kept.refs]
    else:
        chosen = _without_result(view, about, data.ref)
    for model in chosen:
        refuse_unapproved_model(view, about.ref, model)
    metrics = at_ref(view, Cube, about.record.metrics_cube.ref)
    plan = build_run_plan(
        PinnedBenchmark(about.record, about.stored.digest),
        PinnedDataset(data.record, data.stored.digest, prepared.cases),
        metrics_cube=PinnedCube(metrics.record, metrics.stored.digest),
        models=[PinnedCube(model.record, model.stored.digest) for model in chosen],
        content=prepared.content,
        default_profile=settings.profile,
    )
    goes_on = kept is not None and kept.open and kept.refs == tuple(model.ref for model in chosen)
    again = kept.again if kept is not None and goes_on else bool(models) and not resume
    return PlannedRun(plan, tuple(chosen), prepared, settings, again, resume)


def run_planned(
    workspace: Workspace, planned: PlannedRun, settings: RunSettings, *, on_event: OnEvent | None = None
) -> FinishedRun:
    """Carry out a planned run; finished steps are not done again, one failing model does not stop the others.

    `on_event` shows how it goes; without it each event is one line.
    """
    context, plan = workspace.context, planned.plan
    tally = Tally(on_event or RunProgress(context.say, planned.plan_refs()))
    with opened_bench(context, settings, run_id=plan.run_id) as bench:
        _warn_of_room(context, planned, bench.scratch)
        outcomes = execute(
            plan,
            folders_of(planned.prepared),
            bench=bench,
            store=run_store(context.home),
            now=context.clock,
            on_event=tally,
            max_parallel=settings.max_parallel,
            retry_failed=not planned.resume,
            again=planned.again,
            resume=planned.resume,
            sandbox_cache=sandbox_cache(context),
            admit=StillApproved(workspace, plan, bench.scratch),
            noting={"engine": settings.engine, "detached": DETACHED in context.environ},
        )
    return FinishedRun(plan.run_id, outcomes, frozenset(tally.kept), tuple(tally.skipped))


def _warn_of_room(context: Context, planned: PlannedRun, disk: Path) -> None:
    """Say before anything starts that models at work together may need more disk than is free."""
    known = [model.record.resources for model in planned.models]
    most = heapq.nlargest(planned.settings.max_parallel, (one.disk_bytes or 0 for one in known if one))
    if sum(most) > (room := room_for_containers(disk)):
        told = f"up to {size_text(sum(most))} of disk may be needed at one time, {size_text(room)} may be filled"
        context.say(f"warning: {told} on that of {disk}; make room, or give a lower --max-parallel")


def folders_of(prepared: Prepared) -> DatasetFolders:
    """Return the folders of a prepared dataset; older preparators leave labels beside the data."""
    roots = prepared.roots
    return DatasetFolders(roots["data"], roots.get("labels", roots["data"]), roots.get("metadata"))


def _without_result(view: RecordView, benchmark: Found[Benchmark], dataset: Ref) -> list[Found[Cube]]:
    models = models_of(view, benchmark.ref, reference=benchmark.record.reference_model.ref)
    refs = [ref for ref in models if live_result(view, benchmark.ref, dataset, ref) is None]
    return [at_ref(view, Cube, ref) for ref in refs]


def _last_wish(workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset]) -> Wish | None:
    """Return what was last asked of the run of a benchmark on a dataset."""
    run_id = run_id_of(benchmark.reference, dataset.reference)
    return run_store(workspace.context.home).run(run_id).wish()
