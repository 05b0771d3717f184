"""Whether the numbers of a comparison can be right together: what follows from others does, to its last digit.

A fault is (JSON Pointer, message, expected, got). Tolerances are those of rounding, never more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from medperf_git.records.canonical import format_number
from medperf_git.records.models import ComparedPair, Comparison, Metric, MetricValue, Number

Fault: TypeAlias = tuple[str, str, str, str]

_RANK_DECIMALS = 6
_MOST_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Basis:
    """A comparison with what it rests on: the metric, the decimals allowed, the published value of each model."""

    comparison: Comparison
    metric: Metric
    decimals: int
    values: tuple[MetricValue | None, ...]

    @property
    def span(self) -> Decimal:
        """How far two values of the metric can lie apart."""
        return Decimal(self.metric.range.max) - Decimal(self.metric.range.min)

    @property
    def is_common(self) -> bool:
        """Whether every pair rests on the cases that all models have."""
        return all(pair.n == self.comparison.n for pair in self.comparison.pairs)

    def covariance(self, first: int, second: int) -> Decimal:
        """Return the covariance of two models, numbered from 0, the first not after the second."""
        count = len(self.comparison.models)
        return Decimal(self.comparison.covariance[first * count - first * (first - 1) // 2 + second - first])


def faults_of(basis: Basis) -> Iterator[Fault]:
    """Yield what is wrong with the numbers of a comparison."""
    yield from _digits(basis)
    yield from _cases(basis)
    yield from _means(basis)
    yield from _ranks(basis)
    yield from _covariances(basis)
    for number, pair in enumerate(basis.comparison.pairs):
        for field, message, want, got in (*_signs(pair), *_spread(basis, pair)):
            yield f"/pairs/{number}/{field}", message, want, got


def _digits(basis: Basis) -> Iterator[Fault]:
    one = basis.comparison
    ranked = "a rank says more digits than it can have"
    allowed, many = basis.decimals, "this says more digits than allowed"
    numbers: list[tuple[str, Number, int, str]] = []
    for i, model in enumerate(one.models):
        numbers.append((f"/models/{i}/mean", model.mean, allowed, many))
        numbers.append((f"/models/{i}/mean_rank", model.mean_rank, _RANK_DECIMALS, ranked))
    numbers += [(f"/covariance/{i}", number, 2 * allowed, many) for i, number in enumerate(one.covariance)]
    for i, pair in enumerate(one.pairs):
        numbers.append((f"/pairs/{i}/difference", pair.difference, allowed, many))
        numbers.append((f"/pairs/{i}/sd", pair.sd, allowed, many))
        numbers.append((f"/pairs/{i}/variance", pair.variance, 3, ranked))
    for pointer, number, most, message in numbers:
        written = format_number(number)
        if len(written.partition(".")[2]) > most:
            yield pointer, message, f"at most {most} decimals", written


def _cases(basis: Basis) -> Iterator[Fault]:
    """Under `worst` every case counts for every model; else no more are shared than each has."""
    one = basis.comparison
    numbers = [value.n if value else None for value in basis.values]
    for i, n in enumerate(numbers):
        if n is not None and (one.n != n if basis.metric.undefined == "worst" else one.n > n):
            yield f"/models/{i}", "the model has another number of cases", f"{n}, as its result says", str(one.n)
    for i, pair in enumerate(one.pairs):
        both = [n for n in (numbers[pair.first - 1], numbers[pair.second - 1]) if n is not None]
        if pair.n < one.n or any(pair.n > n for n in both):
            want = f"{one.n} to {min(both, default=one.n)}"
            yield (
                f"/pairs/{i}/n",
                "two models share at least what all share, and no more than each has",
                want,
                str(pair.n),
            )
        if pair.wins + pair.ties + pair.losses != pair.n:
            got = f"{pair.wins} + {pair.ties} + {pair.losses}"
            yield f"/pairs/{i}/n", "wins, ties and losses are all the cases", str(pair.n), got


def _means(basis: Basis) -> Iterator[Fault]:
    low, high = Decimal(basis.metric.range.min), Decimal(basis.metric.range.max)
    for i, (model, value) in enumerate(zip(basis.comparison.models, basis.values, strict=True)):
        pointer, mean = f"/models/{i}/mean", Decimal(model.mean)
        if not low <= mean <= high:
            yield pointer, "this is out of the metric's range", f"{low} to {high}", format_number(model.mean)
        told = value.value if value and value.n == basis.comparison.n else None
        if (
            basis.metric.reduction == "mean"
            and told is not None
            and abs(Decimal(told) - mean) > _last(mean, basis.decimals)
        ):
            want, got = f"{format_number(told)}, as its result says", format_number(model.mean)
            yield pointer, "over the same cases the mean is the value of the result", want, got


def _ranks(basis: Basis) -> Iterator[Fault]:
    """A rank is one more than the number of models that are better, so the mean follows from the losses."""
    one, count = basis.comparison, len(basis.comparison.models)
    better = [0] * count
    for pair in one.pairs:
        better[pair.first - 1] += pair.losses
        better[pair.second - 1] += pair.wins
    for i, model in enumerate(one.models):
        pointer, got = f"/models/{i}/mean_rank", format_number(model.mean_rank)
        if model.mean_rank > count:
            yield pointer, "there are fewer models", f"1 to {count}", got
        expected = 1 + Decimal(better[i]) / one.n
        if basis.is_common and abs(Decimal(model.mean_rank) - expected) > Decimal(1).scaleb(-_RANK_DECIMALS):
            want = f"{expected:.{_RANK_DECIMALS}f}"
            yield pointer, "the mean rank does not follow from wins and losses", want, got


def _covariances(basis: Basis) -> Iterator[Fault]:
    count = len(basis.comparison.models)
    for place, (first, second) in enumerate((i, j) for i in range(count) for j in range(i, count)):
        number = basis.covariance(first, second)
        pointer, got = f"/covariance/{place}", format_number(number)
        if first == second:
            if not 0 <= number <= basis.span**2:
                yield pointer, "no variance in this range is like that", f"0 to {basis.span**2}", got
            yield from _variance(basis, first, pointer)
            continue
        tolerance = _last(number, 2 * basis.decimals)
        bound = _up(basis.covariance(first, first), basis) * _up(basis.covariance(second, second), basis)
        if max(Decimal(0), abs(number) - tolerance) ** 2 > bound:
            yield pointer, "a covariance is no larger than its variances allow", f"at most {bound.sqrt():.6f}", got


def _variance(basis: Basis, model: int, pointer: str) -> Iterator[Fault]:
    """Over the same cases the variance of a model is the square of the standard deviation of its result."""
    value, number = basis.values[model], basis.covariance(model, model)
    if value is None or value.sd is None or value.n != basis.comparison.n:
        return
    sd, slack = Decimal(value.sd), _last(number, 2 * basis.decimals)
    last = _last(sd, basis.decimals)
    if not max(Decimal(0), sd - last) ** 2 - slack <= number <= (sd + last) ** 2 + slack:
        message, want = "this is not the variance of the result", f"{sd**2}, as its standard deviation says"
        yield pointer, message, want, f"{number}"


def _signs(pair: ComparedPair) -> Iterator[tuple[str, str, str, str]]:
    """Bounds of a signed-rank sum with so many wins and losses, and of its variance with so many ranks."""
    ranked, wins, losses = pair.wins + pair.losses, pair.wins, pair.losses
    low = Decimal(wins * (wins + 1)) / 2
    high = Decimal(ranked * (ranked + 1) - losses * (losses + 1)) / 2
    if not low <= Decimal(pair.w_plus) <= high or Decimal(pair.w_plus) * 2 % 1:
        message = f"no sum of ranks with {wins} wins and {losses} losses is like that"
        yield "w_plus", message, f"{low} to {high}", format_number(pair.w_plus)
    least = Decimal(ranked * (ranked + 1) ** 2) / 16  # all tied
    most = Decimal(ranked * (ranked + 1) * (2 * ranked + 1)) / 24  # none tied
    slack = _last(most, 3)
    if not least - slack <= Decimal(pair.variance) <= most + slack:
        yield (
            "variance",
            f"no variance of {ranked} ranks is like that",
            f"{least} to {most}",
            format_number(pair.variance),
        )


def _spread(basis: Basis, pair: ComparedPair) -> Iterator[tuple[str, str, str, str]]:
    """What a pair says must be what the means and covariances say, where they rest on the same cases."""
    difference, sd = Decimal(pair.difference), Decimal(pair.sd)
    if abs(difference) > basis.span:
        yield "difference", "values in this range lie not so far apart", f"at most {basis.span}", str(difference)
    if sd > 2 * basis.span:
        yield "sd", "differences in this range vary less", f"at most {2 * basis.span}", str(sd)
    if not pair.wins and not pair.losses and (difference or sd):
        yield "difference", "models that are equal in every case do not differ", "0", f"{difference}, sd {sd}"
    elif (difference < 0 and not pair.losses) or (difference > 0 and not pair.wins):
        want = "0 or more" if difference < 0 else "0 or less"
        yield "difference", "a model that is never worse in a case is not so in the mean", want, str(difference)
    if pair.n != basis.comparison.n:
        return
    first, second = basis.comparison.models[pair.first - 1], basis.comparison.models[pair.second - 1]
    sign = 1 if basis.metric.direction == "higher" else -1
    expected = sign * (Decimal(first.mean) - Decimal(second.mean))
    if abs(difference - expected) > 2 * _last(max(abs(difference), abs(expected)), basis.decimals):
        yield "difference", "this is not the difference of the two means", f"{expected}", str(difference)
    one, two, both = (
        basis.covariance(*places)
        for places in (
            (pair.first - 1, pair.first - 1), (pair.second - 1, pair.second - 1), (pair.first - 1, pair.second - 1),
        )
    )  # fmt: skip
    square = one + two - 2 * both
    slack = 4 * _last(max(one, two, abs(both)), 2 * basis.decimals)
    last = _last(sd, basis.decimals)
    if not max(Decimal(0), sd - last) ** 2 - slack <= square <= (sd + last) ** 2 + slack:
        want = f"{max(square, Decimal(0)).sqrt():.6f}"
        yield "sd", "this does not follow from the covariances", want, str(sd)


def _up(variance: Decimal, basis: Basis) -> Decimal:
    return max(Decimal(0), variance) + _last(variance, 2 * basis.decimals)


def _last(number: Decimal, decimals: int) -> Decimal:
    """Return one unit of the last digit with which a number is written."""
    digits = number.adjusted() + 1 if abs(number) >= 1 else 0
    return Decimal(1).scaleb(-max(0, min(decimals, _MOST_DIGITS - digits)))
