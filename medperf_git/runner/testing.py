"""Try a cube, with no registry: the same sandbox as a hospital's, and what it needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.records.models import Number, Resources
from medperf_git.runner.engine import Profile
from medperf_git.runner.events import Event, EventKind, OnEvent
from medperf_git.runner.plan import SCRIPT, PinnedCube, plan_task, tasks_of
from medperf_git.runner.reduce import InvalidOutput, record_number
from medperf_git.runner.results_file import read_results
from medperf_git.runner.signals import stoppable
from medperf_git.runner.staging import private_folder
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun, run_task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTest:
    """One task that was tried: its run, or why it failed; its outputs lie in `folder`."""

    task: str
    folder: Path
    log: Path
    run: TaskRun | None = None
    failure: StepFailed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTest:
    """What came of trying a cube; `outputs` maps each task's mount keys to where its outputs lie."""

    tasks: tuple[TaskTest, ...]
    gpu: bool
    cases: int | None

    @property
    def passed(self) -> bool:
        """Whether every task that was tried succeeded."""
        return bool(self.tasks) and all(test.failure is None for test in self.tasks)

    @property
    def resources(self) -> Resources:
        """What the cube's record may say it needs."""
        results = [test.run.result for test in self.tasks if test.run]
        seconds = sum(result.seconds for result in results)
        per_case: Number | None = record_number(seconds / self.cases, 3) if self.cases else None
        return Resources(
            seconds_per_case=per_case,
            peak_memory_bytes=max((result.peak_memory or 0 for result in results), default=0) or None,
            disk_bytes=max((result.peak_disk or 0 for result in results), default=0),
            gpu=self.gpu or None,
        )


def try_cube(
    pinned: PinnedCube,
    inputs: Mapping[str, Path],
    *,
    work: Path,
    bench: Bench,
    tasks: tuple[str, ...] = (),
    profile: Profile = Profile.STRICT,
    cases: int | None = None,
    on_event: OnEvent = lambda _: None,
) -> CubeTest:
    """Run the tasks of the cube's role (or those named) on `inputs`, given by mount key; stop at the first failure.

    A data preparator's later tasks read what `prepare` wrote. Outputs and logs are left in `work`.
    """
    given = dict(inputs)
    tests: list[TaskTest] = []
    with stoppable(bench.stop):
        for task in tasks or tasks_of(pinned.cube):
            on_event(Event(kind=EventKind.STARTED, step=task))
            test = _try_task(pinned, task, given, work=work, bench=bench, profile=profile)
            tests.append(test)
            if test.failure is not None:
                break
            on_event(
                Event(kind=EventKind.FINISHED, step=task, text=f"{test.run.result.seconds:.1f} s" if test.run else "")
            )
            given |= _handed_on(test)
    return CubeTest(tasks=tuple(tests), gpu=bool(bench.gpus), cases=cases)


def results_of(test: CubeTest) -> Any:
    """Return the content of the results file that the last tried task wrote; InvalidOutput when there is none."""
    if not test.passed:
        raise InvalidOutput("the container did not end well")
    folder = test.tasks[-1].folder
    return read_results(folder / ("results_path" if test.tasks[-1].task == SCRIPT else "output_path"))


def _try_task(
    pinned: PinnedCube, task: str, given: Mapping[str, Path], *, work: Path, bench: Bench, profile: Profile
) -> TaskTest:
    folder = private_folder(work / task)
    log = folder / "log.txt"
    plan = plan_task(pinned, task)
    targets = {slot.key: folder / slot.key for slot in plan.outputs}
    try:
        run = run_task(bench, plan, inputs=given, targets=targets, log=log, profile=profile)
    except StepFailed as failure:
        return TaskTest(task=task, folder=folder, log=log, failure=failure)
    return TaskTest(task=task, folder=folder, log=log, run=run)


def _handed_on(test: TaskTest) -> dict[str, Path]:
    if test.task != "prepare":
        return {}
    written = test.folder / "output_path"
    labels, metadata = test.folder / "output_labels_path", test.folder / "metadata_path"
    given = {"data_path": written, "labels_path": labels if labels.is_dir() else written}
    report = test.folder / "report_file"
    given |= {"metadata_path": metadata} if metadata.is_dir() else {}
    return given | ({"report_file": report} if report.is_file() else {})
