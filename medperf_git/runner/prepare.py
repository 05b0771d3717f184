"""Prepare a dataset with its benchmark's data preparator: prepare → sanity_check → statistics.

Outputs grow in a work folder that is kept between attempts, since preparators may stop for a person's review and go
on from their report. Only when all three tasks have passed does the dataset appear, taken over file by file.

    <target>/work/…   <target>/logs/…   <target>/data  labels  metadata  report.yaml  statistics  prepared.json
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed
from medperf_git.records.digests import Digest
from medperf_git.runner.collect import TakenFile
from medperf_git.runner.durable import write_durably
from medperf_git.runner.engine import Profile, User
from medperf_git.runner.events import Event, EventKind, OnEvent
from medperf_git.runner.manifest import ManifestEntry, digest_of_entries
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube, plan_task
from medperf_git.runner.reduce import InvalidOutput
from medperf_git.runner.results_file import read_results
from medperf_git.runner.signals import stoppable
from medperf_git.runner.staging import give_tree, private_folder
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, run_task
from medperf_git.runner.trees import remove_tree

_CASES_KEYS = ("num_cases", "cases", "number_of_cases", "n_cases")
_FOLDERS = {"output_path": "data", "output_labels_path": "labels", "metadata_path": "metadata"}
_REPORT = "report_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A prepared dataset: where it lies, its content digest, what it counts, what its preparation took.

    `statistics` is the whole statistics file, which stays at the site; `cases` is None where it names no number.
    """

    folders: DatasetFolders
    content: Digest
    files: int
    total_bytes: int
    cases: int | None
    statistics: Any
    seconds: float
    peak_memory: int | None


def prepare_dataset(
    preparator: PinnedCube,
    raw_data: Path,
    raw_labels: Path,
    *,
    target: Path,
    bench: Bench,
    profile: Profile = Profile.STRICT,
    on_event: OnEvent = lambda _: None,
    check_sandbox: Callable[[], object] = lambda: None,
) -> Prepared:
    """Prepare raw data into `target` and return what is needed to register it; ContainerFailed when a task fails.

    After a failure the same call goes on with what the preparator had written.
    """
    check_sandbox()
    private_folder(target)
    making = _Making(preparator, target, bench, profile, on_event)
    with stoppable(bench.stop):
        first = making.prepare(raw_data, raw_labels)
        making.task("sanity_check", making.prepared_inputs(), {})
        third = making.task("statistics", making.prepared_inputs(), {"output_path": target / "statistics"})
    statistics = _statistics(target / "statistics")
    entries = making.entries(first)
    remove_tree(target / "work")
    peaks = [run.result.peak_memory or 0 for run in (first, third)]
    prepared = Prepared(
        folders=making.folders(),
        content=digest_of_entries(entries),
        files=len(entries),
        total_bytes=sum(entry.size for entry in entries),
        cases=_cases(statistics),
        statistics=statistics,
        seconds=first.result.seconds + third.result.seconds,
        peak_memory=max(peaks) or None,
    )
    write_durably(target / "prepared.json", _summary(prepared))
    return prepared


def progress_of(target: Path) -> Path | None:
    """Return the preparator's report file while data is being prepared or is ready, None when it writes none."""
    found = (target / "work" / _REPORT, target / "report.yaml")
    return next((path for path in found if path.is_file()), None)


@dataclass(frozen=True, slots=True)
class _Making:
    """The tasks of one preparation."""

    preparator: PinnedCube
    target: Path
    bench: Bench
    profile: Profile
    on_event: OnEvent

    def prepare(self, raw_data: Path, raw_labels: Path) -> TaskRun:
        """Run the first task on its kept work folder, and take over what it wrote."""
        plan = plan_task(self.preparator, "prepare")
        live = {slot.key: self.target / "work" / slot.key for slot in plan.outputs}
        user = self.bench.engine.user(self.profile)
        for path in live.values():
            self._give(path, user)
        targets = {key: self.target / name for key, name in _FOLDERS.items()} | {_REPORT: self.target / "report.yaml"}
        inputs = {"data_path": raw_data, "labels_path": raw_labels}
        return self.task("prepare", inputs, {key: targets[key] for key in live}, live)

    def _give(self, path: Path, user: User) -> None:
        try:
            give_tree(path, user)
        except OSError as error:
            raise ContainerFailed(
                f"what an earlier attempt wrote cannot be gone on with: {error}",
                hint=f"begin anew: remove {self.target}, and tell the preparator's owner",
            ) from error

    def task(
        self, name: str, inputs: Mapping[str, Path], targets: Mapping[str, Path], live: Mapping[str, Path] | None = None
    ) -> TaskRun:
        """Run one task; ContainerFailed says which one failed and why."""
        self.on_event(Event(kind=EventKind.STARTED, step=name))
        log = self.target / "logs" / f"{name}.log"
        try:
            run = run_task(
                self.bench,
                plan_task(self.preparator, name),
                inputs=inputs,
                targets=targets,
                log=log,
                profile=self.profile,
                live=live,
            )
        except StepFailed as failure:
            raise ContainerFailed(
                f"{name} failed: {failure.message}", hint=failure.hint or f"its output is in {log}"
            ) from failure
        self.on_event(Event(kind=EventKind.FINISHED, step=name, text=f"{run.result.seconds:.1f} s"))
        return run

    def folders(self) -> DatasetFolders:
        """Return where the prepared dataset lies."""
        labels, metadata = self.target / "labels", self.target / "metadata"
        data = self.target / "data"
        return DatasetFolders(data, labels if labels.is_dir() else data, metadata if metadata.is_dir() else None)

    def prepared_inputs(self) -> dict[str, Path]:
        """Return the inputs of the later tasks."""
        folders = self.folders()
        inputs = {"data_path": folders.data, "labels_path": folders.labels}
        report = self.target / "report.yaml"
        if report.is_file():
            inputs[_REPORT] = report
        return inputs | ({"metadata_path": folders.metadata} if folders.metadata else {})

    def entries(self, first: TaskRun) -> list[ManifestEntry]:
        """Return the dataset's manifest from what was hashed when it was taken over."""
        return [
            ManifestEntry(role, taken.path, taken.size, taken.digest)
            for key, role in _FOLDERS.items()
            for taken in _taken(first, key)
        ]


def _taken(run: TaskRun, key: str) -> tuple[TakenFile, ...]:
    return run.outputs.get(key, ())


def _statistics(path: Path) -> Any:
    try:
        return read_results(path)
    except InvalidOutput as error:
        raise ContainerFailed(
            f"statistics failed: {error}", hint=f"the file is {path}; tell the preparator's owner"
        ) from error


def _cases(statistics: Any) -> int | None:
    if not isinstance(statistics, dict):
        return None
    found = (statistics.get(key) for key in _CASES_KEYS)
    return next(
        (number for number in found if isinstance(number, int) and not isinstance(number, bool) and number > 0), None
    )


def _summary(prepared: Prepared) -> bytes:
    value = {
        "content": prepared.content,
        "files": prepared.files,
        "bytes": prepared.total_bytes,
        "cases": prepared.cases,
    }
    return json.dumps(value, sort_keys=True, indent=1).encode() + b"\n"
