"""Resamples of many sites for many models at once, within stated bounds.

Rules kept here: sums are of whole numbers below 2^53, so that a matrix product is exact whatever computes it and in
whatever order; where values are no such numbers the sums go site by site, as in `uncertainty`.
"""

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.by_rule import Computed
from medperf_git.leaderboard.statistics.ranks import Floats

FEW = 4_000  # cells: below that the plain way takes a quarter of a second
MOST = 250_000  # cells that are resampled 10 000 times: about two seconds and 200 MB
MOST_TAUS = 100  # models: tau compares every pair in every resample
_EXACT = float(2**53)
_SCALES = tuple(10**decimals for decimals in range(10))


def contest_of(computed: Computed, *, seed: int) -> un.Contest | un.Undefined:
    """Say which models cannot be told from first place, where the rule's score is a mean over sites."""
    linear = computed.linear
    if linear is None:
        return un.Undefined("this rule’s score is no mean over sites: pairs of models are tested instead")
    grid = linear.counted.grid
    size = len(grid.models) * len(grid.sites)
    if size > MOST:
        return un.Undefined(too_many(len(grid.models), len(grid.sites)))
    if size <= FEW or len(grid.sites) < un.FEWEST_SITES:
        return un.contest(linear, seed=seed)
    draws = un.resamples(len(grid.sites), seed)
    means = means_of(grid.values, rk.site_weights(grid, linear.weights), draws)
    merits = np.round(rk.merit_of(means, grid.metrics), rk.DECIMALS)
    leader = linear.ranks.index(1)
    part, whole = un.TAIL
    weights = draws.weights[:, None]
    beside = (weights * (merits >= merits[:, [leader]])).sum(axis=0).tolist()
    first = (weights * (merits == merits.max(axis=1, keepdims=True))).sum(axis=0).tolist()
    few = len(grid.models) <= MOST_TAUS
    return un.Contest(
        leader=leader,
        tested=True,
        sites=len(grid.sites),
        within=tuple(
            (count > 0 and count * whole >= part * draws.total) or place == 1
            for count, place in zip(beside, linear.ranks, strict=True)
        ),
        not_behind=tuple(count / draws.total for count in beside),
        first_share=tuple(count / draws.total for count in first),
        mean_tau=un._mean_tau(linear.ranks, rk.smallest_ranks(merits), draws)
        if few
        else un.Undefined(f"more than {MOST_TAUS} models: not every pair is compared in every resample"),
    )


def too_many(models: int, sites: int) -> str:
    """Say why nothing is resampled."""
    return f"{models} models at {sites} sites are too many to be resampled; the data are in results.csv"


def means_of(values: Floats, weights: Floats, draws: un.Resamples) -> Floats:
    """Average over sites in every resample: (…, site) values without gaps become (resample, …) means."""
    scaled = _whole(values * weights)
    counts = draws.counts.astype(np.float64)
    most = float(counts.sum(axis=1).max())
    if scaled is None or not _is_whole(weights) or float(np.abs(scaled[0]).max(initial=0)) * most >= _EXACT:
        return un.resampled_means(values, weights, draws)
    sums, scale = scaled
    sites = values.shape[-1]
    shape = (len(counts), *values.shape[:-1])
    top = (counts @ sums.reshape(-1, sites).T).reshape(shape)
    bottom = (counts @ weights.reshape(-1, sites).T).reshape(shape) * scale
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)


def _whole(numbers: Floats) -> tuple[Floats, float] | None:
    """Return decimals as whole numbers with their scale; None where no power of ten makes them whole."""
    for scale in _SCALES:
        whole = np.rint(numbers * scale)
        if (np.abs(whole) < _EXACT).all() and (np.abs(whole / scale - numbers) <= 1e-15 * np.abs(numbers)).all():
            return whole, float(scale)
    return None


def _is_whole(numbers: Floats) -> bool:
    return bool((np.rint(numbers) == numbers).all())
