"""A real results file → one metric definition for each number in it, to be looked over by the committee.

Many entries of one shape are cases, and are reduced by their mean; what cannot be a metric is said by name.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medperf_git.flows.known_metrics import KnownMetric, known_metric

MOST = 64
_CASES_NAMES = re.compile(r"(?i)(?:per[-_ ]?)?(?:cases?|subjects?|patients?|volumes?|images?|samples?|videos?|scans?)")
_COUNTS = re.compile(
    r"(?i)n|seed|version|epochs?|(?:n|num|number)[-_ ]?(?:of[-_ ]?)?(?:cases|subjects|samples|images)?"
)
_CASE = re.compile(
    r"(?i).+\.(?:npy|npz|nii|nii\.gz|mha|nrrd|dcm|png|jpe?g|tiff?|mp4|avi|csv)"
    r"|(?:cases?|subjects?|patients?|volumes?|images?|samples?|videos?|scans?)[-_ ]?[0-9]+"
)
_SUMMARY = frozenset({"mean", "average", "avg", "median", "std", "sd", "stdev", "var", "min", "max", "sum", "total"})
_MANY = 32
_ID_LENGTH = 60
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedMetric:
    """One metric as it would be written; `known` is None where its name says nothing, `cases` where it is one value."""

    id: str
    path: str
    title: str
    unit: str
    low: float
    high: float
    direction: str
    decimals: int
    undefined: str
    known: KnownMetric | None
    cases: int | None

    def lines(self) -> Iterator[str]:
        """Write it as YAML with what is to be checked."""
        check = "" if self.known else "   # check"
        ends = "" if self.known and self.known.high else "   # check"  # an error has no natural end, nor its own unit
        per_case = self.cases is not None
        yield f"  - id: {self.id}"
        yield f"    title: {_quoted(self.title)}"
        yield f"    path: {_quoted(self.path)}" + (f"   # one value for each of {self.cases} cases" if per_case else "")
        yield f"    unit: {_quoted(self.unit)}{ends}"
        yield f"    range: {{min: {_plain(self.low)}, max: {_plain(self.high)}}}{ends}"
        yield f"    direction: {self.direction}{check}"
        yield f"    decimals: {self.decimals}"
        yield f"    undefined: {self.undefined}"
        yield f"    reduction: {'mean' if per_case else 'none'}"
        yield f"    sd: {'true' if per_case else 'false'}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The metrics, and what was left out with the reason."""

    metrics: tuple[ProposedMetric, ...]
    left_out: tuple[str, ...]

    @property
    def first(self) -> str:
        """The metric to rank by: the first whose name is known, else the first."""
        return next((metric.id for metric in self.metrics if metric.known), self.metrics[0].id)


@dataclass(frozen=True, slots=True)
class _Found:
    steps: tuple[str, ...]
    numbers: tuple[float, ...]
    cases: int | None


def propose_metrics(results: Any) -> Proposal:
    """Return a definition for each number of a results file."""
    left_out: list[str] = []
    metrics: list[ProposedMetric] = []
    taken: set[str] = set()
    for found in _numbers(results, (), None, left_out):
        if len(metrics) == MOST:
            left_out.append(f"{_pointer(found.steps)}: more than {MOST} metrics")
            continue
        metrics.append(_proposed(found, taken))
    return Proposal(tuple(metrics), _short(left_out))


def _numbers(value: Any, steps: tuple[str, ...], cases: int | None, left_out: list[str]) -> Iterator[_Found]:
    """Yield every number below a place of the file; entries of one shape are gone through as one."""
    if cases is None and (entries := _cases(value, steps[-1] if steps else "")):
        merged = _merged(entries)
        yield from _numbers(merged, (*steps, "*"), len(entries), left_out)
    elif cases is None and (single := _numbers_of_cases(value)):
        yield _Found((*steps, "*"), tuple(number for number in single if math.isfinite(number)), len(single))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            name = str(key)
            is_case = cases is None and _CASE.fullmatch(name) and _is_number(inner)
            if fault := "the number of a single case" if is_case else _step_fault(name):
                left_out.append(f"{_pointer((*steps, name))}: {fault}")
            else:
                yield from _numbers(inner, (*steps, name), cases, left_out)
    elif isinstance(value, _Merged) or _is_number(value):
        numbers = value.numbers if isinstance(value, _Merged) else (_float(value),)
        if steps and _COUNTS.fullmatch(steps[-1]):
            left_out.append(f"{_pointer(steps)}: a count, no metric")
        elif steps:
            yield _Found(steps, tuple(number for number in numbers if math.isfinite(number)), cases)
    else:
        kind = "a list" if isinstance(value, list) else "text" if isinstance(value, str) else "no number"
        left_out.append(f"{_pointer(steps)}: {kind}")


