"""Uncertainty of a ranking, with sites as the resampling unit.

Rules kept here: with 5 to 9 sites every distinct resample is enumerated with its exact multinomial weight
(no seed, no noise); from 10 sites on 10 000 draws of PCG64 with the record's seed; below 5 there is no
interval, only the range over the sites. A quantile is the smallest x with F(x) >= q, in integers. Sums over sites
are exact, so the same numbers come out on every machine; work is cut into pieces, so memory stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from medperf_git.leaderboard.ranking import Grid, Ranking, Weights, merit_of, site_weights, weighted_means
from medperf_git.leaderboard.statistics import bootstrap
from medperf_git.leaderboard.statistics.agreement import kendall_taus
from medperf_git.leaderboard.statistics.bootstrap import Resamples, at_most, quantiles, resamples
from medperf_git.leaderboard.statistics.exact import pieces
from medperf_git.leaderboard.statistics.ranks import DECIMALS, Floats, Ints, smallest_ranks

FEWEST_SITES = 5
EXACT_BELOW, DRAWS = bootstrap.EXACT_BELOW, bootstrap.DRAWS
TAIL = (25, 1000)  # 2.5 % on each side, as integers
MODELS_AT_ONCE = 256
MOST_SIGNS = 50_000_000  # pairs of models times resamples that Kendall's tau is averaged over: below half a second


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

    @property
    def is_range(self) -> bool:
        """Whether it is only where the values of the sites lie."""
        return self.kind in (IntervalKind.RANGE, IntervalKind.SINGLE)


@dataclass(frozen=True, slots=True)
class Undefined:
    """A number that does not exist, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Contest:
    """Who stands beside first place: per counted model, how sure it is that first place is better.

    `within[i]` says that model i cannot be told from first place; `not_behind[i]` is the share of resamples
    (or of single sites, below five) in which it scored at least as well; `first_share[i]` how often it came first.
    Where several share first place, at least as well is as well as one of them, whoever stands first in the table.
    `tau_resamples` is how many resamples the mean tau rests on: all, unless pairs of models are too many for that.
    """

    leader: int
    tested: bool
    sites: int
    within: tuple[bool, ...]
    not_behind: tuple[float, ...]
    first_share: tuple[float, ...]
    mean_tau: float | Undefined
    tau_resamples: int = 0


def resampled_means(values: Floats, weights: Floats, draws: Resamples) -> Floats:
    """Average over sites in every resample: (…, site) values become (resample, …) means."""
    return weighted_means(values, weights, draws.counts)


def score_interval(values: Floats, weights: Floats, *, seed: int) -> Interval:
    """Interval of a model's mean over the sites it has; `values` and `weights` are (site,) without gaps."""
    return score_intervals(values[None], weights[None], seed=seed)[0]


def score_intervals(values: Floats, weights: Floats, *, seed: int) -> list[Interval]:
    """Intervals of the means of several models, each over as many sites; `values` and `weights` are (model, site)."""
    sites = values.shape[1]
    means = weighted_means(values, weights, np.ones((1, sites), dtype=np.int64))[0].tolist()
    if sites < FEWEST_SITES:
        kind = IntervalKind.SINGLE if sites == 1 else IntervalKind.RANGE
        ends = zip(values.min(axis=1).tolist(), values.max(axis=1).tolist(), means, strict=True)
        return [Interval(kind, low, high, mean, sites) for low, high, mean in ends]
    draws, (part, whole) = resamples(sites, seed), TAIL
    kind = IntervalKind.EXACT if draws.exact else IntervalKind.DRAWN
    found = []
    for first in range(0, len(values), MODELS_AT_ONCE):
        some = slice(first, first + MODELS_AT_ONCE)
        again = resampled_means(values[some], weights[some], draws)
        lows, highs = quantiles(again, draws, numerators=(part, whole - part), denominator=whole).tolist()
        ends = zip(lows, highs, means[some], strict=True)
        found += [Interval(kind, low, high, mean, sites) for low, high, mean in ends]
    return found


def own_interval(grid: Grid, weights: Weights, *, metric: int, model: int, seed: int) -> Interval | Undefined:
    """Interval of one model in one metric over every site where it has a value."""
    return own_intervals(grid.keep([model], range(len(grid.sites))), weights, metric=metric, seed=seed)[0]


def own_intervals(grid: Grid, weights: Weights, *, metric: int, seed: int) -> list[Interval | Undefined]:
    """Intervals of all models in one metric, each over every site where it has a value; in the grid's order.

    Models that have as many sites are worked out together: what is resampled are places in a model's own list of sites.
    """
    values, weight = grid.values[metric], site_weights(grid, weights)[metric]
    has = ~np.isnan(values) & (weight > 0)
    own = np.argsort(~has, axis=1, kind="stable")  # a model's own sites first, in the grid's order
    sizes = has.sum(axis=1)
    found: list[Interval | Undefined] = [Undefined("no value at any site")] * len(grid.models)
    for size in np.unique(sizes[sizes > 0]).tolist():
        members = np.flatnonzero(sizes == size)
        places = members[:, None], own[members, :size]
        for member, one in zip(members, score_intervals(values[places], weight[places], seed=seed), strict=True):
            found[member] = one
    return found


def leave_one_out(ranking: Ranking) -> Iterator[tuple[str, Ranking]]:
    """Rank again without each site in turn; nothing where fewer than two sites count.

    Only scores, merit and ranks are those without the site: what is counted stays that of the whole ranking.
    """
    places = len(ranking.counted.grid.sites)
    if places > 1:
        yield from _again(ranking, 1 - np.eye(places, dtype=np.int64), ranking.weights)


