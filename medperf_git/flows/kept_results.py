"""The results files that this machine kept of published results, each proved to be what its result was made of.

Values of single cases are read here and nowhere else after a run; they never leave.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.disclosure import limits_of, publishable
from medperf_git.flows.naming import Found
from medperf_git.flows.run_rows import run_store
from medperf_git.flows.workspace import Workspace
from medperf_git.records.digests import Digest
from medperf_git.records.folds import is_associated_model, live_result
from medperf_git.records.models import Benchmark, Dataset, Metric, MetricValue, Result
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import iter_results
from medperf_git.runner.outcome import Outcome, outcome_from_plain
from medperf_git.runner.plan import run_id_of
from medperf_git.runner.reduce import InvalidOutput, reduce_results
from medperf_git.runner.results_file import read_results
from medperf_git.runner.store import RunFolder


@dataclass(frozen=True, slots=True)
class Kept:
    """A published result of which this machine still has the results file; `cases` is the dataset's true number."""

    model: Ref
    digest: Digest
    stored: Stored
    result: Result
    content: Any
    cases: int


@dataclass(frozen=True, slots=True)
class Left:
    """A model that cannot be compared, and why."""

    model: Ref
    why: str


def kept_results(workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset]) -> Iterator[Kept | Left]:
    """Yield every model with a result on a dataset: with its results file, or why that cannot be used."""
    view = workspace.view
    runs = _runs_of(workspace, benchmark, dataset)
    for ref in sorted(model for one, model in iter_results(view, benchmark.ref) if one == dataset.ref):
        live = live_result(view, benchmark.ref, dataset.ref, ref)
        if live is None or not isinstance(live.record, Result):
            yield Left(ref, "its result was withdrawn")
        elif not is_associated_model(view, benchmark.ref, ref):
            yield Left(ref, "it is not approved any more")
        elif live.record.outcome != "complete":
            yield Left(ref, f"its result is {live.record.outcome}, and only complete ones are compared")
        else:
            yield _kept(runs, live, live.record, ref)


def differs_from_published(workspace: Workspace, kept: Kept, metric: Metric, dataset: Found[Dataset]) -> str:
    """Say why the kept values of a metric are not those of the published result; nothing when they are."""
    published = (kept.result.values or {}).get(metric.id)
    if published is None or published.value is None:
        return f"its result publishes no value of {metric.id}"
    now = limits_of(workspace.view, kept.result.benchmark.ref, dataset.record.disclosure)
    try:
        reduced = reduce_results(kept.content, [metric], cases=kept.cases)
    except InvalidOutput as error:
        return f"its kept values are not what the benchmark declares: {error}"
    # Limits may have tightened since: it was published with as many decimals as are allowed now, or more.
    for decimals in range(min(now.decimals, metric.decimals), metric.decimals + 1):
        then = replace(now, min_cases=1, decimals=decimals)
        value = publishable(reduced.values, [metric], then, cases=kept.cases).values[metric.id]
        if _said(value) == _said(published):
            return ""
    return f"its kept values of {metric.id} do not give the published result any more"


def _said(value: MetricValue) -> tuple[object, ...]:
    return (value.value, value.sd, value.n, value.n_failed, value.n_undefined)


def _runs_of(workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset]) -> list[RunFolder]:
    """Return the runs of exactly these records on this machine: there is one, as its id follows from them."""
    wanted = run_id_of(benchmark.reference, dataset.reference)
    return [run for run in run_store(workspace.context.home).runs() if run.run_id == wanted]


def _kept(runs: list[RunFolder], live: Stored, result: Result, ref: Ref) -> Kept | Left:
    for run in runs:
        outcome = outcome_from_plain(run.model(ref).outcome() or {})
        if outcome is not None and (outcome.started, outcome.finished) == (result.started, result.finished):
            return _read(run, outcome, live, result)
    return Left(ref, "what it was made of is not here: it ran on another machine, was run again since, or was pruned")


def _read(run: RunFolder, outcome: Outcome, live: Stored, result: Result) -> Kept | Left:
    ref, state = outcome.model.ref, run.model(outcome.model.ref)
    if ref in run.unverified():
        return Left(ref, f"the data was not looked at again since it ran; run `medperf-git review {run.run_id}`")
    if not state.results.exists():
        return Left(ref, "its values by case are gone from this machine")
    if not state.has_finished("evaluate", outcome.evaluate_key):
        return Left(ref, "its values by case were changed on this machine since they were made")
    try:
        content, cases = read_results(state.results), int(run.plan()["cases"])
    except InvalidOutput as error:
        return Left(ref, str(error))
    except (KeyError, TypeError, ValueError) as error:
        hint = "run the benchmark on that dataset again, which writes them anew"
        raise EnvironmentProblem(f"the notes of run {run.run_id} are damaged", hint=hint) from error
    return Kept(ref, outcome.model.digest, live, result, content, cases)
