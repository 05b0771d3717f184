"""Run one model of a plan: infer, evaluate, collect, reduce, or the one reason why not."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from medperf_git.records.digests import digest_of
from medperf_git.records.models import EngineUsed, Images, ParameterDigests, Reason
from medperf_git.records.names import Ref
from medperf_git.records.times import format_time
from medperf_git.runner.disk import is_disk_fault
from medperf_git.runner.events import Event, EventKind, OnEvent
from medperf_git.runner.manifest import Role
from medperf_git.runner.outcome import Outcome, outcome_from_plain, outcome_to_plain
from medperf_git.runner.plan import ModelPlan, RunPlan, TaskPlan, Unfit
from medperf_git.runner.predictions import KeptPredictions
from medperf_git.runner.reduce import InvalidOutput, Reduced, reduce_results
from medperf_git.runner.results_file import read_results
from medperf_git.runner.store import Mark, ModelState, RunFolder, Step
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, failing_on_full_disk, run_task
from medperf_git.runner.trees import remove_tree
from medperf_git.runner.wish import Wish


@dataclass(frozen=True, slots=True)
class DatasetFolders:
    """Where a prepared dataset lies at the site; older preparators keep labels in the data folder."""

    data: Path
    labels: Path
    metadata: Path | None = None

    @property
    def roots(self) -> Mapping[Role, Path]:
        """The folders that make up the content digest, by role."""
        roots: dict[Role, Path] = {"data": self.data}
        if self.labels != self.data:
            roots["labels"] = self.labels
        if self.metadata is not None:
            roots["metadata"] = self.metadata
        return roots


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the models of one run share."""

    plan: RunPlan
    site: DatasetFolders
    bench: Bench
    kept: KeptPredictions
    folder: RunFolder
    engine: EngineUsed
    now: Callable[[], datetime]
    on_event: OnEvent
    wish: Wish
    lock: threading.Lock = field(default_factory=threading.Lock)

    def tell(self, kind: EventKind, *, model: Ref | None = None, step: str = "", text: str = "", done: int = 0,
             total: int = 0, outcome: Outcome | None = None) -> None:  # fmt: skip
        """Report an event; one at a time, whichever thread it comes from."""
        with self.lock:
            self.on_event(Event(kind=kind, model=model, step=step, text=text, done=done, total=total, outcome=outcome))


def kept_outcome(run: Run, model: ModelPlan) -> Outcome | None:
    """Return a model's outcome that still holds for its plan and fulfils the wish, None when it must be run."""
    state = run.folder.model(model.model.ref)
    outcome = outcome_from_plain(state.outcome() or {})
    if outcome is None or (outcome.infer_key, outcome.evaluate_key) != (model.infer_key, model.evaluate_key):
        return None
    is_of_this_wish = outcome.attempt > run.wish.ended_before(model.model.ref)
    if run.wish.again and not is_of_this_wish:
        return None
    if outcome.outcome == "failed":
        return outcome if is_of_this_wish or not run.wish.retry_failed else None
    return outcome if state.has_finished("evaluate", model.evaluate_key) else None


def run_model(run: Run, model: ModelPlan) -> Outcome:
    """Infer and evaluate one model, and keep the outcome; what ends the whole run is raised."""
    state = run.folder.model(model.model.ref)
    attempt = state.begin_attempt()  # what came of the one before stays until this one ends
    if run.wish.again:
        state.forget_steps_before(attempt)
    started = run.now()
    try:
        with failing_on_full_disk():
            marks = _infer(run, model, state, attempt), _evaluate(run, model, state, attempt)
            reduced = _reduce(run, state)
        outcome = _outcome(run, model, attempt, started=started, marks=marks, reduced=reduced)
    except StepFailed as failure:
        outcome = _failure(run, model, state, attempt, started=started, failure=failure)
    state.write_outcome(outcome_to_plain(outcome))
    run.tell(EventKind.OUTCOME, model=model.model.ref, outcome=outcome)
    return outcome


