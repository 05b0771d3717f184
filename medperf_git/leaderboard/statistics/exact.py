"""Sums that come out the same in every order, on every machine and with every linear algebra library.

A product of whole counts and measured values is split into two products of short numbers. Each partial sum of them is a
whole multiple of one power of two and fits in 53 bits, so no addition rounds, and the order of additions cannot matter.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.statistics.ranks import Floats

MANTISSA = 52
SMALLEST_EXPONENT = -900
MOST_NUMBERS = 4_000_000  # what one piece of work may hold: 32 MB


def exact_sums(counts: NDArray[np.generic], values: Floats) -> Floats:
    """Multiply whole counts (row, site) by values (site, …): (row, …), each sum rounded once, to within one unit.

    Values are finite; counts are not negative, and their sum in a row is below 2^26.
    """
    shape = counts.shape[0], *values.shape[1:]
    if not values.size:
        return np.zeros(shape)
    flat = values.reshape(values.shape[0], -1)
    widest = int(counts.sum(axis=1).max(initial=1)).bit_length()
    high, low = _halves(flat, MANTISSA - widest)
    sums = np.empty((counts.shape[0], flat.shape[1]))
    for rows in pieces(counts.shape[0], max(flat.shape)):
        taken = counts[rows].astype(np.float64)
        sums[rows] = taken @ high + taken @ low
    return sums.reshape(shape)


def pieces(length: int, width: int) -> Iterator[slice]:
    """Cut `length` rows of `width` numbers into pieces of bounded size."""
    step = max(1, MOST_NUMBERS // max(1, width))
    for start in range(0, length, step):
        yield slice(start, min(length, start + step))


def _halves(values: Floats, bits: int) -> tuple[Floats, Floats]:
    """Split each value into two of `bits` bits, counted from the largest of its column (from 2^-900 at least)."""
    exponent = np.frexp(np.abs(values).max(axis=0, initial=0.0))[1]
    unit = np.ldexp(1.0, np.maximum(exponent, SMALLEST_EXPONENT) - bits)
    high = np.rint(values / unit) * unit
    finer = unit * 2.0**-bits
    return high, np.rint((values - high) / finer) * finer
