"""From a results file to the declared metrics, and nothing else (T19).

A metric's path is a JSON Pointer; a `*` step in it means every case. Cases are reduced here, at the site: what leaves
is value, standard deviation and the three counts. `n` cases entered the value, `n_failed` have no value in the
file, `n_undefined` have NaN or an infinity. Under `undefined: worst` both kinds enter as the worst possible value.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from medperf_git.records.models import Metric, MetricValue, Number

_ABSENT = object()
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

    @property
    def any_failed(self) -> bool:
        """Whether some case has no value in the file."""
        return any(value.n_failed for value in self.values.values())


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
    value = statistics.median(numbers) if metric.reduction == "median" else math.fsum(numbers) / len(numbers)
    return MetricValue(
        value=_checked(metric, value),
        sd=_spread(metric, numbers),
        n=len(numbers) if "*" in _steps(metric.path) else cases if cases is not None else 1,
        n_failed=found.failed,
        n_undefined=found.undefined,
    )


def _by_case(content: Any, metric: Metric, cases: int | None) -> _Cases:
    if metric.reduction == "none":
        raise InvalidOutput(f"metric {metric.id}: its path means every case, and no reduction is declared")
    before, after = _split(metric)
    holder = _at(content, before)
    entries = list(holder.values()) if isinstance(holder, dict) else holder
    if not isinstance(entries, list) or not entries:
        raise InvalidOutput(f"metric {metric.id}: the results file has no cases at {_pointer(before)}")
    if cases is not None and len(entries) > cases:
        raise InvalidOutput(f"metric {metric.id}: {len(entries)} entries for {cases} cases")
    found = [_at(entry, after) for entry in entries]
    present = [value for value in found if value is not _ABSENT and value is not None]
    if not present:
        raise InvalidOutput(f"metric {metric.id}: no case has a value at {metric.path}")
    return _sorted_out(metric, present, total=max(cases or 0, len(entries)))


def _single(content: Any, metric: Metric, cases: int | None) -> _Cases:
    value = _at(content, _steps(metric.path))
    if value is _ABSENT or value is None:
        raise InvalidOutput(f"metric {metric.id}: the results file has nothing at {metric.path}")
    number = _number(metric, value)
    if number is None:
        return _Cases((), failed=0, undefined=cases if cases is not None else 1)
    return _Cases((number,), failed=0, undefined=0)


def _sorted_out(metric: Metric, present: Iterable[Any], *, total: int) -> _Cases:
    numbers = [_number(metric, value) for value in present]
    defined = tuple(number for number in numbers if number is not None)
    return _Cases(defined, failed=total - len(numbers), undefined=len(numbers) - len(defined))


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
    return float(metric.range.min if metric.direction == "higher" else metric.range.max)


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


def _pointer(steps: Iterable[str]) -> str:
    return "".join(f"/{step}" for step in steps) or "the top"


def _kind(value: Any) -> str:
    return {str: "text", list: "a list", dict: "a mapping", bool: "true or false"}.get(type(value), "something else")


def _undeclared(content: Any, metrics: Sequence[Metric]) -> tuple[str, ...]:
    declared = {_steps(metric.path)[:1] for metric in metrics}
    if not isinstance(content, dict) or () in declared or ("*",) in declared:
        return ()
    return tuple(sorted(str(key) for key in content if (str(key),) not in declared))
