"""How the models of a site compare on the same cases: the exact records that would leave, and plain words about them.

A comparison rests on published results alone, and only on those whose values by case this machine still has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medperf_git import __version__
from medperf_git.errors import Refused, UsageProblem
from medperf_git.flows.batches import say_parts, split_drafts
from medperf_git.flows.comparable import fitting_values
from medperf_git.flows.disclosure import DisclosureLimits, limits_of, who_sees
from medperf_git.flows.kept_results import Kept, Left, differs_from_published, kept_results
from medperf_git.flows.naming import Found, at_ref, find, refuse_withdrawn
from medperf_git.flows.propose import Draft, next_link
from medperf_git.flows.still_approved import refuse_unapproved
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.stages import models_of
from medperf_git.policy.comparisons import Used, published_numbers
from medperf_git.policy.values import About, OfASite, cases_behind
from medperf_git.records import layout
from medperf_git.records.canonical import format_number
from medperf_git.records.digests import digest_of, short
from medperf_git.records.folds import live_comparison, member_state, registry_state
from medperf_git.records.models import (
    Benchmark,
    ComparedModel,
    Comparison,
    Cube,
    Dataset,
    Metric,
)
from medperf_git.records.names import Ref
from medperf_git.records.record import read_record, write_record
from medperf_git.records.view import RecordView
from medperf_git.runner.comparison import NotComparable, compare_cases
from medperf_git.runner.reduce import InvalidOutput, values_by_case

MOST_MODELS = 64
_NOBODY = "\0"  # starts the name of a case that no results file names


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one metric: the record that would leave, or why there is none; and the models left out."""

    metric: Metric
    left: tuple[Left, ...]
    draft: Draft | None = None
    data: bytes = b""
    supersedes: str = ""
    note: str = ""

    @property
    def record(self) -> Comparison | None:
        """The record, when there is one."""
        return self.draft.record if self.draft and isinstance(self.draft.record, Comparison) else None

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        record = (
            {"path": self.draft.path, "digest": digest_of(self.data), "record": self.data.decode()}
            if self.draft
            else {}
        )
        left = [{"model": str(one.model), "why": one.why} for one in self.left]
        return {"metric": self.metric.id, "left": left, "supersedes": self.supersedes, "note": self.note, **record}

    def lines(self, *, exact: bool) -> Iterator[str]:
        """Say in plain words, and with `exact` in its bytes, what would leave."""
        yield ""
        yield f"— {self.metric.id} ({self.metric.title}, {'more' if _is_higher(self.metric) else 'less'} is better)"
        yield from (f"Left out: {one.model}: {one.why}" for one in self.left)
        if self.note:
            yield self.note
        if self.record is None or self.draft is None:
            return
        if self.supersedes:
            yield f"It supersedes the comparison {self.supersedes}, which stays in the history."
        yield f"{len(self.record.models)} models over {self.record.n} cases that all of them have:"
        for model in self.record.models:
            yield f"  {model.ref}: mean {format_number(model.mean)}, mean rank {format_number(model.mean_rank)}"
        yield (
            f"For each of {len(self.record.pairs)} pairs: mean difference and its standard deviation, the sum of "
            "signed ranks and its variance, wins, ties and losses; and the covariances of the models."
        )
        yield f"{self.draft.path} ({len(self.data)} bytes, SHA-256 {digest_of(self.data)[7:19]}…)" + ":" * exact
        yield from ("  " + line for line in self.data.decode().splitlines() if exact)


@dataclass(frozen=True, slots=True)
class Comparing:
    """What a site would publish about how models compare on a dataset."""

    benchmark: Ref
    dataset: Ref
    metrics: tuple[Compared, ...]
    seen_by: str

    @property
    def drafts(self) -> list[Draft]:
        """The records, each where it belongs."""
        return [one.draft for one in self.metrics if one.draft]

    @property
    def title(self) -> str:
        """One line about the proposal."""
        metrics = ", ".join(one.metric.id for one in self.metrics if one.draft)
        return f"Compare models on {self.dataset} by {metrics}" if metrics else "Nothing to compare"

    def parts(self, workspace: Workspace) -> tuple[list[list[Draft]], str]:
        """Return the records in as few proposals as the limits allow, and a sentence where they are several."""
        registry, owner = registry_state(workspace.view), member_state(workspace.view, self.dataset.member)
        if registry is None:
            return [self.drafts], ""
        asked = owner.cosigning.result if owner and owner.cosigning else 1
        parts = split_drafts(self.drafts, registry.limits, signatures=asked)
        return parts, say_parts(parts, registry.limits, what="comparison")

    def lines(self, *, exact: bool = False) -> Iterator[str]:
        """Say in plain words what would leave, and what cannot be compared."""
        yield f"Models compared on {self.dataset} in {self.benchmark}"
        count = len(self.drafts)
        said = f"{count} record(s) would leave, and nothing else. Seen by {self.seen_by}."
        yield said if count else "Nothing would leave: there is nothing to compare that is not published yet."
        for one in self.metrics:
            yield from one.lines(exact=exact)
        if count:
            yield "Data, labels, predictions, logs and values of single cases stay here."

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "benchmark": str(self.benchmark),
            "dataset": str(self.dataset),
            "seen_by": self.seen_by,
            "comparisons": [one.as_value() for one in self.metrics],
        }