def one_site_each(ranking: Ranking) -> Iterator[tuple[str, Ranking]]:
    """Rank at each counted site alone; what is counted stays that of the whole ranking."""
    yield from _again(ranking, np.eye(len(ranking.counted.grid.sites), dtype=np.int64), "equal")


def _again(ranking: Ranking, counts: Ints, weights: Weights) -> Iterator[tuple[str, Ranking]]:
    """Rank with each site taken as often as a row of `counts` (row, site) says; one row for each site."""
    grid = ranking.counted.grid
    weight = site_weights(grid, weights)
    for rows in pieces(len(counts), grid.values[..., 0].size):
        scores = weighted_means(grid.values, weight, counts[rows])
        merits = merit_of(scores, grid.metrics)
        ranks = smallest_ranks(merits).tolist()
        for place, (score, merit, rank) in enumerate(zip(scores, merits, ranks, strict=True), start=rows.start):
            again = replace(ranking, weights=weights, scores=score, merit=merit, ranks=tuple(rank))
            yield grid.sites[place], again


def kendall_tau(one: Sequence[float], other: Sequence[float]) -> float | Undefined:
    """Kendall's tau-b of two rankings; undefined where one of them is all tied, or for fewer than two models."""
    if len(one) < 2:
        return Undefined("fewer than two models")
    if len(set(one)) == 1 or len(set(other)) == 1:
        return Undefined("all models are tied")
    return float(np.round(kendall_taus(one, -np.array([other], dtype=np.float64))[0], DECIMALS))


def contest(ranking: Ranking, *, seed: int) -> Contest | Undefined:
    """Say which models cannot be told from first place.

    With five sites or more: those at least as good as first place in 2.5 % of the site resamples or more (the paired
    95 % interval of the difference reaches zero). Below five: those at least as good at one site or more, no test.
    """
    grid = ranking.counted.grid
    if not ranking.ranks:
        return Undefined("nothing is ranked")
    tested = len(grid.sites) >= FEWEST_SITES
    if tested:
        draws, weights, threshold = resamples(len(grid.sites), seed), ranking.weights, TAIL
    else:
        once, weights = np.eye(len(grid.sites), dtype=np.int64), "equal"
        draws, threshold = Resamples(once, np.ones(len(once), dtype=np.int64), len(once), exact=True), (0, 1)
    again = _Resampled(grid, site_weights(grid, weights))
    beside, first = _tallies(again, draws, leaders=[at for at, place in enumerate(ranking.ranks) if place == 1])
    part, whole = threshold
    within = [int(count) * whole >= part * draws.total and int(count) > 0 for count in beside]
    tau, rests_on = _tau_of(ranking.ranks, again, draws, seed=seed)
    return Contest(
        leader=ranking.ranks.index(1),
        tested=tested,
        sites=len(grid.sites),
        within=tuple(held or place == 1 for held, place in zip(within, ranking.ranks, strict=True)),
        not_behind=tuple(float(count) / draws.total for count in beside.tolist()),
        first_share=tuple(float(count) / draws.total for count in first.tolist()),
        mean_tau=tau,
        tau_resamples=rests_on,
    )


@dataclass(frozen=True, slots=True)
class _Resampled:
    """A grid whose merits are asked for again and again, with sites taken as often as a resample says."""

    grid: Grid
    weights: Floats

    def merits(self, draws: Resamples) -> Floats:
        """Merit of every model in each resample, (resample, model), to 12 decimals."""
        return merit_of(resampled_means(self.grid.values, self.weights, draws), self.grid.metrics)


def _tallies(again: _Resampled, draws: Resamples, *, leaders: Sequence[int]) -> tuple[Ints, Ints]:
    """Count, by weight, in how many resamples each model is at least as good as a leader, and in how many first."""
    beside = np.zeros(len(again.grid.models), dtype=np.int64)
    first = beside.copy()
    for rows in pieces(len(draws.weights), again.grid.values[..., 0].size):
        some = draws.take(rows)
        merits = again.merits(some)
        beside += some.weights @ (merits >= merits[:, leaders].min(axis=1, keepdims=True))
        first += some.weights @ (merits >= merits.max(axis=1, keepdims=True))
    return beside, first


def _tau_of(full: tuple[int, ...], again: _Resampled, draws: Resamples, *, seed: int) -> tuple[float | Undefined, int]:
    """Average Kendall's tau over resamples, and say over how many.

    Where pairs of models times resamples are too many, it rests on fewer resamples: the first of those drawn, or, of
    those enumerated, some drawn with PCG64 of the record's seed, each as probable as its weight.
    """
    draws = at_most(draws, max(1, MOST_SIGNS // max(1, math.comb(len(full), 2))), seed=seed)
    parts = pieces(len(draws.weights), again.grid.values[..., 0].size)
    taus = [kendall_taus(full, again.merits(draws.take(rows))) for rows in parts]
    tau = _mean_of(full, np.concatenate(taus), draws)
    return tau, 0 if isinstance(tau, Undefined) else len(draws.weights)


def _mean_of(full: tuple[int, ...], taus: Floats, draws: Resamples) -> float | Undefined:
    """Average the taus of resamples by their weight; resamples that are all tied have none."""
    if len(full) < 2 or len(set(full)) == 1:
        return Undefined("fewer than two models" if len(full) < 2 else "all models are tied")
    defined = ~np.isnan(taus)
    if not defined.any():
        return Undefined("all models are tied in every resample")
    weights = draws.weights[defined]
    return float(np.round((weights * taus[defined]).sum() / weights.sum(), DECIMALS))
