"""What may leave a site: the stricter of the committee's and the site's own limits, and what is held back by them.

Rounding and holding back happen here, before anything is shown for review; the check enforces the same limits again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from medperf_git.policy.values import OfASite, beside_published, beyond, cases_behind, too_small
from medperf_git.records import layout
from medperf_git.records.canonical import format_number
from medperf_git.records.folds import policy_state
from medperf_git.records.models import (
    Cases,
    Dataset,
    Disclosure,
    Metric,
    MetricValue,
    Number,
    Result,
    SiteDisclosure,
)
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, record_at, stored_at
from medperf_git.runner.reduce import record_number

_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class DisclosureLimits:
    """The limits that hold for a dataset in a benchmark, each with whose limit it is."""

    min_cases: int
    min_cases_by: str
    decimals: int
    decimals_by: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Published:
    """Values as they may leave, and sentences about what was held back."""

    values: dict[str, MetricValue]
    held_back: tuple[str, ...]


def limits_of(view: RecordView, benchmark: Ref, site: SiteDisclosure | None) -> DisclosureLimits:
    """Return the stricter of the policy in force and the site's own limits."""
    policy = policy_state(view, benchmark)
    promised = policy.disclosure if policy else Disclosure(1, 4, "exact")
    own = site or SiteDisclosure()
    own_cases = own.min_cases or 1
    strict_cases = own_cases > promised.min_cases
    strict_decimals = own.decimals is not None and own.decimals < promised.decimals
    return DisclosureLimits(
        own_cases if strict_cases else promised.min_cases,
        "your own limit" if strict_cases else "the benchmark's limit",
        own.decimals if strict_decimals and own.decimals is not None else promised.decimals,
        "your own limit" if strict_decimals else "the benchmark's limit",
        promised.n == "exact",
    )


def publishable(
    values: Mapping[str, MetricValue], metrics: Sequence[Metric], limits: DisclosureLimits, *, cases: int
) -> Published:
    """Round every declared value, and hold back those that rest on too few cases."""
    shown: dict[str, MetricValue] = {}
    held: list[str] = []
    for metric in metrics:
        value = values.get(metric.id)
        if value is None:
            continue
        decimals = min(metric.decimals, limits.decimals)
        if decimals < metric.decimals:
            held.append(f"{metric.id}: rounded to {decimals} decimals ({limits.decimals_by})")
        number = cases_behind(metric, value, cases if value.n is None else value.n)
        if number < limits.min_cases and (value.value is not None or value.sd is not None):
            held.append(
                f"{metric.id}: held back, it rests on {number} cases;"
                f" at least {limits.min_cases} ({limits.min_cases_by})"
            )
            value = MetricValue(n=value.n, n_failed=value.n_failed, n_undefined=value.n_undefined, absent="held-back")
        value, more = _without_single_cases(value, metric, limits, number=number)
        held += more
        shown[metric.id] = _counted(value, decimals) if limits.exact else _uncounted(value, decimals)
    if not limits.exact and shown:
        held.append("numbers of cases are published as ranges only (the benchmark's limit)")
    return Published(shown, tuple(held))


def _without_single_cases(
    value: MetricValue, metric: Metric, limits: DisclosureLimits, *, number: int
) -> tuple[MetricValue, list[str]]:
    """Hold back quantiles with too few cases around them, and counts of too few cases (policy.values says why)."""
    held = []
    limit = f"at least {limits.min_cases} ({limits.min_cases_by})"
    if value.quantiles and beyond(metric, number) < limits.min_cases:
        few = format_number(beyond(metric, number))
        held.append(f"{metric.id}: its quantiles are held back, only {few} cases lie beyond or between them; {limit}")
        value = replace(value, quantiles=None)
    if value.counts and (small := too_small(value.counts, limits.min_cases)):
        held.append(
            f"{metric.id}: its counts are held back, {len(small)} of them are above 0 and below the limit; {limit}"
        )
        value = replace(value, counts=None)
    return value, held


def hold_back_near(view: RecordView, path: str, result: Result, *, min_cases: int) -> tuple[Result, tuple[str, ...]]:
    """Hold values back that differ by very few cases from published ones: the two would show what those few contribute.

    Published is all that the registry ever held for this model on versions of the dataset and of the benchmark:
    results, and comparisons it is in.
    """
    values, held = dict(result.values or {}), []
    for name, entry in values.items():
        if entry.value is None or entry.n is None:
            continue
        near = [
            (here, there)
            for other, here, there in beside_published(view, path, result, name)
            if 0 < abs(here - there) < max(min_cases, _least_of(view, other))
        ]
        if near:
            values[name] = replace(entry, value=None, sd=None, absent="held-back", quantiles=None, counts=None)
            here, there = near[0]
            few = abs(here - there)
            held.append(f"{name}: held back, with the published value over {there} cases it would show {few} of them")
    return (replace(result, values=values), tuple(held)) if held else (result, ())


def _least_of(view: RecordView, path: str) -> int:
    """Return the fewest cases that the result or comparison at `path` was to rest on."""
    stored = stored_at(view, path)
    result = stored.record if stored and isinstance(stored.record, OfASite) else None
    dataset = record_at(view, layout.dataset_path(result.dataset.ref), Dataset) if result else None
    return limits_of(view, result.benchmark.ref, site_limits(dataset)).min_cases if result and dataset else 0


def _counted(value: MetricValue, decimals: int) -> MetricValue:
    quantiles = tuple(record_number(Decimal(one), decimals) for one in value.quantiles or ()) or None
    return replace(value, value=_rounded(value.value, decimals), sd=_rounded(value.sd, decimals), quantiles=quantiles)


def _uncounted(value: MetricValue, decimals: int) -> MetricValue:
    """Return a value without any number of cases; a word says why one is absent."""
    if value.value is not None or value.sd is not None:
        return replace(_counted(value, decimals), n=None, n_failed=None, n_undefined=None)
    return MetricValue(absent=value.absent or ("undefined" if value.n_undefined else "failed"))


def cases_of(number: int, *, exact: bool) -> Cases:
    """Return a number of cases as it may be published: exact, or the range 1–2–5 it lies in."""
    if exact:
        return Cases(exact=number)
    bounds = [step * 10**power for power in range(1, 7) for step in _STEPS]
    low = max((bound for bound in bounds if bound <= number), default=0)
    high = min((bound for bound in bounds if bound > number), default=10**7) - 1
    return Cases(low=low, high=high)


def who_sees(view: RecordView, benchmark: Ref) -> str:
    """Say who will see a result, and for how long."""
    from_when = policy_state(view, benchmark)
    note = f" (the benchmark closes on {from_when.closes})" if from_when and from_when.closes else ""
    return f"everybody who can read the registry and its leaderboard, for ever: merged records are never deleted{note}"


def site_limits(dataset: Dataset) -> SiteDisclosure | None:
    """Return a dataset's own limits."""
    return dataset.disclosure


def _rounded(number: Number | None, decimals: int) -> Number | None:
    return None if number is None else record_number(Decimal(number), decimals)
