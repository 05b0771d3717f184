"""Try containers as a hospital would run them: the whole chain on demo data, or single tasks on given folders.

No registry is needed for a container under development. What a test needed (time, memory, disk) and how it ended
become part of the draft's record.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, UsageProblem
from medperf_git.flows import drafts
from medperf_git.flows.bench import fetch
from medperf_git.flows.benchmarks import build_benchmark, demo_path
from medperf_git.flows.chain import Chain, Chained, Given, Measured, Trial, opened_trial, run_chain
from medperf_git.flows.context import Context
from medperf_git.flows.demodata import DemoData, check_asset, opened
from medperf_git.flows.naming import at_ref, find
from medperf_git.flows.preparing import numbers_of
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.workspace import Workspace
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.models import Benchmark, Cube, MetricValue, Resources, Tested
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time
from medperf_git.records.view import RecordView
from medperf_git.runner.manifest import Role, content_digest
from medperf_git.runner.plan import PinnedCube, tasks_of
from medperf_git.runner.reduce import InvalidOutput, record_number, reduce_results
from medperf_git.runner.tasks import StepFailed

_NEVER_RAN = ("needs-gpu", "image-unavailable")  # which says nothing of the container
_SHOWN_RESULTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialInputs:
    """What is tested on: a benchmark's demo data, packed demo data, or folders of one's own; `tasks`: only those."""

    benchmark: str | None = None
    demo_data: Path | None = None
    given: Given = field(default_factory=Given)
    out: Path | None = None
    tasks: tuple[str, ...] = ()
    cases: int | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A container that is tested; `is_draft` when the draft of that name keeps how it ended."""

    name: str
    cube: Cube
    is_draft: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What came of a chain: declared values, what was not declared, cases, needs by task, and the whole results."""

    values: dict[str, MetricValue]
    undeclared: tuple[str, ...]
    cases: int | None
    needs: dict[str, Measured]
    results: Any = None

    def numbers(self) -> dict[str, Any]:
        """Return the numbers of the results file, the first of them where there are many."""
        found = numbers_of(self.results) if isinstance(self.results, dict) else {}
        return {key: str(value) for key, value in list(found.items())[:_SHOWN_RESULTS]}


@dataclass(frozen=True, slots=True)
class CubeTrial:
    """How a test ended; `failure` is empty when it went well, `out` is where outputs were left."""

    name: str
    cube: Cube
    walk: Walk
    failure: str
    hint: str
    kept: bool
    out: Path | None = None
    reason: str = ""

    @property
    def never_ran(self) -> bool:
        """Whether the test says nothing of the container: this machine could not run it."""
        return self.reason in _NEVER_RAN

    def lines(self) -> Iterator[str]:
        """Say how it went."""
        for task, need in self.walk.needs.items():
            yield f"{task}: {need.said(self.walk.cases)}"
            yield f"  {need.command}"
        for key, value in self.walk.values.items():
            yield f"  {key}: {'undefined' if value.value is None else value.value}"
        for key, number in ({} if self.walk.values else self.walk.numbers()).items():
            yield f"  {key}: {number}"
        if self.walk.undeclared:
            yield f"not declared by the benchmark, so it stays at the sites: {', '.join(self.walk.undeclared)}"
        if self.out is not None:
            yield f"outputs and logs: {self.out}"
        if self.failure:
            yield f"the test of {self.name} failed"
        else:
            yield f"the test of {self.name} went well"
            if self.kept:
                yield f"next: medperf-git cube submit {self.name}"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {key: None if value.value is None else str(value.value) for key, value in self.walk.values.items()}
        return {
            "cube": self.name,
            "outcome": "failed" if self.failure else "complete",
            "cases": self.walk.cases,
            "needs": {task: need.as_value() for task, need in self.walk.needs.items()},
            "values": values,
            "results": self.walk.numbers(),
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
    with opened_trial(context, settings, None) as trial, opened(archive, trial.bench.scratch) as raw:
        try:
            walk = _walk(trial, view, benchmark, raw=raw, tried=None)
        except StepFailed as failed:
            kind = NeverRan if failed.reason in _NEVER_RAN else ContainerFailed
            raise kind(failed.message, hint=failed.hint) from failed
    return BenchmarkTrial(benchmark, walk)


def try_cube(
    context: Context, workspace: Workspace | None, subjects: Sequence[Subject], inputs: TrialInputs, *,
    settings: RunSettings,
) -> CubeTrial:  # fmt: skip
    """Test one container, or several as one chain; a draft that is tested alone keeps its needs and how it ended."""
    first, name = subjects[0], " → ".join(subject.name for subject in subjects)
    is_draft = len(subjects) == 1 and first.is_draft
    failure, hint, reason = "", "", ""
    with opened_trial(context, settings, inputs.out) as trial, _raw(trial, inputs) as given:
        walk = Walk({}, (), None, trial.needs)
        data = _tested_on(workspace, inputs, given) if is_draft else None
        tested = Tested(data, "complete") if data else None
        try:
            walk = _try(trial, workspace, subjects, inputs, given=given)
        except StepFailed as failed:
            failure, hint, reason = f"{name}: {failed.message} ({failed.reason})", failed.hint, failed.reason
            hint = hint or f"its logs are in {context.home / 'logs'}"
            tested = None if failed.reason in _NEVER_RAN or data is None else Tested(data, "failed")
    if is_draft:
        kept = replace(first.cube, resources=_resources(first.cube, walk), tested=tested)
        drafts.save_cube(context.home, kept)
    return CubeTrial(name, first.cube, walk, failure, hint, is_draft, inputs.out, reason)


def subject_of(context: Context, workspace: Workspace | None, name: str) -> Subject:
    """Return a draft by its name, or a registered cube."""
    if workspace is None or ("/" not in name and drafts.has_cube(context.home, name)):
        return Subject(name, drafts.load_cube(context.home, name), is_draft=True)
    return Subject(name, find(workspace.view, Cube, name, member=workspace.member).record)


def name_of(config: Path) -> str:
    """Return a name for a container that has none but the place of its configuration."""
    place = config.resolve()
    folder = place if place.is_dir() else place.parent
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:60].rstrip("-")
    return name if len(name) > 1 else "trial"


@contextlib.contextmanager
def _raw(trial: Trial, inputs: TrialInputs) -> Iterator[Given]:
    """Give the folders to test on: those that were said, or those of packed demo data."""
    if inputs.demo_data is None or inputs.benchmark is not None:
        yield inputs.given
        return
    with opened(inputs.demo_data, trial.bench.scratch) as raw:
        yield replace(inputs.given, data=raw.data, labels=raw.labels)


def _tested_on(workspace: Workspace | None, inputs: TrialInputs, given: Given) -> Digest | None:
    """Return the digest of what a cube is about to be tested on."""
    if inputs.benchmark is not None:
        return _benchmark(workspace, inputs).demo_data.digest
    data = given.data or given.predictions
    if data is None or not data.is_dir():
        return None
    roots: dict[Role, Path] = {"data": data}
    if given.labels is not None and given.labels.is_dir() and given.labels.resolve() != data.resolve():
        roots["labels"] = given.labels
    return content_digest(roots)


def _benchmark(workspace: Workspace | None, inputs: TrialInputs) -> Benchmark:
    if workspace is None:
        raise UsageProblem("a benchmark lies in a registry", hint="add one: medperf-git registry add URL")
    return find(workspace.view, Benchmark, inputs.benchmark or "", member=workspace.member).record


def _try(
    trial: Trial, workspace: Workspace | None, subjects: Sequence[Subject], inputs: TrialInputs, *, given: Given
) -> Walk:
    if inputs.benchmark is None or workspace is None:
        done = run_chain(trial, _chain_of(subjects, inputs.tasks), given, tasks=inputs.tasks)
        return Walk({}, (), inputs.cases or done.cases, trial.needs, done.results)
    if len(subjects) > 1:
        raise UsageProblem("a benchmark has its own other containers", hint="name one container with --benchmark")
    benchmark = _benchmark(workspace, inputs)
    asset = benchmark.demo_data
    archive = inputs.demo_data or fetch(trial.context, asset)
    if archive.is_file():
        check_asset(archive, asset)
    with opened(archive, trial.bench.scratch) as raw:
        return _walk(trial, workspace.view, benchmark, raw=raw, tried=subjects[0].cube)


def _chain_of(subjects: Sequence[Subject], tasks: tuple[str, ...]) -> Chain:
    if tasks and len(subjects) > 1:
        raise UsageProblem("--task names a task of one container", hint="name one container, or leave --task out")
    by_role: dict[str, PinnedCube] = {}
    for subject in subjects:
        role = subject.cube.role
        if role in by_role:
            raise UsageProblem(f"two containers are a {role}", hint="name at most one of each role")
        by_role[role] = _pinned(subject.cube)
    return Chain(preparator=by_role.get("data-preparator"), model=by_role.get("model"), metrics=by_role.get("metrics"))


def _walk(trial: Trial, view: RecordView, benchmark: Benchmark, *, raw: DemoData, tried: Cube | None) -> Walk:
    """Run the whole chain on raw data, with `tried` in the place of its role, and reduce what came of it."""
    chosen = {
        role: _pinned(tried) if tried is not None and tried.role == role else _registered(view, benchmark, role)
        for role in ("data-preparator", "model", "metrics")
    }
    chain = Chain(preparator=chosen["data-preparator"], model=chosen["model"], metrics=chosen["metrics"])
    done = run_chain(trial, chain, Given(data=raw.data, labels=raw.labels))
    return _reduced(trial, benchmark, done)


def _reduced(trial: Trial, benchmark: Benchmark, done: Chained) -> Walk:
    if done.cases is None:
        hint = "the data preparator must write num_cases into its statistics"
        raise UsageProblem("the statistics do not say how many cases there are", hint=hint)
    try:
        reduced = reduce_results(done.results, benchmark.metrics, cases=done.cases)
    except InvalidOutput as error:
        hint = "compare the results file with the benchmark's metrics"
        raise StepFailed("invalid-output", str(error), hint=hint) from error
    return Walk(dict(reduced.values), reduced.undeclared, done.cases, trial.needs, done.results)


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


def _resources(cube: Cube, walk: Walk) -> Resources | None:
    need = walk.needs.get(tasks_of(cube)[0])
    if need is None:
        return None
    per_case = record_number(need.seconds / walk.cases, 3) if walk.cases else None
    wants_gpu = any(one.run_args and one.run_args.gpus for one in cube.tasks.values())
    return Resources(per_case, need.peak_memory, need.peak_disk, wants_gpu)
