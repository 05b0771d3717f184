"""The runs on this machine: lists, details, logs; read only, and nothing of it leaves."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.amounts import duration_text, size_text
from medperf_git.flows.run_rows import outcome_row, run_store, skipped_row
from medperf_git.records.names import Ref
from medperf_git.runner.outcome import Outcome, outcome_from_plain
from medperf_git.runner.sizes import size_of
from medperf_git.runner.store import RunFolder, Step

_COLUMNS = ("run", "benchmark", "dataset", "state", "models", "failed", "partial", "began", "size")
_STEPS: tuple[Step, ...] = ("infer", "evaluate")
_PIECE = 1 << 16
_LOOK_SECONDS = 0.5
_WORDS = 2000


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
    """Return one line for each run, the latest first; one whose notes are damaged hides no other."""
    return [_row(run) if _is_readable(run) else _damaged_row(run) for run in run_store(home).runs()]


def show_run(home: Path, text: str | None) -> dict[str, Any]:
    """Return what is known of a run: its command, and each model with the times of its steps."""
    run = find_run(home, text)
    outcomes = outcomes_of(run)
    ended = {outcome.model.ref for outcome in outcomes}
    models = [outcome_row(one) | _steps(run, one.model.ref) for one in outcomes]
    passed_over = {ref: why for ref in run.models() if ref not in ended and (why := run.model(ref).skipped())}
    models += [skipped_row(ref, why) | _steps(run, ref) for ref, why in passed_over.items()]
    begun = [ref for ref in run.models() if run.model(ref).is_open()]
    open_ones = {"at_work" if run.is_running() else "to_go_on": [_at_work(run, ref) for ref in begun]}
    seen = {*ended, *passed_over, *begun}
    waiting = [str(ref) for ref in run.planned() if ref not in seen]
    return {**_row(run), "folder": str(run.path), **_command(run), **open_ones, "waiting": waiting, "models": models}


def outcomes_of(run: RunFolder) -> list[Outcome]:
    """Return the latest outcome of every model that this run has seen and finished."""
    kept = [outcome_from_plain(run.model(ref).outcome() or {}) for ref in run.models()]
    return [outcome for outcome in kept if outcome is not None]


def state_of(run: RunFolder, *, ended: Collection[Ref] = ()) -> str:
    """Return whether a run is running, finished, interrupted or damaged; `ended` are models known to have ended."""
    if run.is_running():
        return "running"
    if not _is_readable(run):
        return "damaged"
    if not run.is_finished():
        return "interrupted"
    rest = [run.model(ref) for ref in run.planned() if ref not in ended]
    return "finished" if all(model.outcome() or model.skipped() for model in rest) else "interrupted"


def _is_readable(run: RunFolder) -> bool:
    try:
        run.plan()
    except EnvironmentProblem:
        return False
    return True


def last_words(run: RunFolder, most: int = _WORDS) -> str:
    """Return the last of what a detached command said."""
    try:
        with run.output.open("rb") as file:
            file.seek(max(0, run.output.stat().st_size - most))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a container, and what it is of."""

    title: str
    path: Path

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, reading no more of the file than these."""
        with self.path.open("rb") as file:
            end = file.seek(0, 2)
            data = b""
            while end > 0 and data.count(b"\n") <= lines:
                begin = max(0, end - max(_PIECE, len(data)))  # twice as much each time: a line may have no end
                file.seek(begin)
                data = file.read(end - begin) + data
                end = begin
        return data.decode("utf-8", "replace").splitlines()[-lines:]

    def pieces(self) -> Iterator[str]:
        """Yield the lines one by one."""
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            yield from (line.rstrip("\n") for line in file)


def chosen_models(run: RunFolder, model: str | None) -> list[Ref]:
    """Return the models of a run that `model` names, all for None; `UsageProblem` when it names none."""
    refs = [ref for ref in run.models() if model is None or model in (str(ref), ref.unversioned, ref.name)]
    if not refs and model is None:
        hint = f"no model of it has begun yet; what its command said: medperf-git runs show {run.run_id}"
        raise UsageProblem(f"run {run.run_id} has no logs", hint=hint)
    if not refs:
        seen = ", ".join(map(str, run.models())) or "none"
        raise UsageProblem(f"run {run.run_id} has no model {model!r}", hint=f"its models: {seen}")
    return refs


def iter_logs(home: Path, text: str | None, *, model: str | None = None) -> Iterator[Log]:
    """Yield every log of the latest attempt of each model."""
    run = find_run(home, text)
    for ref in chosen_models(run, model):
        yield from _logs_of(run, ref)


def last_log(run: RunFolder, ref: Ref, step: Step) -> Log | None:
    """Return the newest log of a model's step, from whichever attempt; None when it never ran here."""
    found = sorted((run.path / "models" / ref.folder / "logs").glob(f"[0-9]*/{step}.log"))
    return Log(f"{ref}, {step}", found[-1]) if found else None


