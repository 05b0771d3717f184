"""Containers run one after the other as at a hospital, on folders that somebody gives: prepare → infer → evaluate.

Any part of the chain may be absent: what it would have made is given then. A script that runs weights stands for the
last two. No registry is needed for it.
"""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medperf_git.errors import UsageProblem
from medperf_git.flows.bench import check_engine, opened_bench
from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.flows.preparing import count_cases, numbers_of
from medperf_git.flows.progress import StepProgress
from medperf_git.flows.settings import RunSettings
from medperf_git.records.models import Cube
from medperf_git.runner.command_line import command_line
from medperf_git.runner.engine import GIB, MIB
from medperf_git.runner.plan import ALWAYS_GIVEN, SCRIPT, PinnedCube, plan_task, tasks_of
from medperf_git.runner.reduce import InvalidOutput
from medperf_git.runner.tasks import Bench, StepFailed
from medperf_git.runner.testing import CubeTest, results_of
from medperf_git.runner.testing import try_cube as run_cube

_LOG_BYTES = 1024 * 1024
# The option by which a person gives what a mount key stands for.
OPTIONS = {
    "data_path": "--data",
    "labels_path": "--labels",
    "labels": "--labels",
    "predictions": "--predictions",
    "metadata_path": "--metadata",
    "report_file": "--report",
    "model_files": "--model-files",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one task needed, in seconds and bytes, and the command that was run; `cases` is None where unknown."""

    seconds: float
    peak_memory: int | None
    peak_disk: int | None
    command: str = ""
    gpus: str = ""

    def said(self, cases: int | None) -> str:
        """Return it in words."""
        parts = [f"{self.seconds:.1f} s"]
        parts += [f"{self.seconds / cases:.3g} s a case"] if cases else []
        parts += [f"{_size(self.peak_memory)} memory"] if self.peak_memory else []
        parts += [f"{_size(self.peak_disk)} disk"] if self.peak_disk else []
        return ", ".join([*parts, f"GPUs {self.gpus}" if self.gpus else "no GPU"])

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "seconds": self.seconds,
            "peak_memory": self.peak_memory,
            "peak_disk": self.peak_disk,
            "gpus": self.gpus,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Folders that a person gives, each None when nothing is said."""

    data: Path | None = None
    labels: Path | None = None
    predictions: Path | None = None
    metadata: Path | None = None
    report: Path | None = None
    model_files: Path | None = None

    def by_key(self) -> dict[str, Path]:
        """Return them by the mount keys that they stand for."""
        places = {
            "data_path": self.data,
            "labels_path": self.labels,
            "labels": self.labels,
            "predictions": self.predictions,
            "metadata_path": self.metadata,
            "report_file": self.report,
            "model_files": self.model_files,
        }
        return {key: place for key, place in places.items() if place is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The containers of a chain; at least one."""

    preparator: PinnedCube | None = None
    model: PinnedCube | None = None
    metrics: PinnedCube | None = None


@dataclass(frozen=True, slots=True)
class Chained:
    """What came of a chain: its results, or else statistics, as values; the number of cases where it is known."""

    results: Any
    cases: int | None


@dataclass(frozen=True, slots=True)
class Trial:
    """What the containers of one test share; `needs` gathers what each task needed; outputs stay where `kept`."""

    context: Context
    bench: Bench
    settings: RunSettings
    place: Path
    kept: bool = False
    needs: dict[str, Measured] = field(default_factory=dict)

    def run(self, cube: PinnedCube, inputs: Mapping[str, Path], *, tasks: tuple[str, ...] = ()) -> CubeTest:
        """Run the tasks of a cube; StepFailed carries where the log of the one that failed is kept."""
        _require(cube.cube, tasks or tasks_of(cube.cube), inputs)
        done = run_cube(
            cube,
            inputs,
            work=self.place,
            bench=self.bench,
            profile=self.settings.profile,
            tasks=tasks,
            on_event=StepProgress(self.context.say, str(cube.cube.ref)),
        )
        for test in done.tasks:
            if test.failure is not None:
                raise self._explained(test.task, test.failure, test.log)
            if test.run is not None:
                result, command = test.run.result, self._command(cube, test.task, inputs)
                gpus = self.bench.gpus if _wants_gpus(cube.cube, test.task) else ""
                self.needs[test.task] = Measured(
                    result.seconds, result.peak_memory, result.peak_disk, command=command, gpus=gpus
                )
        return done

    def _command(self, cube: PinnedCube, task: str, inputs: Mapping[str, Path]) -> str:
        plan, profile = plan_task(cube, task), self.settings.profile
        return command_line(
            plan,
            inputs=inputs,
            targets={slot.key: self.place / task / slot.key for slot in plan.outputs} if self.kept else {},
            limits=self.bench.limits,
            user=self.bench.engine.user(profile),
            profile=profile,
            gpus=self.bench.gpus,
        )

    def _explained(self, task: str, failed: StepFailed, log: Path) -> StepFailed:
        hint = failed.hint.partition("its output: ")[0].rstrip()
        if log.is_file():
            kept = private_folder(self.context.home / "logs") / f"test-{task}-{secrets.token_hex(4)}.log"
            kept.write_bytes(log.read_bytes()[-_LOG_BYTES:])
            hint = f"{hint}; its log: {kept}".removeprefix("; ")
        return StepFailed(failed.reason, f"{task}: {failed.message}", hint=hint, result=failed.result)


@contextlib.contextmanager
def opened_trial(context: Context, settings: RunSettings, out: Path | None) -> Iterator[Trial]:
    """Open an engine for one test; outputs are left in `out`, or removed with the scratch folder."""
    if out is not None and out.exists() and any(out.iterdir()):
        raise UsageProblem(f"{out} is not empty", hint="choose a new folder for --out")
    with opened_bench(context, settings) as bench:
        check_engine(context, bench.engine, settings)
        yield Trial(context, bench, settings, private_folder(out or bench.scratch / "outputs"), out is not None)


def run_chain(trial: Trial, chain: Chain, given: Given, *, tasks: tuple[str, ...] = ()) -> Chained:
    """Run a chain on what is given, each container on what the one before made; StepFailed, or UsageProblem."""
    inputs, cases, results = given.by_key(), None, None
    if chain.preparator is not None:
        prepared = trial.run(chain.preparator, inputs, tasks=tasks)
        inputs, results = inputs | _prepared(prepared), _statistics(prepared)
        cases = _cases_of(results)
    if chain.model is not None and not _is_script(chain.metrics):
        tried = trial.run(chain.model, inputs, tasks=tasks)
        if _is_script(chain.model):
            return Chained(read(tried), cases)
        inputs["predictions"] = tried.tasks[0].folder / "output_path"
    if chain.metrics is not None:
        if _is_script(chain.metrics) and chain.model is not None:
            inputs["model_files"] = _weights(trial, chain.model)
        results = read(trial.run(chain.metrics, inputs, tasks=tasks))
    return Chained(results, cases)


def _size(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB else f"{size / MIB:.1f} MiB"


def read(test: CubeTest) -> Any:
    """Return the file that the last task wrote as values; StepFailed when there is none."""
    try:
        return results_of(test)
    except InvalidOutput as error:
        raise StepFailed("invalid-output", str(error), hint="the container must write one YAML file") from error


def _prepared(test: CubeTest) -> dict[str, Path]:
    first = test.tasks[0]
    if first.task != "prepare":
        return {}
    data, labels = first.folder / "output_path", first.folder / "output_labels_path"
    labels = labels if labels.is_dir() else data
    return {"data_path": data, "labels_path": labels, "labels": labels}


def _statistics(test: CubeTest) -> Any:
    return read(test) if test.tasks[-1].task == "statistics" else None


def _cases_of(statistics: Any) -> int | None:
    with contextlib.suppress(UsageProblem):
        return count_cases(numbers_of(statistics))
    return None


def _weights(trial: Trial, model: PinnedCube) -> Path:
    asset, unpack = model.cube.additional_files, trial.bench.unpack
    if asset is None or unpack is None:
        raise UsageProblem(f"{model.cube.name} names no weights for the script", hint="give --additional-files")
    return unpack(asset)


def _is_script(cube: PinnedCube | None) -> bool:
    return cube is not None and tasks_of(cube.cube) == (SCRIPT,)


def _wants_gpus(cube: Cube, task: str) -> bool:
    arguments = cube.tasks[task].run_args
    return bool(arguments and arguments.gpus)


def _require(cube: Cube, tasks: tuple[str, ...], inputs: Mapping[str, Path]) -> None:
    """Raise `UsageProblem` when the first of the tasks reads something that nobody gives."""
    declared = cube.tasks.get(tasks[0])
    carried = {"model_files"} if cube.role == "model" and cube.additional_files else set()
    asked = set((declared.input_volumes or {}) if declared else ()) - ALWAYS_GIVEN - carried
    for key in sorted(asked - inputs.keys()):
        option = OPTIONS.get(key, f"an input {key}")
        raise UsageProblem(
            f"nothing is given for {option}, which {tasks[0]} of {cube.name} reads", hint=f"say {option}"
        )
