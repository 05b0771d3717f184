"""From a results file to the declared metrics, and nothing else (T19).

A metric's path is a JSON Pointer; a `*` step in it means every case. Cases are reduced here, at the site: what leaves
is value, standard deviation, quantiles, pooled counts and the three numbers of cases. `n` cases entered the value,
`n_failed` have no value in the file, `n_undefined` have NaN or an infinity. Under `undefined: worst` both kinds enter
as the worst value. What is left out beside things that are there (an absent phase among phases) is undefined.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from medperf_git.records.models import Metric, MetricValue, Number

_ABSENT = object()
_LEFT_OUT = math.nan
_MOST = 2**53 - 1
_NOISE_DIGITS = 12
_MOST_DIGITS = 15
_NOT_A_NUMBER = frozenset({"nan", ".nan", "inf", "+inf", "-inf", ".inf", "-.inf", "+.inf", "infinity", "-infinity"})


class InvalidOutput(ValueError):
    """A results file that does not give what the benchmark declares; one sentence says what."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """Declared metrics by id, in the benchmark's order, and what was not declared (it stays here)."""

    values: dict[str, MetricValue]
    undeclared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseValues:
    """The values of one metric by case: None for a case without one, which `failed` or is undefined.

    `named` tells whether the results file names its cases; otherwise they are known by their place in a list.
    """

    values: Mapping[str, float | None]
    failed: int
    named: bool


@dataclass(frozen=True, slots=True)
class _Cases:
    """The numbers of one metric: defined ones, how many cases failed, how many are undefined."""

    numbers: tuple[float, ...]
    failed: int
    undefined: int


def reduce_results(content: Any, metrics: Sequence[Metric], *, cases: int | None) -> Reduced:
    """Select, reduce, check and round every metric; `cases` is the dataset's number of cases, None if unknown.

    Raises InvalidOutput when a declared metric is missing, no number, or out of its range.
    """
    values = {metric.id: _reduce_metric(content, metric, cases) for metric in metrics}
    return Reduced(values, _undeclared(content, metrics))


def values_by_case(content: Any, metric: Metric, *, cases: int | None) -> CaseValues:
    """Return the value of every case that a results file lists, in the metric's own unit.

    Raises InvalidOutput as `reduce_results` does.
    """
    before, after = _split(metric)
    holder = _at(content, before)
    named = isinstance(holder, dict)
    entries = {str(key): entry for key, entry in _entries(holder)}
    if not entries:
        raise InvalidOutput(f"metric {metric.id}: the results file has no cases at {_pointer(before)}")
    if len(entries) != len(holder):
        raise InvalidOutput(f"metric {metric.id}: two cases at {_pointer(before)} have one name")
    if cases is not None and len(entries) > cases:
        raise InvalidOutput(f"metric {metric.id}: {len(entries)} entries for {cases} cases")
    found = {key: _look(entry, after) for key, entry in entries.items()}
    missing = sum(value is _ABSENT or value is None for value in found.values())
    if missing == len(found):
        raise InvalidOutput(f"metric {metric.id}: no case has a value at {metric.path}")
    values = {
        key: None if value is _ABSENT or value is None else _number(metric, value) for key, value in found.items()
    }
    return CaseValues(values, missing + max(cases or 0, len(entries)) - len(entries), named)


