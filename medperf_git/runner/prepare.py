"""Prepare a dataset with its benchmark's data preparator: prepare → sanity_check → statistics.

Outputs grow in a work folder that is kept between attempts, since preparators may stop for a person's work and go on
from their report. What `prepare` leaves is taken over file by file and hashed on the way; the other two tasks see
that copy. A finished task leaves a mark, and is not run again as long as nothing that decides it has changed.
`preparation` says what lies where.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, EnvironmentProblem, Interrupted
from medperf_git.records.digests import Digest
from medperf_git.runner.adopt import copy_in, fingerprint
from medperf_git.runner.collect import Caps, HostileOutput, is_plain_name, look_over
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, room_for_containers
from medperf_git.runner.durable import write_durably
from medperf_git.runner.engine import Ended, Profile, StepResult
from medperf_git.runner.events import Event, EventKind, OnEvent
from medperf_git.runner.manifest import ManifestEntry, Progress, digest_of_entries, manifest_of
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube, TaskPlan, plan_task
from medperf_git.runner.preparation import REPORT, TASKS, PreparationFolder, Task, TaskMark, WaitsForPerson
from medperf_git.runner.reduce import InvalidOutput
from medperf_git.runner.report import Report
from medperf_git.runner.report_mount import REPORT_KEY, has_own_folder, report_slot, with_report_folder
from medperf_git.runner.report_watch import OnReport, watched
from medperf_git.runner.results_file import read_results
from medperf_git.runner.signals import stoppable
from medperf_git.runner.staging import give_tree, private_folder
from medperf_git.runner.taking_over import bytes_of, take_over
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, run_task
from medperf_git.runner.trees import remove_tree
from medperf_git.runner.watch import usage

_CASES_KEYS = ("num_cases", "cases", "number_of_cases", "n_cases")
_FIRST_GLANCE = 120.0  # seconds; what fails later than that did more than look at its report


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
    on_report: OnReport | None = None,
    check_sandbox: Callable[[], object] = lambda: None,
) -> Prepared:
    """Prepare raw data into `target` and return what is needed to register it.

    WaitsForPerson when a person must do something first, ContainerFailed when a task fails; after either the same
    call goes on with what the preparator had written.
    """
    making = _Making(preparator, PreparationFolder(private_folder(target)), bench, profile, on_event, on_report)
    with stoppable(bench.stop), _noted(making):
        check_sandbox()
        entries = making.prepared(raw_data, raw_labels)
        return making.finished(entries, making.folders())


def adopt_dataset(
    preparator: PinnedCube,
    given: DatasetFolders,
    *,
    target: Path,
    bench: Bench,
    in_place: bool = False,
    profile: Profile = Profile.STRICT,
    on_event: OnEvent = lambda _: None,
    check_sandbox: Callable[[], object] = lambda: None,
) -> Prepared:
    """Check and count data that is prepared already: copied into `target`, or left where it lies.

    ContainerFailed when the preparator's own sanity check does not take it.
    """
    making = _Making(preparator, PreparationFolder(private_folder(target)), bench, profile, on_event, None)
    with stoppable(bench.stop), _noted(making):
        check_sandbox()
        entries = making.adopted(given, in_place=in_place)
        return making.finished(entries, given if in_place else making.folders())


def preparation_key(preparator: PinnedCube, raw_data: Path, raw_labels: Path, profile: Profile) -> Digest:
    """Return the digest of what decides the outcome of `prepare`: container, profile, and the raw files as listed."""
    plan = plan_task(preparator, "prepare")
    return plan.key(str(profile), fingerprint(raw_data), fingerprint(raw_labels))


@dataclass(frozen=True, slots=True)
class _Making:
    """The tasks of one preparation."""

    preparator: PinnedCube
    folder: PreparationFolder
    bench: Bench
    profile: Profile
    on_event: OnEvent
    on_report: OnReport | None

    def prepared(self, raw_data: Path, raw_labels: Path) -> list[ManifestEntry]:
        """Return the manifest of what the first task made; it runs unless it has finished on these raw files."""
        key = preparation_key(self.preparator, raw_data, raw_labels, self.profile)
        if (kept := self._kept("prepare", key, self.folders())) is not None:
            return kept
        self.folder.forget_marks()
        result = self._run_prepare({"data_path": raw_data, "labels_path": raw_labels})
        report = self.folder.report()
        if report is not None and report.waiting:
            self._ask_whether_ready(report)
        self.on_event(Event(kind=EventKind.STARTED, step="taking over"))
        entries = take_over(self.folder, self.bench.limits)
        self.folder.write_manifest(entries)
        self.folder.write_mark("prepare", TaskMark(key, result.seconds, result.peak_memory))
        return entries

    def adopted(self, given: DatasetFolders, *, in_place: bool) -> list[ManifestEntry]:
        """Return the manifest of data that was prepared elsewhere, copied here unless it stays in its place."""
        plan = plan_task(self.preparator, "statistics")
        looks = [fingerprint(root) for root in given.roots.values()]
        key = plan.key("adopted", "in place" if in_place else "copied", *looks)
        if (kept := self._kept("prepare", key, given if in_place else self.folders())) is not None:
            return kept
        self.folder.forget_marks()
        self.on_event(Event(kind=EventKind.STARTED, step="reading" if in_place else "copying"))
        told = self._told("the data")
        if in_place:
            entries = list(manifest_of(given.roots, progress=told))
        else:
            entries = copy_in(given.roots, self.folder.path, progress=told, stop=self.bench.stop)
        self.folder.write_manifest(entries)
        self.folder.write_mark("prepare", TaskMark(key, 0.0, None))
        return entries

    def finished(self, entries: list[ManifestEntry], folders: DatasetFolders) -> Prepared:
        """Check and count what was prepared, and say what it is."""
        content = digest_of_entries(entries)
        self._checked(content, folders)
        statistics = self._counted(content, folders)
        marks = [mark for task in TASKS if (mark := self.folder.mark(task))]
        prepared = Prepared(
            folders=folders,
            content=content,
            files=len(entries),
            total_bytes=sum(entry.size for entry in entries),
            cases=_cases(statistics),
            statistics=statistics,
            seconds=sum(mark.seconds for mark in marks),
            peak_memory=max((mark.peak_memory or 0 for mark in marks), default=0) or None,
        )
        write_durably(self.folder.path / "prepared.json", _summary(prepared))
        remove_tree(self.folder.work)
        return prepared

    def folders(self) -> DatasetFolders:
        """Return where the prepared dataset lies; older preparators leave the labels in the data folder."""
        path = self.folder.path
        data, labels, metadata = path / "data", path / "labels", path / "metadata"
        return DatasetFolders(data, labels if labels.is_dir() else data, metadata if metadata.is_dir() else None)

    def _kept(self, task: Task, key: Digest, folders: DatasetFolders) -> list[ManifestEntry] | None:
        """Return the manifest of a finished first task; None when it is to be run, or what it left has changed."""
        mark, entries = self.folder.mark(task), self.folder.manifest()
        if mark is None or mark.key != key or entries is None or not folders.data.is_dir():
            return None
        found = manifest_of(folders.roots, progress=self._told("what was prepared before"))
        if digest_of_entries(found) != digest_of_entries(entries):
            return None
        self.on_event(Event(kind=EventKind.KEPT, step=task))
        return list(entries)

    def _run_prepare(self, inputs: Mapping[str, Path]) -> StepResult:
        """Run the first task on its kept work folder; once more without a report file where an empty one broke it."""
        self._refuse_small_disk(inputs)
        plan = plan_task(self.preparator, "prepare")
        aside = bool(self.folder.state().get("report_folder")) and has_own_folder(plan)
        try:
            return self._attempt(plan, inputs, aside=aside)
        except StepFailed as failure:
            if aside or not self._broke_at_once(plan, failure):
                raise self._why(failure) from failure
        text = "it ended at once, beside an empty report file: started again without one"
        self.on_event(Event(kind=EventKind.WARNING, step="prepare", text=text))
        self.folder.write_state("preparing", task="prepare", report_folder=True)
        try:
            return self._attempt(plan, inputs, aside=True)
        except StepFailed as failure:
            raise self._why(failure) from failure

    def _attempt(self, plan: TaskPlan, inputs: Mapping[str, Path], *, aside: bool) -> StepResult:
        work = self.folder.work
        live = {slot.key: work / slot.key for slot in plan.outputs if slot.key != REPORT_KEY}
        report = report_slot(plan)
        if report is not None:
            name = report.inside.rpartition("/")[2]
            place = work / "report" / (name if is_plain_name(name) else REPORT)
            if aside and place.is_file() and place.stat().st_size == 0:
                place.unlink()
            live[REPORT_KEY] = place.parent if aside else place
            plan = with_report_folder(plan) if aside else plan
        for path in live.values():
            self._give(path)
        self.folder.note_mounts({slot.inside: live[slot.key].relative_to(work).as_posix() for slot in plan.outputs})
        self.folder.write_state("preparing", task="prepare", report_folder=aside)
        watching = watched(place, self.on_report) if report is not None and self.on_report else nullcontext()
        with watching:
            return self._run("prepare", plan, inputs, targets={}, live=live).result

    def _broke_at_once(self, plan: TaskPlan, failure: StepFailed) -> bool:
        """Tell whether a container may have stumbled over the empty report file that an engine must be given.

        Some open a report that exists and do not expect nothing in it. Only where it left no trace is it started
        again, with the report's folder mounted in place of the file.
        """
        result = failure.result
        if result is None or result.ended is not Ended.EXITED or result.seconds > _FIRST_GLANCE:
            return False
        written = [usage(self.folder.work / slot.key)[1] for slot in plan.outputs if slot.key != REPORT_KEY]
        return has_own_folder(plan) and not any(written) and self.folder.report() is None

    def _why(self, failure: StepFailed) -> ContainerFailed | WaitsForPerson:
        """Return what a failed first task means: cases that wait for a person, or a failure."""
        report = self.folder.report()
        by_itself = failure.result is not None and failure.result.ended is Ended.EXITED
        if report is not None and report.waiting and by_itself:
            return self._waits(
                report, f"the preparator ended with exit code {failure.result and failure.result.exit_code}"
            )
        return self._failed("prepare", failure)

    def _ask_whether_ready(self, report: Report) -> None:
        """Let the preparator's own check decide, before anything is copied, whether cases that wait hold things up."""
        if not self._has_check:
            raise self._waits(report, "the preparator has no check of its own that would take the data as they are")
        work = self.folder.work
        labels, metadata = work / "output_labels_path", work / "metadata_path"
        folders = DatasetFolders(
            work / "output_path",
            labels if labels.is_dir() else work / "output_path",
            metadata if metadata.is_dir() else None,
        )
        self._look_over(folders, report)
        try:
            self._run("sanity_check", plan_task(self.preparator, "sanity_check"), self._inputs(folders), targets={})
        except StepFailed as failure:
            if failure.reason != "exit-code":
                raise self._failed("sanity_check", failure) from failure
            raise self._waits(report, "the preparator's own check does not take the data yet") from failure

    def _look_over(self, folders: DatasetFolders, report: Report) -> None:
        """See that a container wrote plain files only: a copy for the next one would follow its links."""
        limits = self.bench.limits
        try:
            for folder in folders.roots.values():
                look_over(folder, caps=Caps(files=limits.output_files, total_bytes=limits.output_bytes))
        except HostileOutput as error:
            raise self._waits(report, f"what is there so far cannot be checked: {error.message}") from error

    def _waits(self, report: Report, why: str) -> WaitsForPerson:
        count = len(report.waiting) or len(report.cases) - report.done
        self.folder.write_state("waits-for-a-person", task="prepare", why=why)
        return WaitsForPerson(
            f"{count} of {len(report.cases)} cases {'waits' if count == 1 else 'wait'} for a person ({why})",
            hint=f"work in {self.folder.work}{self._whose()}, then repeat the same command: it goes on from there",
            report=report,
        )

    def _whose(self) -> str:
        """Say whose the files are where the caller may not change them: those of profile compat are root's."""
        theirs = os.getuid() != 0 and self.bench.engine.user(self.profile).uid != os.getuid()
        return " (its files belong to root there: use sudo, or the profile strict)" if theirs else ""

    def _failed(self, task: str, failure: StepFailed) -> ContainerFailed:
        hint = failure.hint or f"its output is in {self.folder.log(task)}"
        return ContainerFailed(f"{task} failed: {failure.message}", hint=hint)

    @property
    def _has_check(self) -> bool:
        """Whether the preparator checks in a task of its own; others check when they count."""
        return "sanity_check" in self.preparator.cube.tasks

    def _checked(self, content: Digest, folders: DatasetFolders) -> None:
        if not self._has_check:
            return
        plan = plan_task(self.preparator, "sanity_check")
        key = plan.key(content, str(self.profile))
        if (mark := self.folder.mark("sanity_check")) and mark.key == key:
            self.on_event(Event(kind=EventKind.KEPT, step="sanity_check"))
            return
        self.folder.write_state("preparing", task="sanity_check")
        try:
            run = self._run("sanity_check", plan, self._inputs(folders), targets={})
        except StepFailed as failure:
            report = self.folder.report()
            if failure.reason == "exit-code":  # it says no: something must change first, so `prepare` runs again
                self.folder.forget_marks()
                if report is not None and report.cases and report.done < len(report.cases) and report.done:
                    raise self._waits(report, "the preparator's own check does not take the data yet") from failure
            raise self._failed("sanity_check", failure) from failure
        self.folder.write_mark("sanity_check", TaskMark(key, run.result.seconds, run.result.peak_memory))

    def _counted(self, content: Digest, folders: DatasetFolders) -> Any:
        target = self.folder.path / "statistics"
        plan = plan_task(self.preparator, "statistics")
        key = plan.key(content, str(self.profile))
        if (mark := self.folder.mark("statistics")) and mark.key == key and target.exists():
            self.on_event(Event(kind=EventKind.KEPT, step="statistics"))
            return _statistics(target)
        self.folder.write_state("preparing", task="statistics")
        try:
            run = self._run("statistics", plan, self._inputs(folders), targets={"output_path": target})
        except StepFailed as failure:
            if failure.reason == "exit-code":
                self.folder.forget_marks()
            raise self._failed("statistics", failure) from failure
        found = _statistics(target)
        self.folder.write_mark("statistics", TaskMark(key, run.result.seconds, run.result.peak_memory))
        return found

    def _inputs(self, folders: DatasetFolders) -> dict[str, Path]:
        """Return the inputs of the later tasks; a report that was never written is an empty file."""
        inputs = {"data_path": folders.data, "labels_path": folders.labels}
        report = self.folder.report_file()
        if report is None:
            report = private_folder(self.folder.work) / "no-report.yaml"
            report.touch()
        inputs[REPORT_KEY] = report
        return inputs | ({"metadata_path": folders.metadata} if folders.metadata else {})

    def _run(
        self,
        task: Task,
        plan: TaskPlan,
        inputs: Mapping[str, Path],
        *,
        targets: Mapping[str, Path],
        live: Mapping[str, Path] | None = None,
    ) -> TaskRun:
        self.on_event(Event(kind=EventKind.STARTED, step=task))
        log = self.folder.log(task)
        run = run_task(
            self.bench, plan, inputs=inputs, targets=targets, log=log, profile=self.profile, live=live
        )  # fmt: skip
        self.on_event(Event(kind=EventKind.FINISHED, step=task, text=f"{run.result.seconds:.1f} s"))
        return run

    def _refuse_small_disk(self, inputs: Mapping[str, Path]) -> None:
        """Say before hours of work that the disk cannot hold the result; a preparator may need less, never nothing."""
        room = room_for_containers(self.folder.path)
        raw = bytes_of({path.resolve() for path in inputs.values()})
        begun = bytes_of([self.folder.work])
        if room == 0:
            raise DiskFull(f"the disk of {self.folder.path} is full", hint=MAKE_ROOM)
        if room + begun < 2 * raw:
            sizes = f"the raw data has {raw / 1e9:.1f} GB, and {room / 1e9:.1f} GB are free"
            text = f"{sizes}; preparing writes it twice or more"
            self.on_event(Event(kind=EventKind.WARNING, step="prepare", text=text))

    def _give(self, path: Path) -> None:
        try:
            give_tree(path, self.bench.engine.user(self.profile))
        except OSError as error:
            raise ContainerFailed(
                f"what an earlier attempt wrote cannot be gone on with: {error}",
                hint=f"begin anew: remove {self.folder.path}, and tell the preparator's owner",
            ) from error

    def _told(self, about: str) -> Progress:
        def tell(done: int, total: int) -> None:
            if self.bench.stop.is_set() and threading.current_thread() is threading.main_thread():
                raise Interrupted("reading was stopped", hint="the same command goes on with what is finished")
            self.on_event(Event(kind=EventKind.VERIFYING, text=about, done=done, total=total))

        return tell


@contextmanager
def _noted(making: _Making) -> Iterator[None]:
    """Leave in the folder how a preparation ended."""
    making.folder.write_state("preparing")
    try:
        yield
    except WaitsForPerson:
        raise
    except ContainerFailed as error:
        making.folder.write_state("failed", why=error.message, do_now=error.hint)
        raise
    except BaseException:
        with suppress(EnvironmentProblem):  # what stopped it may be the disk
            making.folder.write_state("interrupted")
        raise
    making.folder.write_state("prepared")


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