def build_comparing(workspace: Workspace, benchmark: str, *, dataset: str, metrics: Sequence[str] = ()) -> Comparing:
    """Compare the published models on a dataset of this machine, by the metrics named or by all that can be.

    Raises `Refused` when the benchmark asks for no comparisons or the dataset is not approved, `UsageProblem` when a
    metric is none that has a value for each case.
    """
    view, member = workspace.view, workspace.member
    about, data = find(view, Benchmark, benchmark, member=member), find(view, Dataset, dataset, member=member)
    refuse_withdrawn(view, about.stored)
    refuse_withdrawn(view, data.stored)
    refuse_unapproved(view, about.ref, data)
    limits = limits_of(view, about.ref, data.record.disclosure)
    _refuse_unwanted(about, limits)
    chosen = _chosen(about, metrics)
    found = list(kept_results(workspace, about, data))
    kept = _most(view, about, [one for one in found if isinstance(one, Kept)])
    left = [one for one in found if isinstance(one, Left)]
    left += [
        Left(one.model, f"a comparison holds {MOST_MODELS} models, by the committee's priority")
        for one in found
        if isinstance(one, Kept) and one not in kept
    ]
    done = tuple(_by_metric(workspace, about, data, metric, kept=kept, left=left, limits=limits) for metric in chosen)
    return Comparing(about.ref, data.ref, done, who_sees(view, about.ref))


def _refuse_unwanted(benchmark: Found[Benchmark], limits: DisclosureLimits) -> None:
    if not benchmark.record.comparisons:
        hint = "its committee can ask for them in a next version: `comparisons: true` in the benchmark file"
        raise Refused(f"{benchmark.ref} asks for no comparisons, so none may leave", hint=hint)
    if not limits.exact:
        message = f"{benchmark.ref} publishes numbers of cases as ranges only, and a comparison rests on exact ones"
        raise Refused(message, hint="leave it; results alone are published under such a policy")


def _chosen(benchmark: Found[Benchmark], names: Sequence[str]) -> list[Metric]:
    able = [metric for metric in benchmark.record.metrics if metric.is_per_case]
    known = ", ".join(metric.id for metric in able) or "none"
    for name in names:
        if name not in {metric.id for metric in able}:
            message = f"{benchmark.ref} has no metric {name!r} with a value for each case"
            raise UsageProblem(message, hint=f"those that have one: {known}")
    if not able:
        message = f"no metric of {benchmark.ref} has a value for each case, so there is nothing to compare"
        raise Refused(message, hint="a metric has one when `*` stands for every case in its path")
    return [metric for metric in able if not names or metric.id in names]


def _most(view: RecordView, benchmark: Found[Benchmark], kept: list[Kept]) -> list[Kept]:
    """Return as many models as one record holds, the committee's first ones first, in the order of their names."""
    if len(kept) <= MOST_MODELS:
        return kept
    order = models_of(view, benchmark.ref, reference=benchmark.record.reference_model.ref)
    first = sorted(kept, key=lambda one: order.index(one.model) if one.model in order else len(order))
    return sorted(first[:MOST_MODELS], key=lambda one: one.model)


def _by_metric(
    workspace: Workspace,
    benchmark: Found[Benchmark],
    dataset: Found[Dataset],
    metric: Metric,
    *,
    kept: Sequence[Kept],
    left: Sequence[Left],
    limits: DisclosureLimits,
) -> Compared:
    out, usable = list(left), []
    for one in kept:
        if why := differs_from_published(workspace, one, metric, dataset) or _too_few(one, metric, limits):
            out.append(Left(one.model, why))
        else:
            usable.append(one)
    values, faults = values_of(usable, metric)
    out += faults
    public = {ref: _published(workspace, benchmark, dataset, metric, ref) for ref in values}
    fits = fitting_values(values, public, least=limits.min_cases)
    out += [Left(ref, why) for ref, why in fits.left.items()]
    if len(fits.models) < 2:
        few = "one model can" if fits.models else "no model can"
        return Compared(metric, tuple(out), note=f"Nothing leaves: {few} be compared, and it takes two.")
    by_ref = {one.model: one for one in usable}
    try:
        record = _record(
            workspace, benchmark, dataset, metric,
            kept=[by_ref[ref] for ref in fits.models], values=[values[ref] for ref in fits.models],
            decimals=min(metric.decimals, limits.decimals),
        )  # fmt: skip
    except NotComparable as error:
        return Compared(metric, tuple(out), note=f"Nothing leaves: {error}.")
    return _placed(workspace, record, metric, tuple(out))


