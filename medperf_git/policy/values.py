"""Rules about the values of a result: declared, explained, in range, in few digits, over enough cases."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Self, TypeAlias

from medperf_git.policy.case import Case
from medperf_git.policy.results import UNCHANGED
from medperf_git.records import layout, models
from medperf_git.records.canonical import format_number
from medperf_git.records.findings import Finding
from medperf_git.records.folds import comparison_chain, policy_state, result_chain
from medperf_git.records.names import Ref
from medperf_git.records.statistics import SMALLEST_COUNT, statistic_fault
from medperf_git.records.view import RecordView, record_at, stored_at, versions_of

OfASite: TypeAlias = models.Result | models.Comparison


@dataclass(frozen=True, slots=True)
class Limits:
    """The strictest of what metric, policy and site allow: fewest cases, most decimals, whether `n` is exact."""

    min_cases: int
    decimals: int
    exact: bool


@dataclass(frozen=True, slots=True)
class About:
    """One model's values of a metric on a dataset."""

    benchmark: Ref
    dataset: Ref
    model: Ref
    metric: str

    @classmethod
    def of(cls, result: models.Result, metric: str) -> Self:
        """Return what a result says of a metric."""
        return cls(result.benchmark.ref, result.dataset.ref, result.model.ref, metric)


def limits_for(case: Case, result: OfASite) -> Limits:
    """Return the limits of policy and site on what is said of a dataset in a benchmark."""
    policy = policy_state(case.change.before, result.benchmark.ref)
    dataset = record_at(case.change.after, layout.dataset_path(result.dataset.ref), models.Dataset)
    site = (dataset.disclosure if dataset else None) or models.SiteDisclosure()
    promised = policy.disclosure if policy else models.Disclosure(1, 4, "exact")
    decimals = promised.decimals if site.decimals is None else min(promised.decimals, site.decimals)
    return Limits(max(promised.min_cases, site.min_cases or 1), decimals, promised.n == "exact")


def at_most(cases: models.Cases) -> int:
    """Return the largest number that this can mean."""
    return cases.exact if cases.exact is not None else cases.high or 0


