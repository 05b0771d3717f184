"""Stop a run that works in another process, and leave no container of it behind."""

from collections.abc import Iterator

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.flows.bench import opened_engine
from medperf_git.flows.context import Context
from medperf_git.flows.runbook import find_run
from medperf_git.flows.settings import RunSettings
from medperf_git.runner.holder import Stopped, stop_holder


def stop_run(context: Context, text: str | None, *, wait_seconds: float, kill: bool) -> Iterator[str]:
    """Ask the process that holds a run to stop, and say what came of it; `kill` ends it when it does not.

    `Refused` when it goes on, `EnvironmentProblem` when who holds it cannot be told.
    """
    run = find_run(context.home, text)
    engine = str(run.command().get("engine") or RunSettings().engine)
    pid = run.holder()
    if pid:
        yield f"asking process {pid} to stop; what is finished is kept"
    match stop_holder(run, wait_seconds=wait_seconds, kill=kill):
        case Stopped.NOT_RUNNING:
            yield f"run {run.run_id} is not under way"
        case Stopped.STOPPED:
            yield f"stopped: run {run.run_id}; the same command, or --resume, goes on with it"
        case Stopped.KILLED:
            yield f"killed: run {run.run_id}; what was finished is kept"
            yield from _reaped(engine)
        case Stopped.UNKNOWN:
            hint = "stop it where it was started: in its container, or on the machine that shares this folder"
            raise EnvironmentProblem(
                f"run {run.run_id} is held by a process that this machine does not show", hint=hint
            )
        case Stopped.STILL_RUNNING:
            hint = f"give it longer with --wait, or end it: medperf-git runs stop {run.run_id} --kill"
            raise Refused(f"run {run.run_id} is still under way", hint=hint)


def _reaped(engine: str) -> Iterator[str]:
    with opened_engine(RunSettings(engine=engine)) as opened:
        for name in opened.reap():
            yield f"removed the container {name}"
