"""A benchmark on a dataset of this machine: which models, whether they may and can, and what came of each.

Approvals and digests are looked at again before every run; no key and no membership are needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, IntegrityBroken, Refused
from medperf_git.flows.bench import opened_bench, opened_engine, sandbox_cache
from medperf_git.flows.home import private_folder
from medperf_git.flows.naming import Found, at_ref, find, refuse_withdrawn
from medperf_git.flows.prepared import Prepared, prepared_for
from medperf_git.flows.progress import RunProgress
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.stages import models_of
from medperf_git.records.folds import Status, association_state, is_associated_model, live_result
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView
from medperf_git.runner.engine import GIB, Engine, ImageUnavailable
from medperf_git.runner.execute import execute
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
    wanted_image,
)
from medperf_git.runner.store import RunStore
from medperf_git.runner.wish import Wish


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """What a run would do; `again` repeats models that were named, `resume` goes on with the wish under way."""

    plan: RunPlan
    models: tuple[Found[Cube], ...]
    prepared: Prepared
    settings: RunSettings
    again: bool
    resume: bool

    def needs(self) -> list[dict[str, Any]]:
        """Return what each model needs, and whether it fits this machine."""
        with opened_engine(self.settings) as engine:
            return [self._needs_of(engine, model) for model in self.models]

    def _needs_of(self, engine: Engine, model: Found[Cube]) -> dict[str, Any]:
        cube, limits = model.record, self.settings.limits(engine.info())
        here = _is_here(engine, cube)
        infer = next(one.infer for one in self.plan.models if one.model.ref == model.ref)
        resources = cube.resources
        peak = resources.peak_memory_bytes if resources else None
        per_case = resources.seconds_per_case if resources else None
        wants_gpu = any(task.run_args and task.run_args.gpus for task in cube.tasks.values())
        problems = [
            *([infer.message] if isinstance(infer, Unfit) else []),
            *(["needs a GPU: --gpus"] if wants_gpu and not self.settings.gpus else []),
            *(["needs more --memory"] if peak is not None and peak > limits.memory_bytes else []),
            *(["its image is not here and names no manifest"] if not here and not _can_fetch(cube) else []),
        ]
        return {
            "model": str(model.ref),
            "image": "here" if here else "to be fetched",
            "gpu": "yes" if wants_gpu else "no",
            "memory": f"{peak / GIB:.2f} GiB" if peak is not None else "unknown",
            "time": f"{float(per_case) * self.prepared.cases:.0f} s" if per_case is not None else "unknown",
            "fits": "; ".join(problems) or "yes",
        }


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What came of each model of a run."""

    run_id: str
    outcomes: tuple[Outcome, ...]

    def raise_if_nothing_succeeded(self) -> None:
        """Raise `ContainerFailed` when every model failed."""
        if all(outcome.outcome == "failed" for outcome in self.outcomes):
            said = "the model failed" if len(self.outcomes) == 1 else f"all {len(self.outcomes)} models failed"
            hint = f"look why: medperf-git runs logs {self.run_id}; a failure may be submitted as well"
            raise ContainerFailed(said, hint=hint)

    def rows(self) -> list[dict[str, Any]]:
        """Return one line for each model."""
        return [outcome_row(outcome) for outcome in self.outcomes]

    def notes(self) -> Iterator[str]:
        """Say why models failed and what to do; this stays here."""
        for outcome in self.outcomes:
            if outcome.outcome == "failed":
                yield f"{outcome.model.ref}: {outcome.explanation}"
                if outcome.hint:
                    yield f"  {outcome.hint}"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": self.run_id, "models": self.rows(), "notes": list(self.notes())}


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


