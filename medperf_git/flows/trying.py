"""Try containers as a hospital would run them: prepare → infer → evaluate on demo data, or one task on given folders.

No registry is needed for a container under development. What a test needed (time, memory, disk) and how it ended
become part of the draft's record.
"""

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, UsageProblem
from medperf_git.flows import drafts
from medperf_git.flows.bench import check_engine, fetch, opened_bench
from medperf_git.flows.benchmarks import build_benchmark, demo_path
from medperf_git.flows.context import Context
from medperf_git.flows.demodata import DemoData, check_asset, opened
from medperf_git.flows.home import private_folder
from medperf_git.flows.naming import at_ref, find
from medperf_git.flows.preparing import count_cases, numbers_of
from medperf_git.flows.progress import StepProgress
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.models import Benchmark, Cube, MetricValue, Resources, Tested
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time
from medperf_git.records.view import RecordView
from medperf_git.runner.engine import GIB
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.reduce import InvalidOutput, record_number, reduce_results
from medperf_git.runner.tasks import Bench, StepFailed
from medperf_git.runner.testing import CubeTest, results_of
from medperf_git.runner.testing import try_cube as run_cube

_LOG_BYTES = 1024 * 1024
_NEVER_RAN = ("needs-gpu", "image-unavailable")  # which says nothing of the container


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInputs:
    """What a cube is tested on: a benchmark's demo data, or folders of one's own."""

    benchmark: str | None = None
    demo_data: Path | None = None
    data: Path | None = None
    labels: Path | None = None
    predictions: Path | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one task needed: seconds, bytes."""

    seconds: float
    peak_memory: int | None
    peak_disk: int | None


@dataclass(frozen=True, slots=True)
class Walk:
    """What came of the whole chain: values, what was not declared, cases, needs by task."""

    values: dict[str, MetricValue]
    undeclared: tuple[str, ...]
    cases: int | None
    needs: dict[str, Measured]


@dataclass(frozen=True, slots=True)
class CubeTrial:
    """How a test of a cube ended; `failure` is empty when it went well."""

    name: str
    cube: Cube
    walk: Walk
    failure: str
    hint: str
    kept: bool
    reason: str = ""

    @property
    def never_ran(self) -> bool:
        """Whether the test says nothing of the container: this machine could not run it."""
        return self.reason in _NEVER_RAN

    def lines(self) -> Iterator[str]:
        """Say how it went."""
        for task, need in self.walk.needs.items():
            memory = f", {need.peak_memory / GIB:.2f} GiB memory" if need.peak_memory else ""
            yield f"{task}: {need.seconds:.1f} s{memory}"
        for key, value in self.walk.values.items():
            yield f"  {key}: {'undefined' if value.value is None else value.value}"
        if self.walk.undeclared:
            yield f"not declared by the benchmark, so it stays at the sites: {', '.join(self.walk.undeclared)}"
        if self.failure:
            yield f"the test of {self.name} failed"
        else:
            yield f"the test of {self.name} went well"
            if self.kept:
                yield f"next: medperf-git cube submit {self.name}"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        needs = {
            task: {"seconds": n.seconds, "peak_memory": n.peak_memory, "peak_disk": n.peak_disk}
            for task, n in self.walk.needs.items()
        }
        values = {key: None if value.value is None else str(value.value) for key, value in self.walk.values.items()}
        return {
            "cube": self.name,
            "outcome": "failed" if self.failure else "complete",
            "needs": needs,
            "values": values,
        }

    def raise_if_failed(self) -> None:
        """Raise `ContainerFailed` when the test failed."""
        if self.failure:
            raise ContainerFailed(self.failure, hint=self.hint)


class NeverRan(ContainerFailed):
    """A container could not be run on this machine, which says nothing of the container."""


@dataclass(frozen=True, slots=True)
class BenchmarkTrial:
    """What the reference model reached on the demo data."""

    benchmark: Benchmark
    walk: Walk

    def rows(self) -> list[dict[str, Any]]:
        """Return one line for each metric."""
        titles = {metric.id: metric.title for metric in self.benchmark.metrics}
        return [
            {
                "metric": key,
                "title": titles[key],
                "value": "undefined" if value.value is None else value.value,
                "n": value.n,
            }
            for key, value in self.walk.values.items()
        ]

    def lines(self) -> Iterator[str]:
        """Say how long it took and what was not declared."""
        for task, need in self.walk.needs.items():
            yield f"{task}: {need.seconds:.1f} s"
        if self.walk.undeclared:
            yield f"not declared, so it stays at the sites: {', '.join(self.walk.undeclared)}"
        yield f"the reference model went through {self.walk.cases} demo cases"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        rows = [row | {"value": str(row["value"])} for row in self.rows()]
        return {"benchmark": str(self.benchmark.ref), "cases": self.walk.cases, "metrics": rows}


def try_benchmark(workspace: Workspace, file: Path, settings: RunSettings) -> BenchmarkTrial:
    """Run a benchmark draft's reference model on its demo data; ContainerFailed says which task went wrong.

    NeverRan when this machine cannot run it (no GPU, no image).
    """
    context, view, data = workspace.context, workspace.view, file.read_bytes()
    folder = file.resolve().parent
    created = format_time(context.clock())
    member = workspace.member or str(drafts.NOBODY)
    benchmark = build_benchmark(view, data, folder, member=member, created=created)
    archive = demo_path(data, folder) or fetch(context, benchmark.demo_data, base=folder)
    check_asset(archive, benchmark.demo_data)
    with _stage(context, settings, None) as (bench, place), opened(archive, bench.scratch) as raw:
        try:
            walk = _walk(_Trial(context, bench, settings, place), view, benchmark, raw=raw, tried=None)
        except StepFailed as failed:
            kind = NeverRan if failed.reason in _NEVER_RAN else ContainerFailed
            raise kind(failed.message, hint=failed.hint) from failed
    return BenchmarkTrial(benchmark, walk)


def try_cube(
    context: Context, workspace: Workspace | None, name: str, inputs: TrialInputs, *, settings: RunSettings
) -> CubeTrial:
    """Test a draft or a registered cube; a draft keeps what the test needed and how it ended."""
    cube, is_draft = _subject(context, workspace, name)
    data = _tested_on(workspace, cube, inputs)
    needs: dict[str, Measured] = {}
    walk, failure, hint, reason = Walk({}, (), None, needs), "", "", ""
    tested: Tested | None = Tested(data, "complete")
    with _stage(context, settings, inputs.out) as (bench, place):
        trial = _Trial(context, bench, settings, place, needs)
        try:
            walk = _try(trial, workspace, cube, inputs)
        except StepFailed as failed:
            failure, hint, reason = f"{cube.name}: {failed.message} ({failed.reason})", failed.hint, failed.reason
            hint = hint or f"its logs are in {context.home / 'logs'}"
            tested = None if failed.reason in _NEVER_RAN else Tested(data, "failed")
    if is_draft:
        drafts.save_cube(context.home, replace(cube, resources=_resources(cube, walk), tested=tested))
    return CubeTrial(name, cube, walk, failure, hint, is_draft, reason)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What the containers of one test share; `needs` gathers what each task needed."""

    context: Context
    bench: Bench
    settings: RunSettings
    place: Path
    needs: dict[str, Measured] = field(default_factory=dict)

    def run(self, cube: PinnedCube, inputs: Mapping[str, Path]) -> CubeTest:
        """Run every task of a cube; StepFailed carries where the log of the one that failed is kept."""
        done = run_cube(
            cube,
            inputs,
            work=self.place,
            bench=self.bench,
            profile=self.settings.profile,
            on_event=StepProgress(self.context.say, str(cube.cube.ref)),
        )
        for test in done.tasks:
            if test.failure is not None:
                raise self._explained(test.task, test.failure, test.log)
            if test.run is not None:
                result = test.run.result
                self.needs[test.task] = Measured(result.seconds, result.peak_memory, result.peak_disk)
        return done

    def _explained(self, task: str, failed: StepFailed, log: Path) -> StepFailed:
        hint = failed.hint.partition("its output: ")[0].rstrip()
        if log.is_file():
            kept = private_folder(self.context.home / "logs") / f"test-{task}-{secrets.token_hex(4)}.log"
            kept.write_bytes(log.read_bytes()[-_LOG_BYTES:])
            hint = f"{hint}; its log: {kept}".removeprefix("; ")
        return StepFailed(failed.reason, f"{task}: {failed.message}", hint=hint, result=failed.result)


