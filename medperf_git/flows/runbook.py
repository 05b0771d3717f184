"""The runs on this machine: lists, details, logs; read only, and nothing of it leaves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medperf_git.errors import UsageProblem
from medperf_git.flows.running import outcome_row, run_store
from medperf_git.records.names import Ref
from medperf_git.runner.outcome import Outcome, outcome_from_plain
from medperf_git.runner.store import RunFolder


def find_run(home: Path, text: str | None) -> RunFolder:
    """Return the run whose id begins with `text`, the latest for None; `UsageProblem` when none or several do."""
    if text is None:
        latest = next(iter(run_store(home).runs()), None)
        if latest is None:
            raise UsageProblem("nothing was run on this machine yet", hint="medperf-git run BENCHMARK --dataset D")
        return latest
    found = [run for run in run_store(home).runs() if text and run.run_id.startswith(text)]
    if len(found) != 1:
        said = f"{len(found)} runs begin with {text!r}" if found else f"there is no run {text!r}"
        raise UsageProblem(f"{said} on this machine", hint="`medperf-git runs ls` lists them")
    return found[0]


def list_runs(home: Path) -> list[dict[str, Any]]:
    """Return one line for each run, the latest first."""
    return [_row(run) for run in run_store(home).runs()]


def show_run(home: Path, text: str | None) -> dict[str, Any]:
    """Return what is known of a run."""
    run = find_run(home, text)
    return {**_row(run), "folder": str(run.path), "models": [outcome_row(one) for one in outcomes_of(run)]}


def outcomes_of(run: RunFolder) -> list[Outcome]:
    """Return the latest outcome of every model that this run has seen and finished."""
    kept = [outcome_from_plain(run.model(ref).outcome() or {}) for ref in run.models()]
    return [outcome for outcome in kept if outcome is not None]


def iter_logs(home: Path, text: str | None, *, model: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield (title, text) of every log of the latest attempt of each model."""
    run = find_run(home, text)
    refs = [ref for ref in run.models() if model is None or model in (str(ref), ref.unversioned, ref.name)]
    if not refs:
        seen = ", ".join(map(str, run.models())) or "none"
        raise UsageProblem(f"run {run.run_id} has no model {model!r}", hint=f"its models: {seen}")
    for ref in refs:
        yield from _logs_of(run, ref)


def _logs_of(run: RunFolder, ref: Ref) -> Iterator[tuple[str, str]]:
    folders = sorted(one for one in (run.path / "models" / ref.folder / "logs").glob("*") if one.name.isdigit())
    for path in sorted(folders[-1].glob("*.log"), key=lambda path: path.stat().st_mtime) if folders else ():
        title = f"{ref}, attempt {int(folders[-1].name)}, {path.stem}"
        yield title, path.read_bytes().decode("utf-8", "replace")


def _row(run: RunFolder) -> dict[str, Any]:
    plan, outcomes = run.plan(), outcomes_of(run)
    failed = sum(outcome.outcome == "failed" for outcome in outcomes)
    return {
        "run": run.run_id,
        "benchmark": plan["benchmark"]["ref"],
        "dataset": plan["dataset"]["ref"],
        "state": _state_of(run, {outcome.model.ref for outcome in outcomes}),
        "models": len(outcomes),
        "failed": failed,
    }


def _state_of(run: RunFolder, ended: set[Ref]) -> str:
    if run.is_running():
        return "running"
    return "finished" if run.is_finished() and ended.issuperset(run.planned()) else "interrupted"