def run_planned(workspace: Workspace, planned: PlannedRun, settings: RunSettings) -> FinishedRun:
    """Carry out a planned run; finished steps are not done again, one failing model does not stop the others."""
    context, plan = workspace.context, planned.plan
    progress = RunProgress(context.say, [model.ref for model in planned.models])
    with opened_bench(context, settings, run_id=plan.run_id) as bench:
        outcomes = execute(
            plan,
            folders_of(planned.prepared),
            bench=bench,
            store=run_store(context.home),
            now=context.clock,
            on_event=progress,
            max_parallel=settings.max_parallel,
            retry_failed=not planned.resume,
            again=planned.again,
            resume=planned.resume,
            sandbox_cache=sandbox_cache(context),
        )
    return FinishedRun(plan.run_id, outcomes)


def run_store(home: Path) -> RunStore:
    """Return the store of all runs of this home folder."""
    return RunStore(private_folder(home / "runs"))


def folders_of(prepared: Prepared) -> DatasetFolders:
    """Return the folders of a prepared dataset; older preparators leave labels beside the data."""
    roots = prepared.roots
    return DatasetFolders(roots["data"], roots.get("labels", roots["data"]), roots.get("metadata"))


def refuse_unapproved(view: RecordView, benchmark: Ref, dataset: Found[Dataset]) -> None:
    """Raise `Refused` unless exactly this dataset is approved for a benchmark."""
    state = association_state(view, benchmark, "dataset", dataset.ref)
    if state.status is Status.APPROVED and state.subject == dataset.stored.digest:
        return
    hint = {
        Status.PENDING: "the committee decides; `medperf-git association ls` shows it",
        Status.APPROVED: "ask again: the approval is about other bytes",
    }.get(state.status, f"ask: medperf-git association request {benchmark} --dataset {dataset.ref}")
    raise Refused(f"the dataset {dataset.ref} is not approved for {benchmark} ({state.status})", hint=hint)


def refuse_unapproved_model(view: RecordView, benchmark: Ref, model: Found[Cube]) -> None:
    """Raise `Refused` unless exactly this model is approved for a benchmark, or is its reference model (T62)."""
    refuse_withdrawn(view, model.stored)
    about = at_ref(view, Benchmark, benchmark).record
    state = association_state(view, benchmark, "cube", model.ref)
    if not is_associated_model(view, benchmark, model.ref):
        hint = f"its owner asks: medperf-git association request {benchmark} --model {model.ref}"
        raise Refused(f"the model {model.ref} is not approved for {benchmark} ({state.status})", hint=hint)
    approved = about.reference_model.digest if about.reference_model.ref == model.ref else state.subject
    if approved != model.stored.digest:
        message = f"the approval of {model.ref} is about other bytes: expected {approved}, got {model.stored.digest}"
        raise IntegrityBroken(message, hint="run `medperf-git audit`, and tell the maintainers")


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return one line about an outcome."""
    values = {key: value.value for key, value in (outcome.values or {}).items() if value.value is not None}
    return {
        "model": str(outcome.model.ref),
        "outcome": outcome.outcome if outcome.reason is None else f"{outcome.outcome}: {outcome.reason}",
        "attempt": outcome.attempt,
        "seconds": round(outcome.seconds, 1),
        "memory": f"{outcome.peak_memory / GIB:.2f} GiB" if outcome.peak_memory else "",
        "values": ", ".join(f"{key} {value}" for key, value in values.items()),
        "explanation": outcome.explanation,
    }


def _without_result(view: RecordView, benchmark: Found[Benchmark], dataset: Ref) -> list[Found[Cube]]:
    models = models_of(view, benchmark.ref, reference=benchmark.record.reference_model.ref)
    refs = [ref for ref in models if live_result(view, benchmark.ref, dataset, ref) is None]
    return [at_ref(view, Cube, ref) for ref in refs]


def _last_wish(workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset]) -> Wish | None:
    """Return what was last asked of the run of a benchmark on a dataset."""
    run_id = run_id_of(benchmark.reference, dataset.reference)
    return run_store(workspace.context.home).run(run_id).wish()


def _is_here(engine: Engine, cube: Cube) -> bool:
    try:
        return engine.has_image(wanted_image(cube.image))
    except (ImageUnavailable, IntegrityBroken):
        return False


def _can_fetch(cube: Cube) -> bool:
    return cube.image.manifest is not None or cube.image.archive is not None