@contextlib.contextmanager
def _stage(context: Context, settings: RunSettings, out: Path | None) -> Iterator[tuple[Bench, Path]]:
    if out is not None and out.exists() and any(out.iterdir()):
        raise UsageProblem(f"{out} is not empty", hint="choose a new folder for --out")
    with opened_bench(context, settings) as bench:
        check_engine(context, bench.engine, settings)
        yield bench, private_folder(out or bench.scratch / "outputs")


def _subject(context: Context, workspace: Workspace | None, name: str) -> tuple[Cube, bool]:
    if "/" not in name and drafts.has_cube(context.home, name):
        return drafts.load_cube(context.home, name), True
    if workspace is None:
        return drafts.load_cube(context.home, name), True
    return find(workspace.view, Cube, name, member=workspace.member).record, False


def _tested_on(workspace: Workspace | None, cube: Cube, inputs: TrialInputs) -> Digest:
    """Return the digest of what a cube is about to be tested on."""
    if inputs.benchmark is not None:
        return _benchmark(workspace, inputs).demo_data.digest
    match cube.role:
        case "data-preparator":
            return content_digest({"data": _given(inputs.data, "--data"), "labels": _given(inputs.labels, "--labels")})
        case "model":
            return content_digest({"data": _given(inputs.data, "--data (prepared data), or --benchmark")})
        case "metrics":
            predictions = _given(inputs.predictions, "--predictions")
            return content_digest({"data": predictions, "labels": _given(inputs.labels, "--labels")})


