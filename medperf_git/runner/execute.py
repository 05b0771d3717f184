"""Carry out a run plan: verify data, infer, evaluate, collect, reduce; each model by itself.

A model that fails becomes an outcome with one reason and stops no other. What is finished is not done again: steps
are skipped by their durable marks, and predictions are taken from any run that made them with the same container
on the same data. An engine that goes away, and a dataset that changes, end the whole run instead: nobody's outcome.
Just before each start it is asked whether that model may still run (T62); one that may not is passed over.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Interrupted, MedperfGitError
from medperf_git.records.digests import Digest
from medperf_git.records.models import EngineUsed
from medperf_git.records.names import Ref
from medperf_git.records.times import format_time
from medperf_git.runner.disk import MAKE_ROOM, room_for_containers
from medperf_git.runner.events import EventKind, OnEvent
from medperf_git.runner.leaving import putting_away
from medperf_git.runner.manifest import Progress, Role, verify_content
from medperf_git.runner.one_model import DatasetFolders, Run, kept_outcome, run_model
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import ModelPlan, RunPlan
from medperf_git.runner.predictions import KeptPredictions
from medperf_git.runner.signals import stoppable
from medperf_git.runner.store import RunFolder, RunStore
from medperf_git.runner.tasks import Bench
from medperf_git.runner.wish import Wish

_LOOK_SECONDS = 0.2
Admit = Callable[[ModelPlan], str]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A model that was not started, and why; it has no outcome."""

    model: Ref
    why: str


_NOTHING: Mapping[str, Any] = {}
_Ended = Future[Outcome | Skipped | Exception]


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
    resume: bool = False,
    sandbox_cache: Path | None = None,
    admit: Admit = lambda _: "",
    noting: Mapping[str, Any] = _NOTHING,
) -> tuple[Outcome, ...]:
    """Run every model of the plan that is not finished, and return all outcomes in the plan's order.

    `admit` says, just before a model starts, why it may not; empty when it may. One that may not is told of
    (`EventKind.SKIPPED`) and has no outcome. `noting` is kept with the notes about this command.

    `retry_failed` tries failed models once more, `again` every model. A call that asks for what an unfinished one
    asked, or `resume`, goes on with that one. Raises EnvironmentProblem when the engine goes away, IntegrityBroken
    when the dataset is not what was registered, Interrupted when stopped.
    """
    with store.held(plan) as folder, _noted(folder, now, noting), stoppable(bench.stop), putting_away(bench.engine):
        info = bench.engine.info()
        engine = EngineUsed(info.name, info.version)  # type: ignore[arg-type]  # engines bear the names of the schema
        wish = _taken_up(folder, _wished(folder, plan, bench, again=again, retry_failed=retry_failed), resume=resume)
        run = Run(
            plan=plan, site=site, bench=replace(bench, views={}), kept=KeptPredictions(store), folder=folder,
            engine=engine, now=now, on_event=on_event, wish=wish,
        )  # fmt: skip
        known = {model.model.ref: kept for model in plan.models if (kept := kept_outcome(run, model))}
        todo = [model for model in plan.models if model.model.ref not in known]
        for ref, outcome in known.items():
            run.tell(EventKind.KEPT, model=ref, outcome=outcome)
        if todo:
            _make_ready(run, todo, sandbox_cache)
            _verify(run, "before the run")
            folder.await_verification(model.model.ref for model in todo)
            known |= _run_models(run, todo, admit, max_parallel=max_parallel)
        if folder.unverified():
            _verify(run, "after the run")
        folder.write_wish(wish.fulfilled())
        return tuple(known[ref] for model in plan.models if (ref := model.model.ref) in known)


def verify_after_run(
    folder: RunFolder, roots: Mapping[Role, Path], content: Digest, *, moment: str, progress: Progress | None = None
) -> None:
    """Look at the dataset again, after which all that has run counts.

    IntegrityBroken when it has changed; then what ran since it was last looked at is forgotten.
    """
    try:
        verify_content(roots, content, moment=moment, progress=progress)
    except IntegrityBroken:
        folder.forget_unverified()
        raise
    folder.note_verified()


@contextmanager
def _noted(folder: RunFolder, now: Callable[[], datetime], about: Mapping[str, Any]) -> Iterator[None]:
    """Note when this command begins, and how it ends; a process that is killed leaves no end."""
    begun = {"started": format_time(now()), "ended": "", "pid": os.getpid(), "code": None, "error": "", "hint": ""}
    folder.note_command(**begun | dict(about))
    code, error, hint = 0, "", ""
    try:
        yield
    except MedperfGitError as problem:
        code, error, hint = problem.exit_code, problem.message, problem.hint
        raise
    except BaseException as problem:
        code, error = 70, f"something went wrong inside medperf-git: {type(problem).__name__}"
        raise
    finally:
        with suppress(EnvironmentProblem):  # a full disk: what ended it is told all the same
            folder.note_command(ended=format_time(now()), code=code, error=error, hint=hint)


