"""Nothing is submitted untested: benchmarks and models run on the demo data first, and that is remembered here.

A mark is kept for exactly the bytes that were tested together: a draft that is edited, or a container that changes,
is tested anew. What this machine cannot run (no GPU, no image) blocks nothing, and is said.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from medperf_git.errors import ContainerFailed, Refused
from medperf_git.flows.home import locked, read_json, write_json
from medperf_git.flows.naming import Found
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.trying import BenchmarkTrial, NeverRan, TrialInputs, subject_of, try_benchmark, try_cube
from medperf_git.flows.workspace import Workspace
from medperf_git.records.digests import digest_of
from medperf_git.records.folds import registry_state
from medperf_git.records.models import Benchmark, Cube, Tested
from medperf_git.records.record import write_record
from medperf_git.records.times import format_time

_FILE = "tested.json"
_MOST = 1000
_NO_TIME = "2000-01-01T00:00:00Z"


def try_and_remember(workspace: Workspace, file: Path, settings: RunSettings) -> BenchmarkTrial:
    """Test a benchmark's draft on its demo data, and remember that this draft went well; ContainerFailed otherwise."""
    trial = try_benchmark(workspace, file, settings)
    _remember(workspace, _key_of(trial.benchmark))
    return trial


def tested_benchmark(workspace: Workspace, file: Path, record: Benchmark, *, dry_run: bool) -> Benchmark:
    """Return the record with the outcome of its test in it; it is tested now unless exactly this draft was before.

    Raises `Refused` when the test fails. Where this machine cannot run it, the record says nothing of a test.
    """
    say = workspace.context.say
    if not _is_remembered(workspace, _key_of(record)):
        if dry_run:
            say("it would first be tested on its demo data")
            return record
        say("this draft was not tested on its demo data yet, so it is tested now")
        try:
            try_and_remember(workspace, file, RunSettings())
        except NeverRan as problem:
            say(
                f"note: this machine cannot test it: {problem.message}; it is submitted untested, and says nothing else"
            )
            return record
        except ContainerFailed as problem:
            hint = f"{problem.hint}; try again with your own options: medperf-git benchmark test {file}".lstrip("; ")
            raise Refused(f"nothing was sent, since the test failed: {problem.message}", hint=hint) from problem
    registry = registry_state(workspace.view)
    if registry is not None and registry.rule_set < 2:  # its clients know no such field
        return record
    return replace(record, tested=Tested(record.demo_data.digest, "complete"))


def require_tested_model(
    workspace: Workspace, benchmark: Found[Benchmark], model: Found[Cube], settings: RunSettings, *, dry_run: bool
) -> None:
    """See that a model runs on a benchmark's demo data before it asks to join; `Refused` when it does not.

    Its record may say so, or a test on this machine; else it is tested now.
    """
    say = workspace.context.say
    if model.record.role != "model" or model.record.tested == Tested(benchmark.record.demo_data.digest, "complete"):
        return
    key = _key_of(benchmark.record, model.stored.digest)
    if _is_remembered(workspace, key):
        return
    if dry_run:
        say(f"{model.ref} would first be tested on the demo data of {benchmark.ref}")
        return
    say(f"{model.ref} was not tested on the demo data of {benchmark.ref} yet, so it is tested now")
    context, subject = workspace.context, subject_of(workspace.context, workspace, str(model.ref))
    trial = try_cube(context, workspace, [subject], TrialInputs(benchmark=str(benchmark.ref)), settings=settings)
    if trial.never_ran:
        say(f"note: this machine cannot test it: {trial.failure}; the request goes on without a test")
        return
    if trial.failure:
        hint = f"{trial.hint}; see it by itself: medperf-git cube test {model.ref} --benchmark {benchmark.ref}"
        raise Refused(f"nothing was asked, since the test failed: {trial.failure}", hint=hint.lstrip("; "))
    _remember(workspace, key)


def _key_of(benchmark: Benchmark, *more: str) -> str:
    """Return what a mark is kept for: a benchmark but for what its submission fills in, and what was tested in it."""
    same = replace(benchmark, created=_NO_TIME, version=1, predecessor=None, tested=None)
    return digest_of(json.dumps([digest_of(write_record(same)), *more]).encode())


def _is_remembered(workspace: Workspace, key: str) -> bool:
    return key in dict(_marks(workspace))


def _remember(workspace: Workspace, key: str) -> None:
    home = workspace.context.home
    with locked(home / f"{_FILE}.lock"):
        kept = [mark for mark in _marks(workspace) if mark[0] != key][-_MOST + 1 :]
        write_json(home / _FILE, {"tested": [*kept, (key, format_time(workspace.context.clock()))]})


def _marks(workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Yield what was tested here and when, oldest first."""
    value: Any = read_json(workspace.context.home / _FILE).get("tested")
    for one in value if isinstance(value, list) else []:
        if isinstance(one, list) and len(one) == 2:
            yield str(one[0]), str(one[1])
