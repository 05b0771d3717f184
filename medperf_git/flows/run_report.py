"""A page for the owner of a model about how it ran: the hospital reads it and sends it itself, or does not.

It says what is needed to mend a container: limits, profile, exit code, times, peaks, digests, the last lines of the
model's own log. It holds no value, no prediction, and nothing of the metrics container's log, which has seen labels.
"""

import getpass
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git import __version__
from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.amounts import duration_text, size_text
from medperf_git.flows.masking import Mask, names_in
from medperf_git.flows.prepared import iter_prepared
from medperf_git.flows.runbook import chosen_models, find_run, last_log
from medperf_git.flows.wording import cut, escape
from medperf_git.records.names import Ref
from medperf_git.runner.outcome import Outcome, outcome_from_plain
from medperf_git.runner.store import Mark, RunFolder, Step

_WIDEST = 400
_STEPS: tuple[Step, ...] = ("infer", "evaluate")
_LIMITS = {
    "memory_bytes": "memory", "shm_bytes": "shared memory", "tmp_bytes": "temporary files",
    "volume_bytes": "each volume", "output_bytes": "outputs", "file_bytes": "one file", "log_bytes": "log",
}  # fmt: skip
_COUNTS = {"cpus": "cores", "pids": "processes", "open_files": "open files", "output_files": "output files"}


@dataclass(frozen=True, slots=True)
class Report:
    """A page about one model, and what was masked in it."""

    run_id: str
    model: Ref
    text: str
    masked: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """How the page is called unless somebody names it."""
        return f"report-{self.model.folder}-{self.run_id[:8]}.md"


def build_report(home: Path, text: str | None, *, model: str | None, lines: int) -> Report:
    """Write the page about one model of a run; `lines` of its log at most, 0 for none.

    `UsageProblem` when several models could be meant, or none of them has ended yet.
    """
    run = find_run(home, text)
    refs = [ref for ref in chosen_models(run, model) if run.model(ref).outcome() or run.model(ref).attempts()]
    if model is None and len(refs) > 1:
        refs = [ref for ref in refs if (run.model(ref).outcome() or {}).get("outcome") == "failed"] or refs
    if len(refs) != 1:
        said = f"run {run.run_id} has {len(refs)} models that a report could be about"
        raise UsageProblem(said, hint=f"name one with --model: {', '.join(map(str, refs)) or 'none has run'}")
    (ref,) = refs
    mask, whole = _mask_of(home, run, ref)
    page = "\n".join(_page(run, ref, mask, lines=lines, whole=whole)) + "\n"
    return Report(run.run_id, ref, page, tuple(mask.said()))


def _mask_of(home: Path, run: RunFolder, ref: Ref) -> tuple[Mask, bool]:
    plan = run.plan()
    data = [one for one in iter_prepared(home) if one.content == plan.get("content")]
    names, whole = names_in([root for one in data for root in one.roots.values()])
    for mark in filter(None, (run.model(ref).mark(step) for step in _STEPS)):
        names.update(part for file in mark.files for part in Path(file.path).parts)
    host = [str(home), str(Path.home()), platform.node(), getpass.getuser(), *(str(one.folder) for one in data)]
    slots = [slot["inside"] for slot in _slots(plan, ref)]
    return Mask(
        names, mounts=slots, host=[text for text in host if text not in ("/", "/root", "root")]
    ), whole and bool(data)


def _slots(plan: dict[str, Any], ref: Ref) -> Iterator[dict[str, Any]]:
    """Yield the mounts of a model's task that hold data or what is made of it."""
    for model in plan.get("models", ()):
        infer = model.get("infer") or {}
        if model["model"]["ref"] == str(ref) and "inputs" in infer:
            yield from (slot for slot in infer["inputs"] if slot["key"] == "data_path")
            yield from infer["outputs"]