def _infer(run: Run, model: ModelPlan, state: ModelState, attempt: int) -> Mark:
    if isinstance(model.infer, Unfit):
        raise StepFailed(model.infer.reason, model.infer.message, hint=model.infer.hint)
    if model.is_script:
        return _nothing_to_infer(run, model, attempt)
    if state.has_finished("infer", model.infer_key):
        run.tell(EventKind.KEPT, model=model.model.ref, step="infer")
        return cast(Mark, state.mark("infer"))
    if not run.wish.again and (adopted := _adopt(run, model, state, attempt)):
        return adopted
    state.forget("infer", "evaluate")
    targets = {"output_path": state.predictions}
    mark, _ = _step(
        run, "infer", model.infer, state, attempt, model=model, inputs={"data_path": run.site.data}, targets=targets,
        accept_exit_code=run.plan.partial,
    )  # fmt: skip
    if not mark.files:
        reason: Reason = "exit-code" if mark.exit_code else "invalid-output"
        raise StepFailed(reason, "it wrote no predictions", hint=f"its output: {state.log('infer', attempt)}")
    state.write_mark("infer", mark)
    return mark


def _nothing_to_infer(run: Run, model: ModelPlan, attempt: int) -> Mark:
    """Return what stands for the inference of weights, which is a part of the benchmark's script."""
    now = format_time(run.now())
    return Mark(
        key=model.infer_key, attempt=attempt, files=(), exit_code=0, seconds=0.0, peak_memory=None, peak_disk=None,
        started=now, finished=now,
    )  # fmt: skip


def _adopt(run: Run, model: ModelPlan, state: ModelState, attempt: int) -> Mark | None:
    other = run.kept.find(model.infer_key)
    mark = other.mark("infer") if other else None
    if other is None or mark is None:
        return None
    if other.folder != state.folder:
        try:
            state.adopt_predictions(other)
        except OSError as error:  # pruned meanwhile, or no room for all of them: inferring anew says what it meets
            remove_tree(state.predictions)
            if is_disk_fault(error):
                raise
            return None
    fields = {name: getattr(mark, name) for name in mark.__slots__}
    kept = Mark(**fields | {"attempt": attempt, "reused": True})
    state.write_mark("infer", kept)
    run.tell(EventKind.KEPT, model=model.model.ref, step="infer", text="predictions of an earlier run are used again")
    return kept


def _evaluate(run: Run, model: ModelPlan, state: ModelState, attempt: int) -> Mark:
    if state.has_finished("evaluate", model.evaluate_key):
        run.tell(EventKind.KEPT, model=model.model.ref, step="evaluate")
        return cast(Mark, state.mark("evaluate"))
    state.forget("evaluate")
    targets = {
        "output_path": state.results, "results_path": state.results, "local_outputs_path": state.local_outputs,
    }  # fmt: skip
    try:
        mark, _ = _step(
            run, "evaluate", model.evaluate, state, attempt, model=model, inputs=_labelled(run, model, state),
            targets=targets,
        )  # fmt: skip
    except StepFailed as failure:  # whose container it was is told, since all else speaks of the model
        said = f"in the evaluation by {run.plan.metrics_cube.ref}: {failure.message}"
        raise StepFailed(failure.reason, said, hint=failure.hint, result=failure.result) from failure
    state.write_mark("evaluate", mark)
    return mark


def _labelled(run: Run, model: ModelPlan, state: ModelState) -> dict[str, Path]:
    """Return what is compared with the labels: predictions, or for a script the data itself."""
    if model.is_script:
        return {"data_path": run.site.data, "labels_path": run.site.labels}
    return {"predictions": state.predictions, "labels": run.site.labels}