def _too_few(kept: Kept, metric: Metric, limits: DisclosureLimits) -> str:
    """Say when too few cases have a value of their own, the others entering as the worst one."""
    value = (kept.result.values or {}).get(metric.id)
    if value is None or metric.undefined != "worst":
        return ""
    own = cases_behind(metric, value, value.n or 0)
    few = f"only {own} cases have a value of {metric.id}; at least {limits.min_cases} ({limits.min_cases_by})"
    return few if own < limits.min_cases else ""


def _placed(workspace: Workspace, record: Comparison, metric: Metric, left: tuple[Left, ...]) -> Compared:
    """Return a record in its place, or say that the same stands already."""
    live = live_comparison(workspace.view, record.benchmark.ref, record.dataset.ref, metric.id)
    if live is not None and isinstance(live.record, Comparison) and _content(live.record) == _content(record):
        return Compared(metric, left, note=f"Published already, as {short(live.digest)}.")
    folder = layout.comparison_folder(record.benchmark.ref, record.dataset.ref, metric.id)
    number, previous = next_link(workspace.view, folder)
    draft = Draft(layout.numbered(folder, number), replace(record, previous=previous))
    data = write_record(draft.record)
    if findings := read_record(draft.path, data).findings:
        said = "; ".join(f"{finding.pointer}: {finding.message}" for finding in findings)
        return Compared(metric, left, note=f"Nothing leaves: the comparison has no valid form: {said}.")
    return Compared(metric, left, draft, data, supersedes=short(live.digest) if live else "")


def _content(record: Comparison) -> tuple[object, ...]:
    return (record.benchmark, record.dataset, record.n, record.models, record.covariance, record.pairs)


def _record(
    workspace: Workspace,
    benchmark: Found[Benchmark],
    dataset: Found[Dataset],
    metric: Metric,
    *,
    kept: Sequence[Kept],
    values: Sequence[Mapping[str, float]],
    decimals: int,
) -> Comparison:
    block = compare_cases(values, higher_is_better=_is_higher(metric), decimals=decimals)
    return Comparison(
        created=max(one.result.finished for one in kept),  # so the same results make the same bytes
        benchmark=benchmark.reference,
        dataset=dataset.reference,
        metric=metric.id,
        n=block.n,
        models=tuple(
            ComparedModel(
                one.model, at_ref(workspace.view, Cube, one.model).stored.digest, one.stored.digest, mean, rank
            )
            for one, mean, rank in zip(kept, block.means, block.mean_ranks, strict=True)
        ),
        covariance=block.covariance,
        pairs=block.pairs,
        client=f"medperf-git {__version__}",
    )


def values_of(kept: Sequence[Kept], metric: Metric) -> tuple[dict[Ref, dict[str, float]], list[Left]]:
    """Return each model's values by case, cases of all models under the same names, and the models without.

    Under `undefined: worst` every case of the dataset has a value; else a case without one is left out. Cases that
    a results file does not name are known by their place, which tells them apart only where none is missing.
    """
    read, left = {}, []
    for one in kept:
        try:
            read[one.model] = (one, values_by_case(one.content, metric, cases=one.cases))
        except InvalidOutput as error:  # cannot be: the published result was made of it
            left.append(Left(one.model, str(error)))
    named = any(values.named for _, values in read.values())
    union = {case for _, values in read.values() if values.named == named for case in values.values}
    found: dict[Ref, dict[str, float]] = {}
    for ref, (one, values) in read.items():
        if values.named != named or (not named and len(values.values) != one.cases):
            left.append(Left(ref, "its results file does not name the cases, so they cannot be told apart"))
        elif len(union) > one.cases:
            left.append(Left(ref, "the results files of the models name different cases"))
        elif metric.undefined == "worst":
            absent = [f"{_NOBODY}{number}" for number in range(one.cases - len(union))]
            worst = float(metric.worst_value)
            found[ref] = {
                case: worst if (value := values.values.get(case)) is None else value for case in (*union, *absent)
            }
        else:
            found[ref] = {case: value for case, value in values.values.items() if value is not None}
    return found, left


def _published(
    workspace: Workspace, benchmark: Found[Benchmark], dataset: Found[Dataset], metric: Metric, ref: Ref
) -> list[Used]:
    """Return on how many cases anything about a model is public."""
    view = workspace.view

    def least_of(record: OfASite) -> int:
        owner = at_ref(view, Dataset, record.dataset.ref).record
        return limits_of(view, record.benchmark.ref, owner.disclosure).min_cases

    about = About(benchmark.ref, dataset.ref, ref, metric.id)
    return list(published_numbers(view, about, least_of))


def _is_higher(metric: Metric) -> bool:
    return metric.direction == "higher"