def _entries(case: Case) -> Iterator[tuple[str, models.Result, models.Metric, models.MetricValue]]:
    """Yield every declared value of every added result."""
    for stored, result in case.of(models.Result):
        benchmark = record_at(case.change.after, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
        for metric in benchmark.metrics if benchmark else ():
            if result.values and metric.id in result.values:
                yield stored.path, result, metric, result.values[metric.id]


def check_declared(case: Case) -> Iterator[Finding]:
    """Refuse values that were not declared, declared ones that miss, and partial outcomes nobody allowed."""
    for stored, result in case.of(models.Result):
        benchmark = record_at(case.change.after, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
        if benchmark is None or result.values is None:
            continue
        declared = [metric.id for metric in benchmark.metrics]
        for name in sorted(result.values.keys() - set(declared)):
            fix, want = "leave it out: only declared metrics leave a site", ", ".join(declared)
            message, pointer = f"the benchmark declares no metric {name!r}", f"/values/{name}"
            yield Finding("undeclared-metric", message, path=stored.path, pointer=pointer, expected=want, fix=fix)
        for name in sorted(set(declared) - result.values.keys()):
            message = f"the declared metric {name!r} is missing"
            yield Finding("missing-metric", message, path=stored.path, pointer="/values", fix=UNCHANGED)
        if result.outcome == "partial" and not benchmark.partial:
            message, fix = "this benchmark takes no partial outcomes", "run the missing cases again"
            yield Finding("partial", message, path=stored.path, pointer="/outcome", fix=fix)


def check_values(case: Case) -> Iterator[Finding]:
    """Refuse values out of range, with more digits than allowed, with an undeclared sd, or absent without a reason."""
    for path, result, metric, entry in _entries(case):
        limits = limits_for(case, result)
        pointer = f"/values/{metric.id}"
        low, high = Decimal(metric.range.min), Decimal(metric.range.max)
        for field, number, least, greatest in (
            ("value", entry.value, low, high),
            ("sd", entry.sd, Decimal(0), high - low),  # values in a range cannot lie further apart
        ):
            if number is None:
                continue
            where, got = f"{pointer}/{field}", format_number(number)
            if not least <= Decimal(number) <= greatest:
                message, want = f"{metric.id} is out of its range", f"{least} to {greatest}"
                yield Finding("range", message, path=path, pointer=where, expected=want, got=got, fix=UNCHANGED)
            most = min(metric.decimals, limits.decimals)
            if len(got.partition(".")[2]) > most:
                message, want = f"{metric.id} says more digits than allowed", f"at most {most} decimals"
                yield Finding("decimals", message, path=path, pointer=where, expected=want, got=got, fix=UNCHANGED)
        if entry.sd is not None and not metric.sd:
            message = f"{metric.id} publishes no standard deviation"
            yield Finding("undeclared-metric", message, path=path, pointer=f"{pointer}/sd", fix=UNCHANGED)
        near = entry.absent == "held-back" and any(_near(case, path, result, metric=metric.id, least=limits.min_cases))
        if entry.value is None and not near and not _explained(entry, result, limits):
            message = f"{metric.id} has no value and no count of cases that explains it"
            yield Finding("missing-metric", message, path=path, pointer=pointer, fix=UNCHANGED)


def check_distributions(case: Case) -> Iterator[Finding]:
    """Refuse quantiles and counts that were not declared so, out of range or order, or about too few cases.

    Quantiles need the smallest number of cases beyond and between them, or they show single patients' values; a
    count above 0 and below that number is about a few patients who could be recognised.
    """
    for path, result, metric, entry in _entries(case):
        limits, pointer = limits_for(case, result), f"/values/{metric.id}"
        for field, fault in (
            ("quantiles", _quantiles_fault(metric, entry, limits, most=at_most(result.cases))),
            ("counts", _counts_fault(metric, entry, limits)),
        ):
            if fault:
                message, want, got = fault
                where, fix = f"{pointer}/{field}", f"leave `{field}` out, or submit what `medperf-git run` made"
                yield Finding("distributions", message, path=path, pointer=where, expected=want, got=got, fix=fix)


def _quantiles_fault(
    metric: models.Metric, entry: models.MetricValue, limits: Limits, *, most: int
) -> tuple[str, str, str] | None:
    numbers = entry.quantiles
    if numbers is None:
        return None
    wanted, low, high = metric.quantiles or (), Decimal(metric.range.min), Decimal(metric.range.max)
    written = ", ".join(map(format_number, numbers))
    if len(numbers) != len(wanted) or entry.value is None:
        return f"{metric.id} has other quantiles than declared", f"{len(wanted)}, beside a value", str(len(numbers))
    if any(after < before for before, after in itertools.pairwise(numbers)):
        return f"the quantiles of {metric.id} go down", "none below the one before", written
    if not low <= Decimal(numbers[0]) or not Decimal(numbers[-1]) <= high:
        return f"a quantile of {metric.id} is out of its range", f"{low} to {high}", written
    decimals = min(metric.decimals, limits.decimals)
    if any(len(format_number(one).partition(".")[2]) > decimals for one in numbers):
        return f"the quantiles of {metric.id} say more digits than allowed", f"at most {decimals} decimals", written
    cases = cases_behind(metric, entry, entry.n if entry.n is not None else most)
    if beyond(metric, cases) < limits.min_cases:
        message = f"the quantiles of {metric.id} come near single cases"
        return (
            message,
            f"at least {limits.min_cases} cases beyond and between them",
            format_number(beyond(metric, cases)),
        )
    return None


def _counts_fault(metric: models.Metric, entry: models.MetricValue, limits: Limits) -> tuple[str, str, str] | None:
    counts, wanted = entry.counts, metric.counts.length if metric.counts else 0
    if counts is None:
        return None
    if len(counts) != wanted or entry.value is None:
        return f"{metric.id} has other counts than declared", f"{wanted}, beside a value", str(len(counts))
    if small := too_small(counts, limits.min_cases):
        return f"a count of {metric.id} is about very few", f"0, or at least {limits.min_cases}", str(small[0])
    return None


def cases_behind(metric: models.Metric, entry: models.MetricValue, cases: int) -> int:
    """Return on how many of the cases behind a value it rests: those that enter as the worst value hide nobody.

    Where all of them do, it is the worst value itself, which is nobody's: it is published like any other.
    """
    if metric.undefined != "worst":
        return cases
    own, worst = cases - (entry.n_failed or 0) - (entry.n_undefined or 0), Decimal(metric.worst_value)
    is_worst = entry.value is not None and worst.quantize(Decimal(entry.value)) == entry.value and not entry.sd
    return cases if own == 0 and is_worst else own


def beyond(metric: models.Metric, cases: int) -> Decimal:
    """Return how many of the cases lie beyond the outermost quantile of a metric, or between two neighbours if fewer.

    Two quantiles between the same two cases would give both values, by the interpolation that made them.
    """
    ends = [Decimal(0), *(Decimal(share) for share in metric.quantiles or ()), Decimal(1)]
    return cases * min(after - before for before, after in itertools.pairwise(ends))


def too_small(counts: Iterable[int], least: int) -> list[int]:
    """Return the counts that are above 0 and below the smallest number of cases."""
    return [count for count in counts if 0 < count < least]


def _explained(entry: models.MetricValue, result: models.Result, limits: Limits) -> bool:
    """Tell whether an absent value failed, is undefined, or was held back for want of cases.

    Where numbers are published as ranges a word stands in place of the counts.
    """
    if not limits.exact:
        return entry.absent is not None
    cases = entry.n if entry.n is not None else result.cases.at_least
    return bool(entry.n_undefined or entry.n_failed) or cases < limits.min_cases


def check_cases(case: Case) -> Iterator[Finding]:
    """Refuse numbers of cases that the dataset does not have, and a missing `n` where it is due."""
    for path, result, metric, entry in _entries(case):
        pointer = f"/values/{metric.id}"
        most = at_most(result.cases)
        without = (entry.n_failed or 0) + (entry.n_undefined or 0)
        # Under `worst` failed and undefined cases enter the value, and are among its `n`.
        counted = max(entry.n or 0, without) if metric.undefined == "worst" else (entry.n or 0) + without
        if counted > most:
            message = "more cases than the dataset has"
            want = f"at most {most} with those failed and undefined"
            yield Finding("cases", message, path=path, pointer=pointer, expected=want, got=str(counted), fix=UNCHANGED)
        exact = limits_for(case, result).exact
        if exact and entry.n is None and (entry.value is not None or entry.sd is not None):
            message = f"{metric.id} does not say over how many cases"
            yield Finding("cases", message, path=path, pointer=f"{pointer}/n", expected="n", fix=UNCHANGED)
        for field in ("n", "n_failed", "n_undefined") if not exact else ():
            if (number := getattr(entry, field)) is not None:
                message, fix = "this benchmark publishes numbers of cases as ranges only", f"leave `{field}` out"
                yield Finding("cases", message, path=path, pointer=f"{pointer}/{field}", got=str(number), fix=fix)
        if entry.absent is not None and (entry.value is not None or entry.sd is not None):
            message, fix = "a value that is there is not absent", "leave `absent` out"
            yield Finding("cases", message, path=path, pointer=f"{pointer}/absent", got=entry.absent, fix=fix)


def check_disclosed_cases(case: Case) -> Iterator[Finding]:
    """Refuse values that rest on fewer cases than benchmark and site allow; a range only when all of it is too few.

    Where numbers are published as ranges the site alone knows the number, and holds back by it.
    """
    for path, result, metric, entry in _entries(case):
        least = limits_for(case, result).min_cases
        cases = cases_behind(metric, entry, entry.n if entry.n is not None else at_most(result.cases))
        if (entry.value is not None or entry.sd is not None) and cases < least:
            message, fix = f"{metric.id} rests on too few cases to be published", "leave the value out"
            pointer, want = f"/values/{metric.id}", f"at least {least}"
            yield Finding("few-cases", message, path=path, pointer=pointer, expected=want, got=str(cases), fix=fix)


def check_differencing(case: Case) -> Iterator[Finding]:
    """Refuse a value over almost the same cases as one that is public, or that the same proposal makes public.

    Compared are all versions of the dataset and of the benchmark, superseded and withdrawn results and comparisons too:
    they were read. Datasets of another name are not: that two of them hold almost the same people, no record shows.
    """
    for path, result, metric, entry in _entries(case):
        here, least = entry.n, limits_for(case, result).min_cases
        if here is None or entry.value is None:
            continue
        for other, mine, there, wanted in _near(case, path, result, metric=metric.id, least=least):
            message = f"with {other} this shows what {abs(mine - there)} cases contribute to {metric.id}"
            want, fix = f"a difference of at least {wanted} cases", "hold this value back until more cases differ"
            pointer, got = f"/values/{metric.id}/n", f"{mine} and {there}"
            yield Finding("differencing", message, path=path, pointer=pointer, expected=want, got=got, fix=fix)


def _near(
    case: Case, path: str, result: models.Result, *, metric: str, least: int
) -> Iterator[tuple[str, int, int, int]]:
    """Yield other values of a metric over almost the same number of cases: path, both numbers, the difference wanted.

    The stricter limit of the two counts, whichever was merged first.
    """
    for other, here, there in beside_published(case.change.after, path, result, metric):
        beside = stored_at(case.change.after, other)
        theirs = limits_for(case, beside.record).min_cases if beside and isinstance(beside.record, OfASite) else 0
        wanted = max(least, theirs)
        if 0 < abs(here - there) < wanted:
            yield other, here, there, wanted


def beside_published(view: RecordView, path: str, result: models.Result, metric: str) -> Iterator[tuple[str, int, int]]:
    """Yield what is public beside a result's value: path, the value's number of cases, the number there.

    Compared are numbers of all cases, and of those with a value of their own: where failed and undefined cases enter
    as the worst value, two means over the same number of cases still show the case that failed in one of them.
    """
    entry = (result.values or {})[metric]
    if entry.n is None:
        return
    for other, there in published_values(view, path, About.of(result, metric)):
        numbers, beside = [(entry.n, there)], stored_at(view, other)
        if beside and isinstance(beside.record, models.Result):
            numbers.append((_own_cases(view, result, metric), _own_cases(view, beside.record, metric)))
        yield from ((other, *both) for both in dict.fromkeys(numbers))


def _own_cases(view: RecordView, result: models.Result, metric: str) -> int:
    """Return how many cases have a value of their own in a value that is published with its number of cases."""
    entry = (result.values or {})[metric]
    benchmark = record_at(view, layout.benchmark_path(result.benchmark.ref), models.Benchmark)
    declared = next((one for one in benchmark.metrics if one.id == metric), None) if benchmark else None
    without = (entry.n_failed or 0) + (entry.n_undefined or 0)
    return (entry.n or 0) - (without if declared and declared.undefined == "worst" else 0)


def published_values(view: RecordView, path: str, about: About) -> Iterator[tuple[str, int]]:
    """Yield path and number of cases of all that is public of a metric by a model, but what the file at `path` says.

    These are its results and the comparisons it is in, on versions of the same data and of the benchmark.
    """
    benchmark, own = about.benchmark, about.dataset
    for version in versions_of(view, "benchmarks", member=benchmark.member, name=benchmark.name):
        for dataset in versions_of(view, "datasets", member=own.member, name=own.name):
            links = (
                *result_chain(view, version, dataset, about.model),
                *comparison_chain(view, version, dataset, about.metric),
            )
            for link in links:
                if link.path != path:
                    yield from ((link.path, n) for n in sorted(numbers_of(link.record, about)))


def numbers_of(record: models.Record, about: About) -> set[int]:
    """Return on how many cases a result or comparison says something about a model by a metric."""
    if isinstance(record, models.Result):
        entry = (record.values or {}).get(about.metric)
        return {entry.n} if entry is not None and entry.value is not None and entry.n is not None else set()
    if not isinstance(record, models.Comparison):
        return set()
    refs = [one.ref for one in record.models]
    if about.model not in refs:
        return set()
    place = refs.index(about.model) + 1
    return {record.n, *(one.n for one in record.pairs if place in (one.first, one.second))}


def check_statistics(case: Case) -> Iterator[Finding]:
    """Refuse statistics of a dataset that could show a single patient: extremes, small counts, many digits."""
    for stored, dataset in case.of(models.Dataset):
        least = max((dataset.disclosure and dataset.disclosure.min_cases) or 1, SMALLEST_COUNT)
        for name, number in sorted((dataset.statistics or {}).items()):
            if fault := statistic_fault(name, number, least=least):
                message, fix = fault
                pointer, got = f"/statistics/{name}", format_number(number)
                yield Finding("statistics", message, path=stored.path, pointer=pointer, got=got, fix=fix)
