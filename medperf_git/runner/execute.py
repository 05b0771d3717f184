"""Carry out a run plan: verify data, infer, evaluate, collect, reduce; each model by itself.

A model that fails becomes an outcome with one reason and stops no other. What is finished is not done again: steps
are skipped by their durable marks, and predictions are taken from any run that made them with the same container
on the same data. An engine that goes away, and a dataset that changes, end the whole run instead: nobody's outcome.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path

from medperf_git.errors import IntegrityBroken, Interrupted
from medperf_git.records.models import EngineUsed
from medperf_git.records.names import Ref
from medperf_git.runner.engine import Profile
from medperf_git.runner.events import EventKind, OnEvent
from medperf_git.runner.manifest import verify_content
from medperf_git.runner.one_model import DatasetFolders, Run, kept_outcome, run_model
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import ModelPlan, RunPlan
from medperf_git.runner.signals import stoppable
from medperf_git.runner.store import RunStore, write_durably
from medperf_git.runner.tasks import Bench


def execute(
    plan: RunPlan,
    site: DatasetFolders,
    *,
    bench: Bench,
    store: RunStore,
    now: Callable[[], datetime],
    on_event: OnEvent = lambda _: None,
    max_parallel: int = 1,
    retry_failed: bool = False,
    again: bool = False,
    sandbox_cache: Path | None = None,
) -> tuple[Outcome, ...]:
    """Run every model of the plan that is not finished, and return all outcomes in the plan's order.

    `retry_failed` tries failed models once more, `again` every model. Raises EnvironmentProblem when the engine goes
    away, IntegrityBroken when the dataset is not what was registered, Interrupted when stopped; then the same call
    goes on where it was.
    """
    with store.held(plan) as folder, stoppable(bench.stop):
        info = bench.engine.info()
        engine = EngineUsed(info.name, info.version)  # type: ignore[arg-type]  # engines bear the names of the schema
        run = Run(
            plan=plan, site=site, bench=bench, store=store, folder=folder, engine=engine, now=now, on_event=on_event
        )
        known = (
            {}
            if again
            else {model.model.ref: kept for model in plan.models if (kept := kept_outcome(run, model, retry_failed))}
        )
        todo = [model for model in plan.models if model.model.ref not in known]
        for ref, outcome in known.items():
            run.tell(EventKind.KEPT, model=ref, outcome=outcome)
        if todo:
            _make_ready(run, todo, sandbox_cache)
            _verify(run, "before the run")
            write_durably(folder.awaits_verification, b"")
            known |= _run_models(run, todo, max_parallel=max_parallel, again=again)
        if folder.awaits_verification.exists():
            _verify_afterwards(run, todo)
        return tuple(known[model.model.ref] for model in plan.models)


def _known(run: Run, retry_failed: bool) -> dict[Ref, Outcome]:
    kept = {model.model.ref: kept_outcome(run, model, retry_failed) for model in run.plan.models}
    return {ref: outcome for ref, outcome in kept.items() if outcome is not None}


def _make_ready(run: Run, todo: Iterable[ModelPlan], sandbox_cache: Path | None) -> None:
    engine = run.bench.engine
    if gone := engine.reap():
        run.tell(EventKind.REAPED, text=f"removed {len(gone)} container(s) that a stopped command left behind")
    for profile in {Profile.STRICT, *(model.profile for model in todo)}:
        for warning in engine.check_sandbox(profile, cache=sandbox_cache):
            run.tell(EventKind.WARNING, text=warning)


def _verify(run: Run, moment: str) -> None:
    def progress(done: int, total: int) -> None:
        run.tell(EventKind.VERIFYING, text=moment, done=done, total=total)

    verify_content(run.site.roots, run.plan.content, moment=moment, progress=progress)


def _verify_afterwards(run: Run, todo: Iterable[ModelPlan]) -> None:
    try:
        _verify(run, "after the run")
    except IntegrityBroken:
        for model in todo:
            run.folder.model(model.model.ref).forget("infer", "evaluate", "outcome")
        raise
    run.folder.awaits_verification.unlink()


def _run_models(run: Run, todo: list[ModelPlan], *, max_parallel: int, again: bool) -> dict[Ref, Outcome]:
    with ThreadPoolExecutor(max_workers=max(1, max_parallel), thread_name_prefix="model") as pool:
        futures = {pool.submit(run_model, run, model, again=again): model.model.ref for model in todo}
        _, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        if waiting:
            run.bench.stop.set()
            for future in waiting:
                future.cancel()
    _raise_first(futures)
    return {ref: future.result() for future, ref in futures.items()}


def _raise_first(futures: Iterable[Future[Outcome]]) -> None:
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    # What made the others stop comes first; that they were interrupted is only its consequence.
    for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):
        raise error
    if any(future.cancelled() for future in futures):
        raise Interrupted("the run was stopped", hint="the same command continues it")