@dataclass(frozen=True, slots=True)
class _Merged:
    """One number of every case."""

    numbers: tuple[float, ...]


def _cases(value: Any, name: str) -> list[Mapping[Any, Any]]:
    """Return the entries of a mapping or list that holds one entry for each case, else nothing."""
    entries = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    if not entries or not all(isinstance(entry, Mapping) and entry for entry in entries):
        return []
    shapes = [set(map(str, entry)) for entry in entries]
    if not set.intersection(*shapes):
        return []
    keys = [str(key).lower() for key in value] if isinstance(value, Mapping) else []
    if _SUMMARY & {*keys} or set.union(*shapes) <= _SUMMARY or (keys and all(map(known_metric, keys))):
        return []  # mean and standard deviation over cases are no two cases, nor are a Dice and an accuracy
    if isinstance(value, list) or _CASES_NAMES.fullmatch(name) or len(entries) > _MANY:
        return entries
    keys = [str(key) for key in value]
    numbered = sum(any(c.isdigit() for c in key) for key in keys)
    are_classes = all(key.isdigit() and len(key) < 3 for key in keys)  # labels of a segmentation: 1, 2, 4
    return entries if len(entries) > 1 and numbered * 2 > len(keys) and not are_classes else []


def _numbers_of_cases(value: Any) -> list[float]:
    """Return the numbers of a mapping that holds nothing but one number for each case, else nothing."""
    if not isinstance(value, Mapping) or len(value) < 2:
        return []
    fits = all(_CASE.fullmatch(str(key)) and _is_number(number) for key, number in value.items())
    return [_float(number) for number in value.values()] if fits else []


def _merged(entries: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return one entry that stands for all: its numbers are those of every case."""
    keys = {str(key): key for entry in entries for key in entry}
    return {key: _merged_value([entry[key] for entry in entries if key in entry]) for key in keys.values()}


def _merged_value(values: list[Any]) -> Any:
    if all(isinstance(value, Mapping) for value in values):
        return _merged(values)
    numbers = tuple(_float(value) for value in values if _is_number(value))
    return _Merged(numbers) if numbers else values[0]


def _proposed(found: _Found, taken: set[str]) -> ProposedMetric:
    named = [step for step in found.steps if step != "*" and not _CASES_NAMES.fullmatch(step)]
    known = known_metric(" ".join(named))
    low, high, unit = _range(found.numbers, known)
    words = " ".join(named) or found.steps[-1]
    return ProposedMetric(
        id=_id(named or [found.steps[-1]], taken),
        path=_pointer(found.steps),
        title=words[:200],
        unit=unit,
        low=low,
        high=high,
        direction=known.direction if known else "higher",
        decimals=known.decimals if known else 3,
        undefined=known.undefined if known else "missing",
        known=known,
        cases=found.cases,
    )


def _range(numbers: Sequence[float], known: KnownMetric | None) -> tuple[float, float, str]:
    """Return a range that holds what was seen: that of the known metric, the same in percent, or one around it."""
    least, most = min(numbers, default=0.0), max(numbers, default=1.0)
    low, high, unit = (known.low, known.high, known.unit) if known else (0.0, 1.0, "1")
    if known and known.high == 1 and 1 < most <= 100 and least >= 100 * low:
        return 100 * low, 100, "%"
    if least < low:
        low = -_above(-least)
    if most > high or high == 0:
        high = _above(most)
    return low, high, unit


def _above(value: float) -> float:
    """Return the power of ten that is not below a value, at least 1."""
    return float(10 ** max(0, math.ceil(math.log10(value)))) if value > 0 else 1.0


def _id(steps: Sequence[str], taken: set[str]) -> str:
    """Return an identifier that no other metric has."""
    plain = re.sub(r"[^a-z0-9]+", "-", " ".join(steps).lower()).strip("-")[:_ID_LENGTH].strip("-") or "metric"
    chosen, number = plain, 2
    while chosen in taken:
        chosen, number = f"{plain}-{number}", number + 1
    taken.add(chosen)
    return chosen


def _step_fault(name: str) -> str:
    if not name or name == "*" or any(c in name for c in "\t\n\r") or not name.isprintable():
        return "a key that no path can name"
    return "a key of more than 100 characters" if len(name) > 100 else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: float) -> float:
    """Return a number as a float; a whole number that is too large for one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _pointer(steps: Sequence[str]) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _short(left_out: list[str]) -> tuple[str, ...]:
    more = len(left_out) - _SHOWN
    return (*left_out[:_SHOWN], f"and {more} more") if more > 0 else tuple(left_out)


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