def _wished(folder: RunFolder, plan: RunPlan, bench: Bench, *, again: bool, retry_failed: bool) -> Wish:
    refs = [model.model.ref for model in plan.models]
    limits = bench.limits
    chosen = (limits.memory_bytes, limits.wall_seconds, limits.tmp_bytes, limits.output_bytes, bench.gpus)
    return Wish(
        models=tuple((ref, folder.model(ref).ended_attempts()) for ref in refs),
        again=again,
        retry_failed=retry_failed,
        how=" ".join(map(str, chosen)),
    )


def _taken_up(folder: RunFolder, wish: Wish, *, resume: bool) -> Wish:
    """Return the wish under way when this is the same one, else note this one."""
    kept = folder.wish()
    if kept is not None and kept.open and (kept.refs == wish.refs if resume else kept.is_repeated_by(wish)):
        return kept
    folder.write_wish(wish)
    return wish


def _make_ready(run: Run, todo: Iterable[ModelPlan], sandbox_cache: Path | None) -> None:
    engine = run.bench.engine
    if gone := engine.reap():
        run.tell(EventKind.REAPED, text=f"removed {len(gone)} container(s) that a stopped command left behind")
    if not room_for_containers(run.folder.path):
        raise EnvironmentProblem(f"the disk of {run.folder.path} is full", hint=MAKE_ROOM)
    for profile in sorted({model.profile for model in todo}):
        for warning in engine.check_sandbox(profile, cache=sandbox_cache):
            run.tell(EventKind.WARNING, text=warning)


def _verify(run: Run, moment: str) -> None:
    def progress(done: int, total: int) -> None:
        if run.bench.stop.is_set():
            raise _stopped()
        run.tell(EventKind.VERIFYING, text=moment, done=done, total=total)

    verify_after_run(run.folder, run.site.roots, run.plan.content, moment=moment, progress=progress)
    run.folder.note_look(moment, format_time(run.now()))


def _run_models(run: Run, todo: list[ModelPlan], admit: Admit, *, max_parallel: int) -> dict[Ref, Outcome]:
    with ThreadPoolExecutor(max_workers=max(1, max_parallel), thread_name_prefix="model") as pool:
        run.bench.uses.expect(image for model in todo for image in _images_of(model))
        futures = {pool.submit(_run_one, run, model, admit): model.model.ref for model in todo}
        if waiting := _await(run, futures):
            run.bench.stop.set()
            for future in waiting:
                future.cancel()
    _raise_first(futures)
    ended = {ref: future.result() for future, ref in futures.items()}
    for outcome in ended.values():
        if isinstance(outcome, Exception):
            raise outcome
    return {ref: outcome for ref, outcome in ended.items() if isinstance(outcome, Outcome)}


def _await(run: Run, futures: Iterable[_Ended]) -> set[_Ended]:
    """Wait until all have ended or one has broken off, and return those that have not; say when a stop was asked."""
    told = False
    while True:
        done, waiting = wait(futures, timeout=_LOOK_SECONDS, return_when=FIRST_EXCEPTION)
        if run.bench.stop.is_set() and not told:
            told = True
            run.tell(EventKind.STOPPING, text="stopping: the containers at work are ended, what is finished is kept")
        if not waiting or any(not future.cancelled() and future.exception() for future in done):
            return waiting


def _run_one(run: Run, model: ModelPlan, admit: Admit) -> Outcome | Skipped | Exception:
    """Run one model; what nobody foresaw is returned, so that it stops no other model, and raised at the end."""
    try:
        if run.bench.stop.is_set():
            raise _stopped()
        if why := admit(model):
            return _passed_over(run, model, why)
        return run_model(run, model)
    except MedperfGitError:
        raise
    except Exception as unforeseen:  # noqa: BLE001  (raised once the others have ended)
        return unforeseen
    finally:
        run.bench.uses.done(_images_of(model))


def _images_of(model: ModelPlan) -> tuple[Digest, ...]:
    return model.image, model.evaluate.image.id


def _passed_over(run: Run, model: ModelPlan, why: str) -> Skipped:
    run.folder.model(model.model.ref).note_skipped(why)
    run.tell(EventKind.SKIPPED, model=model.model.ref, text=why)
    return Skipped(model.model.ref, why)


def _stopped() -> Interrupted:
    return Interrupted("the run was stopped", hint="the same command continues it; nothing finished is done again")


def _raise_first(futures: Iterable[_Ended]) -> None:
    errors = [error for future in futures if not future.cancelled() and (error := future.exception())]
    # What made the others stop comes first; that they were interrupted is only its consequence.
    for error in sorted(errors, key=lambda error: isinstance(error, Interrupted)):
        raise error
    if any(future.cancelled() for future in futures):
        raise _stopped()
