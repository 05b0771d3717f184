"""Rules about comparisons: wanted, of live results, over enough cases, not near what is published.

What the numbers themselves must satisfy is in `comparison_numbers`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from medperf_git.policy.case import Case
from medperf_git.policy.comparison_numbers import Basis, faults_of
from medperf_git.policy.values import About, OfASite, cases_behind, limits_for, numbers_of, published_values
from medperf_git.records import layout, models
from medperf_git.records.findings import Finding
from medperf_git.records.folds import live_result, policy_state
from medperf_git.records.names import Ref
from medperf_git.records.record import Stored
from medperf_git.records.view import RecordView, record_at, stored_at

MOST_FAULTS = 20  # of one record; who mends these sees the next
UNCHANGED = "submit what `medperf-git compare` made, unchanged"


@dataclass(frozen=True, slots=True)
class Used:
    """A number of cases on which something about a model was published: where, and how far others must lie from it."""

    where: str
    n: int
    least: int


def check_wanted(case: Case) -> Iterator[Finding]:
    """Refuse comparisons that the benchmark does not ask for, or of what has no value for each case."""
    for stored, comparison in case.of(models.Comparison):
        benchmark = _benchmark(case.change.after, comparison)
        if benchmark is None:
            continue  # the rule `reference` says so
        policy = policy_state(case.change.before, benchmark.ref)
        metric = _metric(benchmark, comparison)
        for wrong, pointer, message, fix in (
            (not benchmark.comparisons, "/benchmark", f"{benchmark.ref} asks for no comparisons", "ask its committee"),
            (
                policy is not None and policy.disclosure.n != "exact",
                "/n",
                "this benchmark publishes numbers of cases as ranges only, and a comparison rests on exact ones",
                "leave it out",
            ),
            (metric is None, "/metric", f"the benchmark declares no metric {comparison.metric!r}", "choose another"),
            (
                metric is not None and not metric.is_per_case,
                "/metric",
                f"{comparison.metric} has no value for each case (no `*` in its path)",
                "choose a metric that has one",
            ),
        ):
            if wrong:
                yield Finding("comparison-wanted", message, path=stored.path, pointer=pointer, fix=fix)


def check_rests_on_results(case: Case) -> Iterator[Finding]:
    """Refuse a comparison of other results than the live, complete ones that publish a value of the metric."""
    for stored, comparison in case.of(models.Comparison):
        for number, model in enumerate(comparison.models):
            live = _live(case, comparison, model.ref)
            got, fault = model.result, ""
            if live is None or live.digest != model.result:
                fault = f"this is not the live result of {model.ref}"
            elif not isinstance(live.record, models.Result) or live.record.outcome != "complete":
                fault = f"the result of {model.ref} is not complete"
            elif _value(live, comparison.metric) is None:
                fault = f"the result of {model.ref} publishes no value of {comparison.metric}"
            if fault:
                pointer, want = f"/models/{number}/result", live.digest if live else "a live result"
                fix = "compare again: medperf-git compare"
                yield Finding(
                    "comparison-result", fault, path=stored.path, pointer=pointer, expected=want, got=got, fix=fix
                )


def check_numbers(case: Case) -> Iterator[Finding]:
    """Refuse numbers that cannot be right together, are out of range, or say too many digits."""
    for stored, comparison in case.of(models.Comparison):
        benchmark = _benchmark(case.change.after, comparison)
        metric = _metric(benchmark, comparison) if benchmark else None
        if metric is None:
            continue  # the rule `comparison-wanted` says so
        lives = [_live(case, comparison, model.ref) for model in comparison.models]
        values = tuple(_value(live, metric.id) if live else None for live in lives)
        basis = Basis(comparison, metric, min(metric.decimals, limits_for(case, comparison).decimals), values)
        for pointer, message, want, got in islice(faults_of(basis), MOST_FAULTS):
            yield Finding(
                "comparison-numbers", message, path=stored.path, pointer=pointer, expected=want, got=got, fix=UNCHANGED
            )


def check_enough_cases(case: Case) -> Iterator[Finding]:
    """Refuse a comparison of models, or of two of them, over fewer cases than benchmark and site allow.

    Two models that differ in one case show by how much: it is their mean difference, times the number of cases.
    """
    for stored, comparison in case.of(models.Comparison):
        least = limits_for(case, comparison).min_cases
        few = [
            ("this rests on too few cases to be published", pointer, n, f"at least {least}")
            for pointer, n in _numbers_of_cases(case, comparison)
            if n < least
        ]
        few += [
            (
                "the two models differ in so few cases that their differences there show",
                f"/pairs/{number}",
                pair.wins + pair.losses,
                f"none, or at least {least}",
            )
            for number, pair in enumerate(comparison.pairs)
            if 0 < pair.wins + pair.losses < least <= pair.n
        ]
        fix = "leave a model out, or publish none"
        for message, pointer, n, want in few[:MOST_FAULTS]:
            got = str(n)
            yield Finding(
                "comparison-few-cases", message, path=stored.path, pointer=pointer, expected=want, got=got, fix=fix
            )


def _numbers_of_cases(case: Case, comparison: models.Comparison) -> Iterator[tuple[str, int]]:
    """Yield where a comparison rests on how many cases; those that enter as the worst value hide nobody."""
    yield "/n", comparison.n
    yield from ((f"/pairs/{number}/n", pair.n) for number, pair in enumerate(comparison.pairs))
    benchmark = _benchmark(case.change.after, comparison)
    metric = _metric(benchmark, comparison) if benchmark else None
    for number, model in enumerate(comparison.models):
        live = _live(case, comparison, model.ref)
        value = _value(live, comparison.metric) if live else None
        if metric is not None and metric.undefined == "worst" and value is not None:
            yield f"/models/{number}", cases_behind(metric, value, comparison.n)


def check_differencing(case: Case) -> Iterator[Finding]:
    """Refuse a comparison over almost the same cases as something else that is published of one of its models.

    A mean over 60 and one over 59 of the same cases show the sixtieth. So all numbers of cases on which values,
    means and differences of one model rest are equal, or lie at least the smallest number of cases apart.
    """

    def least_of(record: OfASite) -> int:
        return limits_for(case, record).min_cases

    for stored, comparison in case.of(models.Comparison):
        least = least_of(comparison)
        for number, model in enumerate(comparison.models):
            about = About(comparison.benchmark.ref, comparison.dataset.ref, model.ref, comparison.metric)
            here = sorted(numbers_of(comparison, about))
            others = [
                *(Used(stored.path, n, least) for n in here),
                *published_numbers(case.change.after, about, least_of, path=stored.path),
            ]
            near = [(n, used) for n in here for used in others if 0 < abs(n - used.n) < max(least, used.least)]
            if near:
                n, used = near[0]
                message = f"with {used.where} this shows what {abs(n - used.n)} cases contribute for {model.ref}"
                want, fix = f"a difference of at least {max(least, used.least)} cases", "leave that model out"
                pointer, got = f"/models/{number}", f"{n} and {used.n}"
                yield Finding(
                    "comparison-differencing",
                    message,
                    path=stored.path,
                    pointer=pointer,
                    expected=want,
                    got=got,
                    fix=fix,
                )


def published_numbers(
    view: RecordView, about: About, least_of: Callable[[OfASite], int], *, path: str = ""
) -> Iterator[Used]:
    """Yield on how many cases values of a model are public, as `published_values` does, and how near others may come.

    Superseded and withdrawn ones count too: they were read.
    """
    for where, n in published_values(view, path, about):
        beside = stored_at(view, where)
        yield Used(where, n, least_of(beside.record) if beside and isinstance(beside.record, OfASite) else 0)


def _benchmark(view: RecordView, comparison: models.Comparison) -> models.Benchmark | None:
    return record_at(view, layout.benchmark_path(comparison.benchmark.ref), models.Benchmark)


def _metric(benchmark: models.Benchmark, comparison: models.Comparison) -> models.Metric | None:
    return next((one for one in benchmark.metrics if one.id == comparison.metric), None)


def _live(case: Case, comparison: models.Comparison, model: Ref) -> Stored | None:
    return live_result(case.change.after, comparison.benchmark.ref, comparison.dataset.ref, model)


def _value(live: Stored, metric: str) -> models.MetricValue | None:
    values = live.record.values if isinstance(live.record, models.Result) else None
    entry = (values or {}).get(metric)
    return entry if entry is not None and entry.value is not None else None