def follow_logs(
    home: Path, text: str | None, *, model: str | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, str]]:
    """Yield (title, whole lines) as containers print them, until the run is under way no more."""
    run = find_run(home, text)
    seen: dict[Path, int] = {}
    while True:
        running = run.is_running()
        told_any = False
        for log in _followed(run, model):
            if told := _new_lines(log.path, seen, whole=running):
                told_any = True
                yield log.title, told
        if told_any:
            continue
        if not running:
            return
        pause(_LOOK_SECONDS)


def _followed(run: RunFolder, model: str | None) -> Iterator[Log]:
    if model is None and run.output.exists():
        yield Log("the command", run.output)
    for ref in run.models():
        if model is None or model in (str(ref), ref.unversioned, ref.name):
            yield from _logs_of(run, ref)


def _new_lines(path: Path, seen: dict[Path, int], *, whole: bool) -> str:
    """Return what was printed since the last look; with `whole`, up to the last line feed."""
    try:
        with path.open("rb") as file:
            file.seek(seen.get(path, 0))
            data = file.read(_PIECE)
    except OSError:
        return ""
    if whole and len(data) < _PIECE:
        data = data[: data.rfind(b"\n") + 1]
    seen[path] = seen.get(path, 0) + len(data)
    return data.decode("utf-8", "replace")


def _logs_of(run: RunFolder, ref: Ref) -> Iterator[Log]:
    folders = sorted(one for one in (run.path / "models" / ref.folder / "logs").glob("*") if one.name.isdigit())
    for path in sorted(folders[-1].glob("*.log"), key=lambda path: path.stat().st_mtime) if folders else ():
        yield Log(f"{ref}, attempt {int(folders[-1].name)}, {path.stem}", path)


def _row(run: RunFolder) -> dict[str, Any]:
    plan, outcomes = run.plan(), outcomes_of(run)
    return {
        "run": run.run_id,
        "benchmark": plan["benchmark"]["ref"],
        "dataset": plan["dataset"]["ref"],
        "state": state_of(run, ended={outcome.model.ref for outcome in outcomes}),
        "models": len(outcomes),
        "failed": sum(outcome.outcome == "failed" for outcome in outcomes),
        "partial": sum(outcome.outcome == "partial" for outcome in outcomes),
        "began": run.command().get("started", ""),
        "size": size_text(size_of(run.path)),
    }


def _damaged_row(run: RunFolder) -> dict[str, Any]:
    known = {"run": run.run_id, "state": state_of(run), "size": size_text(size_of(run.path))}
    return dict.fromkeys(_COLUMNS, "") | known


def _at_work(run: RunFolder, ref: Ref) -> str:
    """Return a model with the step that was last begun of it."""
    steps = [step for step in _STEPS if run.model(ref).log(step, run.model(ref).attempts()).exists()]
    return f"{ref} ({steps[-1]})" if steps else str(ref)


def _command(run: RunFolder) -> dict[str, Any]:
    """Return what is known of the last command, in words; a process that was killed left no end."""
    noted = run.command()
    error = str(noted.get("error") or "")
    if not error and noted and not noted.get("ended") and not run.is_running():
        error = "the process ended without a word: it was killed, or the machine went down"
    return {
        "ended": noted.get("ended", ""),
        "process": run.holder() or "",
        "detached": bool(noted.get("detached")),
        "error": error,
        "do_now": str(noted.get("hint") or "") or (_resuming(run) if error else ""),
        "output": str(run.output) if run.output.exists() else "",
    }


def _resuming(run: RunFolder) -> str:
    """Return the command that goes on with a run."""
    plan = run.plan()
    return f"medperf-git run {plan['benchmark']['ref']} --dataset {plan['dataset']['ref']} --resume"


def _steps(run: RunFolder, ref: Ref) -> dict[str, Any]:
    """Return how long each finished step of a model took, and what it needed."""
    marks = {step: mark for step in _STEPS if (mark := run.model(ref).mark(step))}
    words = {step: duration_text(mark.seconds) + (" (kept)" if mark.reused else "") for step, mark in marks.items()}
    steps = [
        {
            "step": step, "seconds": mark.seconds, "started": mark.started, "finished": mark.finished,
            "attempt": mark.attempt, "exit_code": mark.exit_code, "peak_memory": mark.peak_memory,
            "peak_disk": mark.peak_disk, "files": len(mark.files), "reused": mark.reused,
        }
        for step, mark in marks.items()
    ]  # fmt: skip
    return {step: words.get(step, "") for step in _STEPS} | {"steps": steps}
