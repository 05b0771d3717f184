"""Ranks: the smallest for ties, float noise rounded away first, missing last.

scipy's `rankdata` gives the same, and is what the tests compare with; to import it takes longer than to build the site
of a benchmark of usual size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
DECIMALS = 12
SIGNIFICANT = 15
LARGE, LARGE_DIGITS = 1000.0, 4  # from here on 12 decimals are more than 15 digits


@dataclass(frozen=True, slots=True)
class Places:
    """A ranking: each model's score in the rule's own unit, and its rank, both (model,).

    What has no score (NaN) is not ranked: its rank is 0. `low_is_good` says how the score reads: a mean rank is better
    where it is lower.
    """

    scores: Floats
    ranks: Ints
    low_is_good: bool


def without_noise(values: Floats) -> Floats:
    """Round to 12 decimals, and from a thousand on to 15 significant digits: finer, a float holds noise only."""
    given: Floats = np.asarray(values, dtype=np.float64)
    rounded: Floats = np.round(given, DECIMALS)
    sizes = np.abs(given)
    if not (sizes >= LARGE).any():
        return rounded
    for digits in range(LARGE_DIGITS, SIGNIFICANT):
        large = (sizes >= 10.0 ** (digits - 1)) & (sizes < 10.0**digits)
        rounded[large] = np.round(given[large], SIGNIFICANT - digits)
    return rounded


def smallest_ranks(merit: Floats) -> Ints:
    """Rank along the last axis, the largest first; ties share the smallest rank, and NaN is worse than any number."""
    rounded = without_noise(merit)
    return _ties(np.where(np.isnan(rounded), np.inf, -rounded))[0]


def average_ranks(sizes: Floats) -> Floats:
    """Rank along the last axis, the smallest first; ties share the mean of their ranks, and NaN has none."""
    first, last = _ties(np.asarray(sizes, dtype=np.float64))
    return np.where(np.isnan(sizes), np.nan, (first + last) / 2)


def _ties(values: Floats) -> tuple[Ints, Ints]:
    """Give the first and the last place, from 1, of those along the last axis that a value ties with; NaN comes last.

    Each NaN is a tie of its own.
    """
    order = np.argsort(values, axis=-1, kind="stable")
    inside = np.take_along_axis(values, order, axis=-1)
    other = np.ones(values.shape, dtype=np.bool_)
    other[..., 1:] = inside[..., 1:] != inside[..., :-1]
    places = np.broadcast_to(np.arange(1, values.shape[-1] + 1, dtype=np.int64), values.shape)
    first, last = np.empty_like(order), np.empty_like(order)
    np.put_along_axis(first, order, np.maximum.accumulate(np.where(other, places, 0), axis=-1), axis=-1)
    ends = np.ones(values.shape, dtype=np.bool_)
    ends[..., :-1] = other[..., 1:]
    backwards = np.where(ends, places, values.shape[-1])[..., ::-1]
    np.put_along_axis(last, order, np.minimum.accumulate(backwards, axis=-1)[..., ::-1], axis=-1)
    return first, last


def place(scores: Floats, *, low_is_good: bool) -> Places:
    """Rank models by their scores, (model,); the scores are given as they are ranked, without float noise."""
    rounded: Floats = without_noise(scores) + np.float64(0)  # no −0
    ranks = smallest_ranks(-rounded if low_is_good else rounded)
    return Places(rounded, np.where(np.isnan(rounded), 0, ranks), low_is_good)
