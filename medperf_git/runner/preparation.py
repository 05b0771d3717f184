"""The folder of one preparation: what grows in it, what is finished, how it stands. Readable while it is at work.

    <folder>/work/<mount key>/…  work/report/…  logs/<task>.log      what the preparator writes, kept between attempts
    <folder>/data  labels  metadata  report.yaml  manifest           what was taken over when `prepare` had ended
    <folder>/statistics                                              what the statistics task wrote
    <folder>/marks.json  state.json                                  which task is finished; how it stands, for people

A mark holds the key of everything that decided its task, and counts while that key and the files still fit.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medperf_git.errors import Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.durable import locked, read_json, sync_folder, write_durably, write_json
from medperf_git.runner.manifest import ManifestEntry, parse_manifest
from medperf_git.runner.report import Report, read_report

Task = Literal["prepare", "sanity_check", "statistics"]
Standing = Literal["preparing", "waits-for-a-person", "failed", "interrupted", "prepared", "unknown"]

TASKS: tuple[Task, ...] = ("prepare", "sanity_check", "statistics")
MANIFEST = "manifest"
REPORT = "report.yaml"
_MARKS, _STATE = "marks.json", "state.json"
_LASTING = ("mounts", "report_folder")
_FEW_FILES = 256


class WaitsForPerson(Refused):
    """Preparation stops until a person has done something: no failure; the same command goes on afterwards."""

    def __init__(self, message: str, *, hint: str, report: Report) -> None:
        super().__init__(message, hint=hint)
        self.report = report


@dataclass(frozen=True, slots=True)
class TaskMark:
    """A finished task: the key of what decided it, seconds it took, peak bytes of memory."""

    key: Digest
    seconds: float
    peak_memory: int | None


@dataclass(frozen=True, slots=True)
class PreparationFolder:
    """One preparation on disk."""

    path: Path

    @property
    def work(self) -> Path:
        """What the preparator writes, and a person may correct."""
        return self.path / "work"

    def log(self, task: str) -> Path:
        """Return where the log of a task lies."""
        return self.path / "logs" / f"{task}.log"

    def mark(self, task: Task) -> TaskMark | None:
        """Return the mark of a finished task, None when there is none."""
        value: Any = (read_json(self.path / _MARKS) or {}).get(task)
        try:
            return TaskMark(Digest(value["key"]), float(value["seconds"]), value["peak_memory"])
        except (KeyError, TypeError, ValueError):
            return None

    def write_mark(self, task: Task, mark: TaskMark) -> None:
        """Note that a task is finished, and all that follows it is not."""
        kept = read_json(self.path / _MARKS) or {}
        before = {name: kept[name] for name in TASKS[: TASKS.index(task)] if name in kept}
        value = {"key": mark.key, "seconds": round(mark.seconds, 3), "peak_memory": mark.peak_memory}
        write_json(self.path / _MARKS, before | {task: value})

    def forget_marks(self) -> None:
        """Note that every task is to be done again."""
        write_json(self.path / _MARKS, {})

    def write_manifest(self, entries: list[ManifestEntry]) -> None:
        """Keep the manifest, after the files that it names have reached the disk."""
        self._sync(entries)
        write_durably(self.path / MANIFEST, b"".join(sorted(entry.line() for entry in entries)))

    def manifest(self) -> tuple[ManifestEntry, ...] | None:
        """Return the kept manifest, None where none is kept or it is damaged."""
        return read_manifest(self.path)

    def write_state(self, standing: Standing, **more: Any) -> None:
        """Note how it stands, for whoever looks from another terminal."""
        kept = {key: value for key, value in self.state().items() if key in _LASTING}
        write_json(self.path / _STATE, kept | {"standing": standing} | more)

    def state(self) -> dict[str, Any]:
        """Return how it stood when that was last noted."""
        return read_json(self.path / _STATE) or {}

    def note_mounts(self, mounts: Mapping[str, str]) -> None:
        """Note which path inside the container is which mount key, so that paths of a report can be shown."""
        write_json(self.path / _STATE, self.state() | {"mounts": dict(mounts)})

    def mounts(self) -> dict[str, Path]:
        """Return where the paths lie that the preparator sees: path inside → path here."""
        noted = self.state().get("mounts")
        pairs = noted.items() if isinstance(noted, dict) else ()
        return {str(inside): self.work / str(key) for inside, key in pairs}

    def report_file(self) -> Path | None:
        """Return the preparator's report while data is being prepared or is ready, None when it writes none."""
        folder = self.work / "report"
        live = [entry for entry in _names(folder) if not entry.startswith(".")]
        if live:
            return folder / min(live)
        kept = self.path / REPORT
        return kept if kept.is_file() else None

    def report(self) -> Report | None:
        """Return what the report says; None where there is none, or nothing in it."""
        path = self.report_file()
        return read_report(path) if path else None

    def is_held(self) -> bool:
        """Tell whether a process is at work on it."""
        try:
            with locked(lock_of(self.path)):
                return False
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _sync(self, entries: list[ManifestEntry]) -> None:
        if len(entries) > _FEW_FILES:
            os.sync()
            return
        for entry in entries:
            path = self.path / entry.role / entry.path
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        sync_folder(self.path)


def lock_of(folder: Path) -> Path:
    """Return the lock file of a preparation."""
    return folder.with_suffix(".lock")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a preparation; Refused while another process does."""
    try:
        with locked(lock_of(folder)):
            yield
    except BlockingIOError as error:
        hint = "wait until it has ended (`medperf-git dataset progress` shows it), or choose another --name"
        raise Refused("this dataset is being prepared by another process", hint=hint) from error


def read_manifest(folder: Path) -> tuple[ManifestEntry, ...] | None:
    """Return the manifest that lies beside a prepared dataset, None where none is kept or it is damaged."""
    try:
        return parse_manifest((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