def _step(
    run: Run,
    step: Step,
    plan: TaskPlan,
    state: ModelState,
    attempt: int,
    *,
    model: ModelPlan,
    inputs: Mapping[str, Path],
    targets: Mapping[str, Path],
    accept_exit_code: bool = False,
) -> tuple[Mark, TaskRun]:
    run.tell(EventKind.STARTED, model=model.model.ref, step=step)
    started = run.now()
    done = run_task(
        run.bench, plan, inputs=inputs, targets=targets, log=state.log(step, attempt), profile=model.profile,
        accept_exit_code=accept_exit_code,
    )  # fmt: skip
    run.tell(EventKind.FINISHED, model=model.model.ref, step=step, text=f"{done.result.seconds:.1f} s")
    mark = Mark(
        key=model.infer_key if step == "infer" else model.evaluate_key,
        attempt=attempt,
        files=done.outputs.get("output_path", done.outputs.get("results_path", ())),
        exit_code=done.result.exit_code,
        seconds=done.result.seconds,
        peak_memory=done.result.peak_memory,
        peak_disk=done.result.peak_disk,
        started=format_time(started),
        finished=format_time(run.now()),
    )
    return mark, done


def _reduce(run: Run, state: ModelState) -> Reduced:
    try:
        reduced = reduce_results(read_results(state.results), run.plan.metrics, cases=run.plan.cases)
    except InvalidOutput as error:
        raise StepFailed("invalid-output", str(error), hint=f"the results file is {state.results}") from error
    lacking = _lacking(run, reduced)
    if lacking and not run.plan.partial:
        raise StepFailed(
            "invalid-output",
            f"some cases have no {', '.join(lacking)}, and the benchmark takes no partial results",
            hint=f"the results file is {state.results}",
        )
    return reduced


def _lacking(run: Run, reduced: Reduced) -> list[str]:
    strict = [metric.id for metric in run.plan.metrics if metric.undefined == "missing"]
    return [metric for metric in strict if reduced.values[metric].n_failed]


def _outcome(
    run: Run,
    model: ModelPlan,
    attempt: int,
    *,
    started: datetime,
    marks: tuple[Mark, Mark],
    reduced: Reduced,
) -> Outcome:
    return _described(
        run,
        model,
        attempt,
        started=started,
        outcome="partial" if marks[0].exit_code or _lacking(run, reduced) else "complete",
        values=reduced.values,
        held_back=reduced.undeclared,
        seconds=sum(mark.seconds for mark in marks),
        peak_memory=max(mark.peak_memory or 0 for mark in marks) or None,
        peak_disk=max(mark.peak_disk or 0 for mark in marks),
        exit_code=marks[0].exit_code or marks[1].exit_code,
    )


def _failure(
    run: Run, model: ModelPlan, state: ModelState, attempt: int, *, started: datetime, failure: StepFailed
) -> Outcome:
    infer, evaluate = state.log("infer", attempt), state.log("evaluate", attempt)
    log = evaluate if evaluate.exists() else infer if infer.exists() else None
    result = failure.result
    return _described(
        run,
        model,
        attempt,
        started=started,
        outcome="failed",
        reason=failure.reason,
        explanation=failure.message,
        hint=failure.hint,
        log=str(log or ""),
        seconds=result.seconds if result else 0.0,
        peak_memory=result.peak_memory if result else None,
        peak_disk=result.peak_disk if result else None,
        exit_code=result.exit_code if result else None,
    )


def _described(run: Run, model: ModelPlan, attempt: int, *, started: datetime, **fields: object) -> Outcome:
    digests = [digest_of(text.encode()) if text else None for text in (model.parameters, model.evaluate.parameters)]
    common: dict[str, object] = {
        "model": model.model,
        "attempt": attempt,
        "images": Images(model.image, model.evaluate.image.id),
        "parameters": ParameterDigests(*digests) if any(digests) else None,
        "sandbox": model.profile,
        "engine": run.engine,
        "started": format_time(started),
        "finished": format_time(run.now()),
        "infer_key": model.infer_key,
        "evaluate_key": model.evaluate_key,
        "limits": asdict(run.bench.limits),
    }
    return Outcome(**common | fields)  # type: ignore[arg-type]  # two calls above name every field
