"""The numbers of one comparison as arrays: how a site's models did on the same cases, by one metric.

Pairs stand in the order of the record: (1, 2), (1, 3), …, (2, 3), …; what they hold speaks for the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.statistics.blocks import rank_sums
from medperf_git.leaderboard.statistics.ranks import Floats, Ints
from medperf_git.records.digests import Digest
from medperf_git.records.models import Comparison
from medperf_git.records.names import Ref


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """`covariance` is (model, model); all fields from `pair_n` on are (pair,)."""

    models: tuple[Ref, ...]
    results: tuple[Digest, ...]
    n: int
    means: Floats
    mean_ranks: Floats
    covariance: Floats
    pair_n: Ints
    difference: Floats
    sd: Floats
    w_plus: Floats
    variance: Floats
    wins: Ints
    ties: Ints
    losses: Ints

    @property
    def is_common(self) -> bool:
        """Whether every pair rests on the cases that all models have."""
        return bool((self.pair_n == self.n).all())

    def losses_to(self) -> Ints:
        """Count the cases on which the column's model is better than the row's, (model, model)."""
        first, second = pairs_of(len(self.models))
        found = np.zeros((len(self.models), len(self.models)), dtype=np.int64)
        found[first, second], found[second, first] = self.losses, self.wins
        return found


def block_of(record: Comparison) -> Block:
    """Lay a comparison out as arrays."""
    count = len(record.models)
    covariance = np.zeros((count, count))
    rows, columns = np.triu_indices(count)
    covariance[rows, columns] = covariance[columns, rows] = [float(one) for one in record.covariance]
    pairs = record.pairs
    return Block(
        models=tuple(one.ref for one in record.models),
        results=tuple(one.result for one in record.models),
        n=record.n,
        means=np.array([float(one.mean) for one in record.models]),
        mean_ranks=np.array([float(one.mean_rank) for one in record.models]),
        covariance=covariance,
        pair_n=np.array([one.n for one in pairs], dtype=np.int64),
        difference=np.array([float(one.difference) for one in pairs]),
        sd=np.array([float(one.sd) for one in pairs]),
        w_plus=np.array([float(one.w_plus) for one in pairs]),
        variance=np.array([float(one.variance) for one in pairs]),
        wins=np.array([one.wins for one in pairs], dtype=np.int64),
        ties=np.array([one.ties for one in pairs], dtype=np.int64),
        losses=np.array([one.losses for one in pairs], dtype=np.int64),
    )


def pairs_of(models: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return first and second of every pair, counted from 0, in the order of a record."""
    return np.triu_indices(models, k=1)


def mean_ranks_among(block: Block, models: Sequence[Ref]) -> Floats | None:
    """Give the mean rank within a case of each of `models`, as if no others had been compared; None if it is not told.

    A rank is one more than the number of models that are better there, so a mean rank is 1 + Σ losses / n: exact for
    every choice of models whose pairs rest on the same cases. A model that the block lacks is worse than all others.
    """
    places = [block.models.index(ref) for ref in models if ref in block.models]
    if not places:
        return None
    if len(places) == len(block.models) and not block.is_common:
        there = rank_sums(block.mean_ranks, block.n)[places] / block.n
    elif _same_cases(block, places):
        window = np.ix_(places, places)
        there = 1 + block.losses_to()[window].sum(axis=1) / block.n
    else:
        return None
    found = np.full(len(models), float(len(places) + 1))
    found[[at for at, ref in enumerate(models) if ref in block.models]] = there
    return found


def _same_cases(block: Block, places: Sequence[int]) -> bool:
    first, second = pairs_of(len(block.models))
    among = np.isin(first, places) & np.isin(second, places)
    return bool((block.pair_n[among] == block.n).all())


def signed_ranks_among(block: Block, models: Sequence[Ref]) -> tuple[Floats, Floats, Floats]:
    """Give W⁺, the number of differences that are not zero and the variance of every pair of `models`, (pair,) each.

    NaN stands for a pair of which the block lacks a model.
    """
    first, second = pairs_of(len(models))
    at = {ref: place for place, ref in enumerate(block.models)}
    places = np.array([at.get(ref, -1) for ref in models], dtype=np.int64)
    one, other = places[first], places[second]
    there = (one >= 0) & (other >= 0)
    swapped = one > other
    low, high = np.where(swapped, other, one)[there], np.where(swapped, one, other)[there]
    index = low * len(block.models) - low * (low + 1) // 2 + high - low - 1
    n = (block.wins + block.losses)[index].astype(np.float64)
    w = np.where(swapped[there], n * (n + 1) / 2 - block.w_plus[index], block.w_plus[index])
    found = np.full((3, len(first)), np.nan)
    found[:, there] = w, n, block.variance[index]
    return found[0], found[1], found[2]
