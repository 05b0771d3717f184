"""Resamples of sites: all that there are, with exact weights, or ten thousand drawn; and quantiles over them.

K sites have C(2K − 1, K) distinct resamples. Up to nine sites each is enumerated with its multinomial weight
K! / Πc!, a whole number out of K^K; from ten sites on 10 000 are drawn by numpy's Generator(PCG64(seed)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.statistics.exact import pieces
from medperf_git.leaderboard.statistics.ranks import Floats, Ints, without_noise

EXACT_BELOW = 10
DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Resamples:
    """How often each site is taken, (resample, site), and each resample's integer weight; they add up to `total`."""

    counts: NDArray[np.integer]
    weights: Ints
    total: int
    exact: bool

    def take(self, rows: slice) -> Resamples:
        """Take some of them; the total stays that of all."""
        return Resamples(self.counts[rows], self.weights[rows], self.total, self.exact)


@lru_cache(maxsize=8)
def resamples(sites: int, seed: int) -> Resamples:
    """Enumerate or draw the resamples of `sites` sites; the seed matters only from ten sites on."""
    if sites < EXACT_BELOW:
        picks = np.array(list(combinations_with_replacement(range(sites), sites)), dtype=np.int64)
        counts = np.stack([(picks == site).sum(axis=1) for site in range(sites)], axis=1)
        weights = [math.factorial(sites) // math.prod(math.factorial(c) for c in row) for row in counts.tolist()]
        return Resamples(counts, np.array(weights, dtype=np.int64), sites**sites, exact=True)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.empty((DRAWS, sites), dtype=np.int16 if sites < 2**15 else np.int32)
    for rows in pieces(DRAWS, sites):
        size = rows.stop - rows.start
        picks = random.integers(0, sites, size=(size, sites)) + np.arange(size)[:, None] * sites
        drawn[rows] = np.bincount(picks.ravel(), minlength=size * sites).reshape(size, sites)
    return Resamples(drawn, np.ones(DRAWS, dtype=np.int64), DRAWS, exact=False)


def quantile(values: Floats, draws: Resamples, *, numerator: int, denominator: int) -> float:
    """Give the smallest x with F(x) >= numerator/denominator, compared in integers."""
    return float(quantiles(values[:, None], draws, numerators=(numerator,), denominator=denominator)[0, 0])


def quantiles(values: Floats, draws: Resamples, *, numerators: Sequence[int], denominator: int) -> Floats:
    """Give each column's smallest x with F(x) >= numerator/denominator: (resample, column) to (numerator, column)."""
    rounded = without_noise(values)
    if (draws.weights == 1).all():
        places = [max(0, -(-numerator * draws.total // denominator) - 1) for numerator in numerators]
        return np.asarray(np.partition(rounded, places, axis=0)[places])
    order = np.argsort(rounded, axis=0, kind="stable")
    ordered = np.take_along_axis(rounded, order, axis=0)
    reached = np.cumsum(draws.weights[order], axis=0) * denominator
    places = [np.argmax(reached >= numerator * draws.total, axis=0) for numerator in numerators]
    return np.stack([ordered[place, range(rounded.shape[1])] for place in places])


def at_most(draws: Resamples, most: int, *, seed: int) -> Resamples:
    """Take so many: the first of those drawn, or, of those enumerated, some drawn with PCG64(seed) by weight."""
    if len(draws.weights) <= most:
        return draws
    if not draws.exact:
        return draws.take(slice(0, most))
    picks = np.random.Generator(np.random.PCG64(seed)).integers(0, draws.total, size=most)
    rows = np.searchsorted(np.cumsum(draws.weights), picks, side="right")
    return Resamples(draws.counts[rows], np.ones(most, dtype=np.int64), most, exact=False)