def _benchmark(workspace: Workspace | None, inputs: TrialInputs) -> Benchmark:
    if workspace is None:
        raise UsageProblem("a benchmark lies in a registry", hint="add one: medperf-git registry add URL")
    return find(workspace.view, Benchmark, inputs.benchmark or "", member=workspace.member).record


def _try(trial: _Trial, workspace: Workspace | None, cube: Cube, inputs: TrialInputs) -> Walk:
    if inputs.benchmark is None or workspace is None:
        return _try_alone(trial, cube, inputs)
    benchmark = _benchmark(workspace, inputs)
    asset = benchmark.demo_data
    archive = inputs.demo_data or fetch(trial.context, asset)
    if archive.is_file():
        check_asset(archive, asset)
    with opened(archive, trial.bench.scratch) as raw:
        return _walk(trial, workspace.view, benchmark, raw=raw, tried=cube)


def _try_alone(trial: _Trial, cube: Cube, inputs: TrialInputs) -> Walk:
    pinned = _pinned(cube)
    match cube.role:
        case "data-preparator":
            data, labels = _given(inputs.data, "--data"), _given(inputs.labels, "--labels")
            trial.run(pinned, {"data_path": data, "labels_path": labels})
        case "model":
            data = _given(inputs.data, "--data (prepared data), or --benchmark")
            trial.run(pinned, {"data_path": data})
        case "metrics":
            predictions, labels = _given(inputs.predictions, "--predictions"), _given(inputs.labels, "--labels")
            _results(trial.run(pinned, {"predictions": predictions, "labels": labels}))
    return Walk({}, (), None, trial.needs)


def _walk(trial: _Trial, view: RecordView, benchmark: Benchmark, *, raw: DemoData, tried: Cube | None) -> Walk:
    """Run the whole chain on raw data, with `tried` in the place of its role."""
    chosen = {
        role: _pinned(tried) if tried is not None and tried.role == role else _registered(view, benchmark, role)
        for role in ("data-preparator", "model", "metrics")
    }
    prepared = trial.run(chosen["data-preparator"], {"data_path": raw.data, "labels_path": raw.labels})
    cases = count_cases(numbers_of(_results(prepared)))
    folder = prepared.tasks[0].folder
    data, own_labels = folder / "output_path", folder / "output_labels_path"
    labels = own_labels if own_labels.is_dir() else data
    inferred = trial.run(chosen["model"], {"data_path": data})
    predictions = inferred.tasks[0].folder / "output_path"
    evaluated = trial.run(chosen["metrics"], {"predictions": predictions, "labels": labels})
    try:
        reduced = reduce_results(_results(evaluated), benchmark.metrics, cases=cases)
    except InvalidOutput as error:
        hint = "compare the results file with the benchmark's metrics"
        raise StepFailed("invalid-output", str(error), hint=hint) from error
    return Walk(dict(reduced.values), reduced.undeclared, cases, trial.needs)


def _registered(view: RecordView, benchmark: Benchmark, role: str) -> PinnedCube:
    references = {
        "data-preparator": benchmark.data_preparator,
        "model": benchmark.reference_model,
        "metrics": benchmark.metrics_cube,
    }
    found = at_ref(view, Cube, references[role].ref)
    return PinnedCube(found.record, found.stored.digest)


def _pinned(cube: Cube) -> PinnedCube:
    return PinnedCube(cube, digest_of(write_record(cube)))


def _results(test: CubeTest) -> Any:
    try:
        return results_of(test)
    except InvalidOutput as error:
        raise StepFailed("invalid-output", str(error), hint="the container must write one YAML file") from error


def _given(path: Path | None, option: str) -> Path:
    if path is None:
        raise UsageProblem(f"nothing is given for {option}", hint=f"say {option}")
    return path


def _resources(cube: Cube, walk: Walk) -> Resources | None:
    task = {"data-preparator": "prepare", "model": "infer", "metrics": "evaluate"}[cube.role]
    need = walk.needs.get(task)
    if need is None:
        return None
    per_case = record_number(need.seconds / walk.cases, 3) if walk.cases else None
    wants_gpu = any(one.run_args and one.run_args.gpus for one in cube.tasks.values())
    return Resources(per_case, need.peak_memory, need.peak_disk, wants_gpu)
