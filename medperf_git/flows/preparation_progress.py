"""How the preparation of a dataset stands: its stages and the cases that wait for a person, live or from outside.

All of it is read from this machine and stays here; no registry is asked.
"""

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.flows.home import reachable, read_json
from medperf_git.flows.prepared import find_prepared
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.preparation import PreparationFolder
from medperf_git.runner.report import Report, ReportCase, Stage, placed

_EVERY_SECONDS = 5.0
_MOST_SHOWN = 20
_WORTH_TELLING = 100_000_000  # bytes; less is read in a moment
_GOES_ON = {
    "preparing": "a process is at work on it",
    "waits-for-a-person": "it waits for a person",
    "failed": "it failed",
    "interrupted": "it was interrupted",
    "prepared": "it is prepared",
    "unknown": "nothing is known about it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one preparation stands."""

    name: str
    folder: PreparationFolder
    standing: str
    task: str
    why: str
    do_now: str
    command: tuple[str, ...]
    report: Report | None

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON, every waiting case among them."""
        report = self.report or Report()
        return {
            "name": self.name,
            "standing": self.standing,
            "task": self.task,
            "why": self.why,
            "do_now": self.do_now,
            "folder": str(self.folder.path),
            "work": str(self.folder.work) if self.folder.work.is_dir() else "",
            "command": list(self.command),
            "cases": len(report.cases),
            "done": report.done,
            "stages": [_stage_value(stage) for stage in report.stages()],
            "waiting": [self._case_value(case) for case in report.waiting],
            "report": {"fault": report.fault, "other": list(report.other)},
        }

    def lines(self) -> Iterator[str]:
        """Say it in words."""
        yield f"{self.name}: {_GOES_ON.get(self.standing, self.standing)}{f' ({self.task})' if self.task else ''}"
        if self.why:
            yield f"  {self.why}"
        yield from (f"  {line}" for line in report_lines(self.report))
        waiting = self.report.waiting if self.report else ()
        if waiting:
            yield "these cases wait for a person:"
        for case in waiting[:_MOST_SHOWN]:
            yield f"  {case.case}: {case.comment or case.stage or 'no word about what is to be done'}"
            yield from (f"      {place}" for place in self.places(case))
        if len(waiting) > _MOST_SHOWN:
            yield f"  … and {len(waiting) - _MOST_SHOWN} more (--json lists all)"
        if self.folder.work.is_dir() and self.standing != "preparing":
            yield f"the working folder: {self.folder.work}"
        if self.standing in ("waits-for-a-person", "failed", "interrupted"):
            if self.do_now:
                yield f"do now: {self.do_now}"
            yield f"then go on with: {shlex.join(self.command) or 'the same `medperf-git dataset prepare` command'}"

    def places(self, case: ReportCase) -> tuple[Path, ...]:
        """Return where the files of a case lie on this machine, as far as the report says it."""
        mounts, work = self.folder.mounts(), self.folder.work
        labels = work / "output_labels_path"
        found = (
            placed(case.data_path, mounts, within=work / "output_path"),
            placed(case.labels_path, mounts, within=labels if labels.is_dir() else work / "output_path"),
        )
        return tuple(dict.fromkeys(place for place in found if place is not None))

    def _case_value(self, case: ReportCase) -> dict[str, Any]:
        status = case.status
        return {
            "case": case.case,
            "status": int(status) if status is not None and status.is_integer() else status,
            "stage": case.stage,
            "comment": case.comment,
            "places": [str(place) for place in self.places(case)],
        }


class PrepareProgress:
    """Says which task is at work and how far the cases are; guards what was last told, and when."""

    def __init__(self, say: Callable[[str], None], about: str, *, every: float = _EVERY_SECONDS) -> None:
        self._say = say
        self._about = about
        self._every = every
        self._told = time.monotonic() - every
        self._last: tuple[str, ...] = ()

    def __call__(self, event: Event) -> None:
        """Say one event."""
        match event.kind:
            case EventKind.STARTED:
                self._say(f"{event.step}: {self._about} …")
            case EventKind.FINISHED:
                self._say(f"{event.step}: {event.text}")
            case EventKind.KEPT:
                self._say(f"{event.step}: was finished before")
            case EventKind.WARNING:
                self._say(f"{event.step}: {event.text}")
            case EventKind.VERIFYING if event.total >= _WORTH_TELLING and self._is_due():
                self._say(f"reading {event.text}: {100 * event.done // event.total} %")
            case _:
                return

    def report(self, report: Report) -> None:
        """Say what a report says, when it says something new and not too often."""
        lines = tuple(report_lines(report))
        if lines != self._last and self._is_due():
            self._last = lines
            for line in lines:
                self._say(f"  {line}")

    def _is_due(self) -> bool:
        if time.monotonic() - self._told < self._every:
            return False
        self._told = time.monotonic()
        return True


def report_lines(report: Report | None) -> Iterator[str]:
    """Say how many cases are at which stage."""
    if report is None:
        return
    if report.fault:
        yield f"the preparator's report: {report.fault}"
    yield from report.other
    if report.cases:
        all_cases, waiting = len(report.cases), len(report.waiting)
        done = f", {report.done} done ({100 * report.done / all_cases:.0f} %)" if report.done else ""
        yield f"{_counted(all_cases, 'case')}{done}, {waiting} {'waits' if waiting == 1 else 'wait'} for a person"
    for stage in report.stages()[:_MOST_SHOWN]:
        number = "" if stage.status is None else f"{stage.status:g} "
        waits = ", for a person to do" if stage.waits else ""
        yield f"  {number}{stage.stage or 'without a name'}: {stage.cases} ({stage.percent:g} %){waits}"


def standing_of(home: Path, name: str | None = None, *, registry: str = "") -> list[Standing]:
    """Return how the preparations of this machine stand: those under way, or the one called `name`.

    `registry` keeps to those of one registry. `UsageProblem` when nothing of that name was ever begun here.
    """
    under_way = [one for one in _iter_under_way(home, registry) if name is None or one.name == name]
    if under_way or name is None:
        return under_way
    prepared = find_prepared(home, name)
    return [_standing(PreparationFolder(prepared.folder), name=prepared.name, whole=True)]


def _iter_under_way(home: Path, registry: str) -> Iterator[Standing]:
    for folder in sorted(reachable(home / "datasets").glob(f".{registry}*.partial")):
        _, _, name = folder.name.removesuffix(".partial").rpartition(".")
        yield _standing(PreparationFolder(folder), name=name, whole=False)


def _standing(folder: PreparationFolder, *, name: str, whole: bool) -> Standing:
    state = folder.state()
    standing = "prepared" if whole else str(state.get("standing", "unknown"))
    if standing == "preparing" and not folder.is_held():
        standing = "interrupted"
    command = read_json(folder.path / "command.json").get("command", [])
    return Standing(
        name=name,
        folder=folder,
        standing=standing,
        task="" if whole else str(state.get("task", "")),
        why="" if whole else str(state.get("why", "")),
        do_now="" if whole else str(state.get("do_now", "")),
        command=tuple(map(str, command)) if isinstance(command, list) else (),
        report=folder.report(),
    )


def _stage_value(stage: Stage) -> dict[str, Any]:
    status = stage.status
    return {
        "status": int(status) if status is not None and status.is_integer() else status,
        "stage": stage.stage,
        "cases": stage.cases,
        "percent": stage.percent,
        "waits": stage.waits,
    }


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
