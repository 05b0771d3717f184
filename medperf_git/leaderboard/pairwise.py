"""Which models differ significantly by one metric: every pair tested, and the ranks that this leaves open.

Rules kept here: where sites have published comparisons the signed ranks of their cases are added up, each site ranking
its own differences; else the sites' values are tested, a site counting once, from five sites on. Two-sided, the normal
approximation with continuity correction, all pairs of a metric adjusted together by Holm. With one site nothing is
tested. Rank intervals come from tests of cases only (Al Mohamad, Goeman and van Zwet 2022).
"""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.block import pairs_of
from medperf_git.leaderboard.by_rule import signed_ranks
from medperf_git.leaderboard.statistics.blocks import pairwise_p_two_sided
from medperf_git.leaderboard.statistics.intervals import rank_intervals
from medperf_git.leaderboard.statistics.ranks import Bools, Floats, Ints, average_ranks
from medperf_git.leaderboard.tables import MetricInfo
from medperf_git.leaderboard.text import some, word
from medperf_git.leaderboard.uncertainty import FEWEST_SITES, Undefined
from medperf_git.records.names import Ref

MOST_MODELS = 100  # 4950 tests by one metric: beyond that Holm leaves nothing significant, and no page shows it


class Tested(Enum):
    """What was tested, in the words of the page."""

    CASES = "signed ranks of cases, added up over sites"
    SITES = "signed ranks of sites’ values"


@dataclass(frozen=True, slots=True, eq=False)
class Pairwise:
    """Tests of every pair of `models` by one metric; `p` (model, model) is adjusted, NaN where there was no test.

    `better[i, j]` says that i did better than j where both were tested; `low` and `high` are the rank interval of each
    model, or `interval` says why there is none. `sites` and `cases` are what the tests rest on.
    """

    metric: MetricInfo
    models: tuple[Ref, ...]
    kind: Tested
    p: Floats
    better: Bools
    alpha: float
    sites: tuple[str, ...]
    cases: int | None
    tests: int
    low: Ints
    high: Ints
    interval: str
    aside: tuple[rk.LeftOut, ...]

    def beats(self) -> Bools:
        """Say who is significantly better than whom, (model, model)."""
        with np.errstate(invalid="ignore"):
            return np.asarray((self.p <= self.alpha) & self.better)

    def beaten_by(self, leader: Ref, model: Ref) -> bool | None:
        """Tell whether one model is significantly better than another; None where they were not tested."""
        if leader not in self.models or model not in self.models:
            return None
        i, j = self.models.index(leader), self.models.index(model)
        return None if np.isnan(self.p[i, j]) else bool(self.p[i, j] <= self.alpha and self.better[i, j])


def pairwise(basis: Basis, k: int, ranking: rk.Ranking, *, alpha: float) -> Pairwise | Undefined:
    """Test every pair of ranked models by the ranking metric numbered `k`."""
    models = tuple(ref for ref in basis.models if ref_in(ref, ranking))
    if len(models) < 2:
        return Undefined("fewer than two models are ranked, so there is nothing to compare")
    if len(models) > MOST_MODELS:
        return Undefined(f"{len(models)} models are too many to test every pair; up to {MOST_MODELS} are")
    shared = basis.shared[k]
    sites = tuple(
        name
        for name in basis.grid.sites
        if not _kept_back(basis)
        and (block := shared.blocks.get(basis.site_refs[name])) is not None
        and sum(ref in models for ref in block.models) > 1
    )
    if len(sites) == 1 and len(ranking.counted.grid.sites) == 1:
        return Undefined("one site: what holds among its cases may hold nowhere else, so nothing is tested")
    if len(sites) > 1:
        return _by_cases(basis, k, models, sites, alpha=alpha)
    return _by_sites(basis, k, models, alpha=alpha)


def _kept_back(basis: Basis) -> bool:
    """Tell whether the policy keeps numbers of cases back, so that nothing is tested by cases."""
    return basis.table.policy is not None and not basis.table.policy.exact_n


def ref_in(ref: Ref, ranking: rk.Ranking) -> bool:
    """Tell whether a ranking counts a model."""
    return str(ref) in ranking.counted.grid.models


def _by_cases(
    basis: Basis, k: int, models: tuple[Ref, ...], sites: tuple[str, ...], *, alpha: float
) -> Pairwise | Undefined:
    w, n, variance = signed_ranks(basis, models, sites)[k]
    found = _tested(basis, k, models, (w, n, variance), sites=sites, alpha=alpha)
    cases = sum(basis.shared[k].blocks[basis.site_refs[name]].n for name in sites)
    return replace(found, kind=Tested.CASES, cases=cases, interval="")


def _by_sites(basis: Basis, k: int, models: tuple[Ref, ...], *, alpha: float) -> Pairwise | Undefined:
    values = basis.grid.values[k][[basis.models.index(ref) for ref in models]]
    columns = np.flatnonzero((~np.isnan(values)).sum(axis=0) > 1)
    compared = "a comparison of cases at one site only" if basis.shared[k].blocks else "no comparisons of cases"
    if _kept_back(basis):
        compared = "numbers of cases are published as ranges only"
    if len(columns) < 2:
        return Undefined("one site: a difference there may be found nowhere else, so nothing is tested")
    if len(columns) < FEWEST_SITES:
        few = f"{some(len(columns), 'site')}: fewer than {word(FEWEST_SITES)} sites’ values allow no test"
        return Undefined(f"{compared}, and {few}")
    sign = 1.0 if basis.grid.metrics[k].higher_is_better else -1.0
    first, second = pairs_of(len(models))
    rounded = np.round(sign * values[:, columns], rk.DECIMALS)
    differences = np.round(rounded[first] - rounded[second], rk.DECIMALS)
    differences[(~np.isnan(differences)).sum(axis=1) < FEWEST_SITES] = np.nan
    sites = tuple(basis.grid.sites[s] for s in columns)
    found = _tested(basis, k, models, signed_ranks_of(differences), sites=sites, alpha=alpha)
    if not found.tests:
        few = f"no two models share {word(FEWEST_SITES)} sites and differ there; fewer allow no test"
        return Undefined(f"{compared}, and {few}")
    return found


def signed_ranks_of(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Give W⁺, the number of differences that are not zero and the variance of each row, (pair, 1); NaN is no site."""
    sizes = np.abs(differences)
    sizes[~(sizes > 0)] = np.nan
    ranks = average_ranks(sizes)
    w = np.where(differences > 0, ranks, 0.0).sum(axis=1, keepdims=True)
    n = (sizes > 0).sum(axis=1, keepdims=True).astype(np.float64)
    return w, n, np.nansum(ranks**2, axis=1, keepdims=True) / 4


def _tested(
    basis: Basis,
    k: int,
    models: tuple[Ref, ...],
    sums: tuple[Floats, Floats, Floats],
    *,
    sites: tuple[str, ...],
    alpha: float,
) -> Pairwise:
    p, better = pairwise_p_two_sided(*sums, len(models))
    ranks = rank_intervals(p, better, alpha)
    return Pairwise(
        metric=basis.table.metric(basis.table.ranking.metrics[k]),
        models=models,
        kind=Tested.SITES,
        p=p,
        better=better,
        alpha=alpha,
        sites=sites,
        cases=None,
        tests=int((~np.isnan(p)).sum()) // 2,
        low=ranks.low,
        high=ranks.high,
        interval="sites publish no comparisons of cases, and tests of sites’ values are too coarse for one",
        aside=basis.shared[k].aside,
    )