def _page(run: RunFolder, ref: Ref, mask: Mask, *, lines: int, whole: bool) -> Iterator[str]:
    plan, state = run.plan(), run.model(ref)
    outcome = outcome_from_plain(state.outcome() or {})
    yield f"# How {ref} ran"
    yield ""
    yield "For the owner of the model. Nothing was sent: whoever ran it reads this page, and sends it or does not."
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in _facts(plan, state.attempts(), outcome):
        yield f"| {name} | {_cell(mask.apply(value))} |"
    for step in _STEPS:
        if mark := state.mark(step):
            yield f"| {step} | {_measured(mark)} |"
    if lines:
        yield ""
        yield f"## The last {lines} lines of its log"
        yield ""
        yield from _log_lines(run, ref, mask, lines)
    yield ""
    yield "## What was masked"
    yield ""
    yield from (f"- {said}" for said in mask.said())
    if not whole:
        yield "- not all names of the data could be read here: look closely"
    yield ""
    yield (
        "Recognised are names of files and cases, words with digits of small tables, paths and names of the machine, "
        "addresses, dates, numbers of six digits and more. A container can print anything in any form: read before you "
        "send. Values of metrics, predictions, and the log of the metrics container, which has seen the labels, are "
        "not part."
    )


def _facts(plan: dict[str, Any], attempts: int, outcome: Outcome | None) -> Iterator[tuple[str, str]]:
    yield "benchmark", plan["benchmark"]["ref"]
    yield "client", f"medperf-git {__version__}"
    if outcome is None:
        yield "outcome", f"none yet, attempt {attempts}"
        return
    yield "model record", f"{outcome.model.ref}, {outcome.model.digest}"
    yield "image", outcome.images.model
    yield "metrics image", outcome.images.metrics
    if outcome.parameters:
        yield "parameters", f"model {outcome.parameters.model}, metrics {outcome.parameters.metrics}"
    yield "outcome", outcome.outcome + (f": {outcome.reason}" if outcome.reason else "")
    if outcome.explanation:
        yield "in words", outcome.explanation
    if outcome.exit_code is not None:
        yield "exit code", str(outcome.exit_code)
    yield "attempt", str(outcome.attempt)
    yield "sandbox profile", str(outcome.sandbox)
    yield "engine", f"{outcome.engine.name} {outcome.engine.version}"
    yield "began, ended", f"{outcome.started}, {outcome.finished}"
    yield "at work", duration_text(outcome.seconds)
    yield "peak memory", _bytes(outcome.peak_memory)
    yield "peak disk", _bytes(outcome.peak_disk)
    if outcome.limits:
        yield "limits", "; ".join(_limits(outcome.limits))


def _limits(limits: dict[str, float]) -> Iterator[str]:
    yield f"time {duration_text(limits.get('wall_seconds', 0))}"
    yield from (f"{word} {size_text(int(limits[key]))}" for key, word in _LIMITS.items() if key in limits)
    yield from (f"{word} {limits[key]:g}" for key, word in _COUNTS.items() if key in limits)


def _measured(mark: Mark) -> str:
    taken = ", taken from an earlier run" if mark.reused else ""
    peaks = f"memory {_bytes(mark.peak_memory)}, disk {_bytes(mark.peak_disk)}"
    return f"exit code {mark.exit_code}, {duration_text(mark.seconds)}, {peaks}, {len(mark.files)} file(s){taken}"


def _log_lines(run: RunFolder, ref: Ref, mask: Mask, lines: int) -> Iterator[str]:
    log = last_log(run, ref, "infer")
    tail = log.tail(lines) if log else []
    for line in tail:
        yield "    " + escape(cut(mask.apply(line), _WIDEST))
    if not tail:
        yield "    (it printed nothing)"


def _bytes(count: int | None) -> str:
    return "not measured" if count is None else size_text(count)


def _cell(text: str) -> str:
    return escape(text).replace("|", "\\|").replace("\n", " ")


def write_report(report: Report, out: Path | None) -> Path:
    """Write the page, for its owner alone to read, and return where; a file that is there already is not replaced."""
    path = out or Path(report.file_name)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise Refused(f"{path} is there already", hint="move it away, or name another file with --out") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(report.text)
    return path
