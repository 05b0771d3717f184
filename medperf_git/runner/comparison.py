"""How models compare on the same cases: ranks, means, covariances, and every pair; pure, and exact but for rounding.

Values are taken to 12 decimals first, so that float noise breaks no tie, and are whole numbers of 10^-12 from then on:
sums, squares and ranks are exact, and the same values give the same record on every machine. What is published is
rounded to 12 decimals, then half to even to the decimals said, and to 15 significant digits where there are more.

block = compare_cases([{"a": 0.5, "b": 0.75}, {"a": 0.25, "b": 0.75}], higher_is_better=True, decimals=3)
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from itertools import combinations, groupby
from operator import mul

from medperf_git.records.canonical import Unwritable, format_number
from medperf_git.records.models import ComparedPair, Number

RANK_DECIMALS = 6
W_DECIMALS = 1  # ranks are halves
VARIANCE_DECIMALS = 3  # a sum of squared ranks is a number of halves, a quarter of it one of eighths
NOISE_DIGITS = 12
_UNIT = 10**NOISE_DIGITS
_MOST_DIGITS = 15
_ROOT = Context(prec=60)


class NotComparable(ValueError):
    """Values that no comparison can be made of; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Block:
    """The numbers of a comparison, models in the order in which they were given."""

    n: int
    means: tuple[Number, ...]
    mean_ranks: tuple[Number, ...]
    covariance: tuple[Number, ...]
    pairs: tuple[ComparedPair, ...]


def compare_cases(models: Sequence[Mapping[str, float]], *, higher_is_better: bool, decimals: int) -> Block:
    """Compare the values of models by case; a case that a model lacks is left out where that model takes part.

    Means, ranks and covariances rest on the cases that all models have, each pair on those that both have.
    Raises `NotComparable` with fewer than two models or shared cases, or with numbers that no record can hold.
    """
    if len(models) < 2:
        raise NotComparable("there are fewer than two models to compare")
    exact = [{case: _whole(value) for case, value in one.items()} for one in models]
    shared = sorted(set(exact[0]).intersection(*exact[1:]))
    if len(shared) < 2:
        raise NotComparable(f"the models have {len(shared)} cases in common; a comparison needs two or more")
    columns, sign = [[one[case] for case in shared] for one in exact], 1 if higher_is_better else -1
    try:
        return Block(
            len(shared),
            tuple(published(Fraction(sum(column), len(shared) * _UNIT), decimals) for column in columns),
            tuple(published(Fraction(ranks, len(shared)), RANK_DECIMALS) for ranks in _rank_sums(columns, sign)),
            _covariances(columns, decimals),
            tuple(_pairs(exact, columns, sign=sign, decimals=decimals)),
        )
    except Unwritable as error:
        raise NotComparable(f"its numbers cannot be recorded: {error.message}") from error


def published(value: Fraction, decimals: int) -> Number:
    """Round a number as a comparison writes it; `Unwritable` when it is too large for a record."""
    digits = len(str(abs(int(value)))) if abs(value) >= 1 else 0
    decimals = max(0, min(decimals, _MOST_DIGITS - digits))
    noiseless = Fraction(round(value * _UNIT), _UNIT)
    number = Decimal(round(noiseless * 10**decimals)).scaleb(-decimals)
    format_number(number)
    return int(number) if number == number.to_integral_value() else number.normalize()


def covariance_decimals(decimals: int) -> int:
    """Return with how many decimals covariances are written: twice as many, since their unit is squared."""
    return 2 * decimals


def _whole(value: float) -> int:
    """Return a value as a whole number of 10^-12."""
    return int(Decimal(repr(round(value, NOISE_DIGITS))).scaleb(NOISE_DIGITS, _ROOT))


def _rank_sums(columns: Sequence[Sequence[int]], sign: int) -> list[int]:
    """Return each model's sum of ranks within each case; 1 is best, and models that tie share the smallest rank."""
    sums = [0] * len(columns)
    for values in zip(*columns, strict=True):
        first: dict[int, int] = {}
        for place, value in enumerate(sorted(values, reverse=sign > 0), start=1):
            first.setdefault(value, place)
        for model, value in enumerate(values):
            sums[model] += first[value]
    return sums


def _covariances(columns: Sequence[Sequence[int]], decimals: int) -> tuple[Number, ...]:
    """Return the upper triangle of the sample covariances (ddof 1), row by row."""
    count, sums = len(columns[0]), [sum(column) for column in columns]
    scale = count * (count - 1) * _UNIT**2
    return tuple(
        published(
            Fraction(count * sum(map(mul, columns[one], columns[two])) - sums[one] * sums[two], scale),
            covariance_decimals(decimals),
        )
        for one in range(len(columns))
        for two in range(one, len(columns))
    )


def _pairs(
    exact: Sequence[Mapping[str, int]], columns: Sequence[Sequence[int]], *, sign: int, decimals: int
) -> Iterable[ComparedPair]:
    for first, second in combinations(range(len(exact)), 2):
        one, two = exact[first], exact[second]
        if len(one) == len(two) == len(columns[0]):  # both have just the cases that all have
            values: Iterable[tuple[int, int]] = zip(columns[first], columns[second], strict=True)
        else:
            values = ((value, two[case]) for case, value in one.items() if case in two)
        differences = [sign * (better - worse) for better, worse in values]
        yield _pair(first + 1, second + 1, differences, decimals=decimals)


def _pair(first: int, second: int, differences: Sequence[int], *, decimals: int) -> ComparedPair:
    n, total = len(differences), sum(differences)
    squares = Fraction(n * sum(map(mul, differences, differences)) - total * total, n * (n - 1) * _UNIT**2)
    wins, losses = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    twice, four_squares = signed_ranks(differences)
    return ComparedPair(
        first=first,
        second=second,
        n=n,
        difference=published(Fraction(total, n * _UNIT), decimals),
        sd=published(_root(squares), decimals),
        w_plus=published(Fraction(twice, 2), W_DECIMALS),
        variance=published(Fraction(four_squares, 16), VARIANCE_DECIMALS),
        wins=wins,
        ties=n - wins - losses,
        losses=losses,
    )


def signed_ranks(differences: Iterable[int]) -> tuple[int, int]:
    """Return twice the sum of the ranks of positive differences, and four times the sum of all squared ranks.

    Wilcoxon (1945): differences are ranked by size, zeros are dropped, those of one size share their mean rank.
    """
    # One whole number for each: its size, and in the last bit whether it is positive.
    coded = sorted((one << 1) + 1 if one > 0 else -one << 1 for one in differences if one)
    before = positive = squares = 0
    for _, group in groupby(coded, key=lambda code: code >> 1):
        tied = list(group)
        count = len(tied)
        twice = 2 * before + count + 1  # twice the mean of before + 1 … before + count
        positive += twice * sum(code & 1 for code in tied)
        squares += twice * twice * count
        before += count
    return positive, squares


def _root(square: Fraction) -> Fraction:
    """Return a square root to 24 decimals, far below what is written."""
    return Fraction(math.isqrt(square.numerator * 10**48 // square.denominator), 10**24)
