"""Uncertainty of a ranking, with sites as the resampling unit.

Rules kept here: with 5 to 9 sites every distinct resample is enumerated with its exact multinomial weight
(no seed, no noise); from 10 sites on 10 000 draws of PCG64 with the record's seed; below 5 there is no
interval, only the range over the sites. A quantile is the smallest x with F(x) >= q, in integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from medperf_git.leaderboard.ranking import (
    DECIMALS,
    Counted,
    Floats,
    Grid,
    Ranking,
    Weights,
    merit_of,
    rank,
    site_weights,
    smallest_ranks,
)

FEWEST_SITES = 5
EXACT_BELOW = 10
DRAWS = 10_000
TAIL = (25, 1000)  # 2.5 % on each side, as integers


class IntervalKind(Enum):
    """How an interval was made, in the words of the page."""

    EXACT = "exact site bootstrap"
    DRAWN = "site bootstrap"
    RANGE = "range over sites"
    SINGLE = "one site"
    EFFECTS = "random effects"


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval of a mean over `sites` sites, or the range of the site values where there are too few."""

    kind: IntervalKind
    low: float
    high: float
    mean: float
    sites: int


@dataclass(frozen=True, slots=True)
class Undefined:
    """A number that does not exist, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resamples:
    """How often each site is taken, (resample, site), and each resample's integer weight; they add up to `total`."""

    counts: NDArray[np.int64]
    weights: NDArray[np.int64]
    total: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Contest:
    """Who stands beside first place: per counted model, how sure it is that first place is better.

    `within[i]` says that model i cannot be told from first place; `not_behind[i]` is the share of resamples
    (or of single sites, below five) in which it scored at least as well; `first_share[i]` how often it came first.
    """

    leader: int
    tested: bool
    sites: int
    within: tuple[bool, ...]
    not_behind: tuple[float, ...]
    first_share: tuple[float, ...]
    mean_tau: float | Undefined