def quantile(numbers: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation between order statistics, at (n − 1) · share from the smallest.

    Type 7 of Hyndman and Fan (1996): the default of numpy and of R.
    """
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def record_number(value: float | Decimal, decimals: int) -> Number:
    """Round half to even to `decimals`, in the one form that records allow: whole values are integers."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    if rounded == rounded.to_integral_value():
        return int(rounded)
    return Decimal(format(rounded.normalize(), "f"))


def _reduce_metric(content: Any, metric: Metric, cases: int | None) -> MetricValue:
    found = _by_case(content, metric, cases) if "*" in _steps(metric.path) else _single(content, metric, cases)
    numbers = found.numbers
    if metric.undefined == "worst":
        numbers += (_worst(metric),) * (found.failed + found.undefined)
    if not numbers:
        return MetricValue(n=0, n_failed=found.failed, n_undefined=found.undefined)
    shares = [float(share) for share in metric.quantiles or ()]
    value = statistics.median(numbers) if metric.reduction == "median" else math.fsum(numbers) / len(numbers)
    return MetricValue(
        value=_checked(metric, value),
        sd=_spread(metric, numbers),
        n=len(numbers) if "*" in _steps(metric.path) else cases if cases is not None else 1,
        n_failed=found.failed,
        n_undefined=found.undefined,
        quantiles=tuple(_checked(metric, quantile(numbers, share)) for share in shares) or None,
        counts=_counts(content, metric),
    )


def _by_case(content: Any, metric: Metric, cases: int | None) -> _Cases:
    if metric.reduction == "none":
        raise InvalidOutput(f"metric {metric.id}: its path means every case, and no reduction is declared")
    found = values_by_case(content, metric, cases=cases)
    defined = tuple(value for value in found.values.values() if value is not None)
    total = max(cases or 0, len(found.values))
    return _Cases(defined, failed=found.failed, undefined=total - found.failed - len(defined))


def _entries(holder: Any) -> Iterable[tuple[object, Any]]:
    if isinstance(holder, dict):
        return holder.items()
    return enumerate(holder) if isinstance(holder, list) else ()


def _counts(content: Any, metric: Metric) -> tuple[int, ...] | None:
    """Return the pooled counts of a metric; the lists of single cases are added up."""
    if metric.counts is None:
        return None
    path, length = metric.counts.path, metric.counts.length
    steps = _steps(path)
    if "*" in steps:
        place = steps.index("*")
        found = [_at(entry, steps[place + 1 :]) for _, entry in _entries(_at(content, steps[:place]))]
        lists = [one for one in found if one is not _ABSENT and one is not None]
    else:
        lists = [_at(content, steps)]
    if not lists or lists == [_ABSENT]:
        raise InvalidOutput(f"metric {metric.id}: the results file has no counts at {path}")
    for one in lists:
        if not isinstance(one, list) or len(one) != length or not all(map(_is_count, one)):
            raise InvalidOutput(f"metric {metric.id}: what is at {path} is no list of {length} counts, 0 or more")
    pooled = tuple(int(sum(column)) for column in zip(*lists, strict=True))
    if max(pooled) > _MOST:
        raise InvalidOutput(f"metric {metric.id}: a count at {path} is too large to be recorded")
    return pooled


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and value == value // 1


def _single(content: Any, metric: Metric, cases: int | None) -> _Cases:
    value = _look(content, _steps(metric.path))
    if value is _ABSENT:
        raise InvalidOutput(f"metric {metric.id}: the results file has nothing at {metric.path}")
    number = None if value is None else _number(metric, value)
    if number is None:
        return _Cases((), failed=0, undefined=cases if cases is not None else 1)
    return _Cases((number,), failed=0, undefined=0)


def _number(metric: Metric, value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() in _NOT_A_NUMBER:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidOutput(f"metric {metric.id}: a value is {_kind(value)}, no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return None
    _checked(metric, number)
    return number


def _checked(metric: Metric, number: float) -> Number:
    noiseless = Decimal(repr(round(number, _NOISE_DIGITS)))
    if noiseless < metric.range.min or noiseless > metric.range.max:
        raise InvalidOutput(f"metric {metric.id}: a value is outside {metric.range.min} to {metric.range.max}")
    most = Decimal(1).scaleb(_MOST_DIGITS - metric.decimals)
    if noiseless.copy_abs() >= most or Decimal(rounded := record_number(noiseless, metric.decimals)).copy_abs() >= most:
        raise InvalidOutput(f"metric {metric.id}: a value has more than {_MOST_DIGITS} digits")
    return rounded


def _spread(metric: Metric, numbers: Sequence[float]) -> Number | None:
    if not metric.sd or len(numbers) < 2:
        return None
    return record_number(round(statistics.stdev(numbers), _NOISE_DIGITS), metric.decimals)


def _worst(metric: Metric) -> float:
    return float(metric.worst_value)


def _steps(path: str) -> tuple[str, ...]:
    """Split a JSON Pointer (RFC 6901)."""
    if path and not path.startswith("/"):
        raise InvalidOutput(f"{path!r} is no JSON Pointer")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:])


def _split(metric: Metric) -> tuple[tuple[str, ...], tuple[str, ...]]:
    steps = _steps(metric.path)
    place = steps.index("*")
    if "*" in steps[place + 1 :]:
        raise InvalidOutput(f"metric {metric.id}: its path has more than one `*`")
    return steps[:place], steps[place + 1 :]


def _at(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = next((inner for key, inner in value.items() if str(key) == step), _ABSENT)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
        if value is _ABSENT:
            return _ABSENT
    return value


def _look(value: Any, steps: tuple[str, ...]) -> Any:
    """Follow a pointer; a last key that is left out beside others below the top is undefined, not absent.

    So a phase that occurs in no video has no score, while a file without any phases is not what was declared.
    """
    found = _at(value, steps)
    if found is _ABSENT and len(steps) > 1:
        beside = _at(value, steps[:-1])
        return _LEFT_OUT if isinstance(beside, dict) and beside else found
    return found


def _pointer(steps: Iterable[str]) -> str:
    return "".join(f"/{step}" for step in steps) or "the top"


def _kind(value: Any) -> str:
    return {str: "text", list: "a list", dict: "a mapping", bool: "true or false"}.get(type(value), "something else")


def _undeclared(content: Any, metrics: Sequence[Metric]) -> tuple[str, ...]:
    declared = {_steps(metric.path)[:1] for metric in metrics}
    if not isinstance(content, dict) or () in declared or ("*",) in declared:
        return ()
    return tuple(sorted(str(key) for key in content if (str(key),) not in declared))