@lru_cache(maxsize=32)
def resamples(sites: int, seed: int) -> Resamples:
    """Enumerate or draw the resamples of `sites` sites; the seed matters only from ten sites on."""
    if sites < EXACT_BELOW:
        picks = np.array(list(combinations_with_replacement(range(sites), sites)), dtype=np.int64)
        counts = np.stack([(picks == site).sum(axis=1) for site in range(sites)], axis=1)
        weights = [math.factorial(sites) // math.prod(math.factorial(c) for c in row) for row in counts.tolist()]
        return Resamples(counts, np.array(weights, dtype=np.int64), sites**sites, exact=True)
    picks = np.random.Generator(np.random.PCG64(seed)).integers(0, sites, size=(DRAWS, sites))
    counts = np.stack([(picks == site).sum(axis=1) for site in range(sites)], axis=1).astype(np.int64)
    return Resamples(counts, np.ones(DRAWS, dtype=np.int64), DRAWS, exact=False)


def quantile(values: Floats, draws: Resamples, *, numerator: int, denominator: int) -> float:
    """Give the smallest x with F(x) >= numerator/denominator, compared in integers."""
    rounded = np.round(values, DECIMALS)
    order = np.argsort(rounded, kind="stable")
    reached = np.cumsum(draws.weights[order]) * denominator >= numerator * draws.total
    return float(rounded[order][int(np.argmax(reached))])


def resampled_means(values: Floats, weights: Floats, draws: Resamples) -> Floats:
    """Average over sites in every resample: (…, site) values become (resample, …) means."""
    shape = (len(draws.weights),) + (1,) * (values.ndim - 1)
    top, bottom = np.zeros((len(draws.weights), *values.shape[:-1])), np.zeros((len(draws.weights), *values.shape[:-1]))
    for site in range(values.shape[-1]):  # in a fixed order: the same bits with every BLAS
        taken = draws.counts[:, site].reshape(shape)
        top += taken * (weights[..., site] * values[..., site])[None]
        bottom += taken * weights[..., site][None]
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def score_interval(values: Floats, weights: Floats, *, seed: int) -> Interval:
    """Interval of a model's mean over the sites it has; `values` and `weights` are (site,) without gaps."""
    sites = len(values)
    mean = math.fsum(values * weights) / math.fsum(weights)
    if sites < FEWEST_SITES:
        kind = IntervalKind.SINGLE if sites == 1 else IntervalKind.RANGE
        return Interval(kind, float(values.min()), float(values.max()), mean, sites)
    draws = resamples(sites, seed)
    means = resampled_means(values, weights, draws)
    part, whole = TAIL
    low = quantile(means, draws, numerator=part, denominator=whole)
    high = quantile(means, draws, numerator=whole - part, denominator=whole)
    return Interval(IntervalKind.EXACT if draws.exact else IntervalKind.DRAWN, low, high, mean, sites)


def own_interval(grid: Grid, weights: Weights, *, metric: int, model: int, seed: int) -> Interval | Undefined:
    """Interval of one model in one metric over every site where it has a value."""
    values, weight = grid.values[metric, model], site_weights(grid, weights)[metric, model]
    has = ~np.isnan(values) & (weight > 0)
    if not has.any():
        return Undefined("no value at any site")
    return score_interval(values[has], weight[has], seed=seed)


def leave_one_out(ranking: Ranking) -> Iterator[tuple[str, Ranking]]:
    """Rank again without each site in turn; nothing where fewer than two sites count."""
    grid = ranking.counted.grid
    places = range(len(grid.sites))
    for gone in places if len(grid.sites) > 1 else ():
        rest = grid.keep(range(len(grid.models)), [s for s in places if s != gone])
        yield grid.sites[gone], rank(Counted(rest, (), ()), ranking.rule, weights=ranking.weights)


def one_site_each(ranking: Ranking) -> Iterator[tuple[str, Ranking]]:
    """Rank at each counted site alone."""
    grid = ranking.counted.grid
    for site, name in enumerate(grid.sites):
        yield name, rank(Counted(grid.keep(range(len(grid.models)), [site]), (), ()), ranking.rule, weights="equal")


def kendall_tau(one: tuple[int, ...], other: tuple[int, ...]) -> float | Undefined:
    """Kendall's tau-b of two rankings; undefined where one of them is all tied, or for fewer than two models."""
    if len(one) < 2:
        return Undefined("fewer than two models")
    if len(set(one)) == 1 or len(set(other)) == 1:
        return Undefined("all models are tied")
    return float(np.round(kendalltau(one, other).statistic, DECIMALS))


def contest(ranking: Ranking, *, seed: int) -> Contest | Undefined:
    """Say which models cannot be told from first place.

    With five sites or more: those at least as good as first place in 2.5 % of the site resamples or more (the paired
    95 % interval of the difference reaches zero). Below five: those at least as good at one site or more, no test.
    """
    grid = ranking.counted.grid
    if not ranking.ranks:
        return Undefined("nothing is ranked")
    leader = ranking.ranks.index(1)
    if len(grid.sites) < FEWEST_SITES:
        merits = np.stack([alone.merit for _, alone in one_site_each(ranking)])
        draws = Resamples(np.eye(len(merits), dtype=np.int64), np.ones(len(merits), dtype=np.int64), len(merits), True)
        threshold = (0, 1)
    else:
        draws = resamples(len(grid.sites), seed)
        means = resampled_means(grid.values, site_weights(grid, ranking.weights), draws)
        merits = merit_of(means, grid.metrics)
        threshold = TAIL
    return _contest_of(ranking, merits, draws, leader=leader, threshold=threshold)


def _contest_of(
    ranking: Ranking, merits: Floats, draws: Resamples, *, leader: int, threshold: tuple[int, int]
) -> Contest:
    part, whole = threshold
    beside = (draws.weights[:, None] * (merits >= merits[:, [leader]])).sum(axis=0)
    ranks = smallest_ranks(merits)
    first = (draws.weights[:, None] * (ranks == 1)).sum(axis=0)
    within = [int(count) * whole >= part * draws.total and int(count) > 0 for count in beside]
    within = [held or place == 1 for held, place in zip(within, ranking.ranks, strict=True)]
    return Contest(
        leader=leader,
        tested=len(ranking.counted.grid.sites) >= FEWEST_SITES,
        sites=len(ranking.counted.grid.sites),
        within=tuple(within),
        not_behind=tuple(float(count) / draws.total for count in beside.tolist()),
        first_share=tuple(float(count) / draws.total for count in first.tolist()),
        mean_tau=_mean_tau(ranking.ranks, ranks, draws),
    )


def _mean_tau(full: tuple[int, ...], ranks: NDArray[np.int64], draws: Resamples) -> float | Undefined:
    """Average tau-b of each resample's ranking with the full one; resamples that are all tied have none."""
    if len(full) < 2 or len(set(full)) == 1:
        return Undefined("fewer than two models" if len(full) < 2 else "all models are tied")
    left, right = np.triu_indices(len(full), k=1)
    reference = np.sign(np.asarray(full)[left] - np.asarray(full)[right])
    rows, where = np.unique(ranks, axis=0, return_inverse=True)
    signs = np.sign(rows[:, left] - rows[:, right])
    lengths = np.sqrt((signs != 0).sum(axis=1) * float((reference != 0).sum()))
    taus = np.divide((signs * reference).sum(axis=1), lengths, out=np.full(len(rows), np.nan), where=lengths > 0)
    each = taus[where.reshape(-1)]
    defined = ~np.isnan(each)
    if not defined.any():
        return Undefined("all models are tied in every resample")
    total = float((draws.weights * np.where(defined, each, 0.0))[defined].sum())
    return float(np.round(total / float(draws.weights[defined].sum()), DECIMALS))
