"""Ranking rules: from site summaries to ranks.

Rules kept here: larger is better after orientation; scores are rounded to 12 decimals before ranking, so
float noise never breaks a tie; ties get the smallest rank (1, 2, 2, 4); what has no value is never ranked.
A rule is named and versioned: the same pair (name, version) computes the same numbers for ever.

With one ranking metric the score is that metric's mean. With several, the models are ranked in each metric,
the ranks are averaged, and the averages are ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.statistics.exact import exact_sums
from medperf_git.leaderboard.statistics.ranks import DECIMALS as DECIMALS  # noqa: PLC0414 — its users import it from here
from medperf_git.leaderboard.statistics.ranks import Floats as Floats  # noqa: PLC0414 — its users import it from here
from medperf_git.leaderboard.statistics.ranks import smallest_ranks as smallest_ranks  # noqa: PLC0414 — its users import it from here
from medperf_git.leaderboard.statistics.ranks import without_noise

Weights = Literal["equal", "cases", "sqrt-cases", "capped-cases"]
MOST_NAMES = 8  # of the models or sites that a reason lists


@dataclass(frozen=True, slots=True)
class Metric:
    """One ranking metric: its direction and the value that stands for "worst" where a rule asks for it."""

    id: str
    higher_is_better: bool
    worst: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Site summaries; `values` and `cases` are (metric, model, site), NaN where there is nothing.

    `cap` is how many cases a site counts for at most, where the registered weights are capped cases.
    """

    models: tuple[str, ...]
    sites: tuple[str, ...]
    metrics: tuple[Metric, ...]
    values: Floats
    cases: Floats
    cap: float | None = None

    def keep(self, models: Sequence[int], sites: Sequence[int]) -> Grid:
        """Take some models and some sites, in the order given."""
        window = np.ix_(range(len(self.metrics)), list(models), list(sites))
        names = tuple(self.models[i] for i in models), tuple(self.sites[i] for i in sites)
        return Grid(*names, self.metrics, self.values[window], self.cases[window], self.cap)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named, versioned way to rank; `weights` is set where the rule itself fixes how sites weigh."""

    name: str
    version: int
    title: str
    sentence: str
    weights: Weights | None

    def weights_for(self, registered: Weights) -> Weights:
        """Say how sites weigh under this rule, given what the benchmark registered."""
        return self.weights or registered


RULES: Mapping[tuple[str, int], Rule] = {
    (rule.name, rule.version): rule
    for rule in (
        Rule(
            name="mean-of-sites",
            version=1,
            title="Mean of sites",
            sentence="a model’s score is the mean over sites of its value at each site.",
            weights=None,
        ),
        Rule(
            name="mean-then-rank",
            version=1,
            title="Mean over cases",
            sentence="a model’s score is the mean over all cases: each site weighs as many cases as it evaluated.",
            weights="cases",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model or site that takes no part in a ranking, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The complete grid a ranking is computed from, after the missing rule."""

    grid: Grid
    models_out: tuple[LeftOut, ...]
    sites_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks and scores of the counted models, in the grid's order; `scores` is (metric, model), as measured."""

    rule: Rule
    weights: Weights
    counted: Counted
    scores: Floats
    merit: Floats
    ranks: tuple[int, ...]

    def rank_of(self, model: str) -> int | None:
        """Give a model's rank, None where it is not ranked."""
        models = self.counted.grid.models
        return self.ranks[models.index(model)] if model in models else None


def rule_named(name: str, version: int) -> Rule:
    """Find a rule; raises UsageProblem for one this client does not know."""
    try:
        return RULES[name, version]
    except KeyError:
        known = ", ".join(f"{rule.name} {rule.version}" for rule in RULES.values())
        raise UsageProblem(
            f"ranking rule {name} version {version} is not known here",
            hint=f"known are {known}; a newer medperf-git may know more",
        ) from None


def merit_of(scores: Floats, metrics: Sequence[Metric]) -> Floats:
    """Fold (…, metric, model) scores into one merit (…, model), larger is better."""
    signs = np.array([1.0 if metric.higher_is_better else -1.0 for metric in metrics])
    oriented = without_noise(scores * signs[:, None])
    if len(metrics) == 1:
        return np.asarray(oriented[..., 0, :])
    return np.asarray(np.round(-smallest_ranks(oriented).mean(axis=-2), DECIMALS))


def site_weights(grid: Grid, weights: Weights) -> Floats:
    """Give each (metric, model, site) cell its weight: 1, n, sqrt(n) or min(n, cap), NaN where n is not known.

    Raises UsageProblem for capped cases without a cap.
    """
    match weights:
        case "equal":
            return np.ones(grid.values.shape)
        case "cases":
            return grid.cases
        case "sqrt-cases":
            return np.sqrt(grid.cases)
        case "capped-cases":
            if grid.cap is None:
                raise UsageProblem(
                    "sites weigh by their cases up to a cap, and no cap is given",
                    hint="a new benchmark version says it: `cap` beside `weights: capped-cases`",
                )
            return np.minimum(grid.cases, grid.cap)


def site_means(grid: Grid, weights: Weights) -> Floats:
    """Average over sites, (metric, model); sums are exact, so the order of sites cannot matter."""
    weight = site_weights(grid, weights)
    once = np.ones((1, len(grid.sites)), dtype=np.int64)
    return np.asarray(weighted_means(grid.values, weight, once)[0])


def weighted_means(values: Floats, weights: Floats, counts: NDArray[np.integer]) -> Floats:
    """Average (…, site) values over sites that are taken `counts` (row, site) times: (row, …); NaN without weight.

    Σ c·w·x / Σ c·w; a cell whose value or weight is NaN makes its mean NaN.
    """
    unknown = np.isnan(values) | np.isnan(weights)
    weight = np.moveaxis(np.where(unknown, 0.0, weights), -1, 0)
    top = exact_sums(counts, weight * np.moveaxis(np.where(unknown, 0.0, values), -1, 0))
    bottom = _weight_sums(counts, weight)
    means = np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
    if unknown.any():
        means[exact_sums(counts, np.moveaxis(unknown, -1, 0).astype(np.float64)) > 0] = np.nan
    return means


def _weight_sums(counts: NDArray[np.integer], weight: Floats) -> Floats:
    """Add up weights (site, …) in every row; once for all models where they weigh the same, as they mostly do."""
    if not weight.size:
        return exact_sums(counts, weight)
    flat = weight.reshape(len(weight), -1)
    if flat.shape[1] and (flat == flat[:, :1]).all():
        return np.broadcast_to(
            exact_sums(counts, flat[:, 0]).reshape(-1, *[1] * (weight.ndim - 1)), (len(counts), *weight.shape[1:])
        )
    return exact_sums(counts, weight)


def apply_missing_rule(grid: Grid, missing: str) -> Counted:
    """Make the grid complete by the declared rule: exclude-site, exclude-model or worst."""
    has = ~np.isnan(grid.values)
    some_model, some_site = has.any(axis=(0, 2)), has.any(axis=(0, 1))
    models_out = [LeftOut(grid.models[i], "no value at any site") for i in np.flatnonzero(~some_model)]
    sites_out = [LeftOut(grid.sites[i], "no value of any model") for i in np.flatnonzero(~some_site)]
    grid = grid.keep(np.flatnonzero(some_model).tolist(), np.flatnonzero(some_site).tolist())
    gaps = np.asarray(np.isnan(grid.values).any(axis=0))
    models, sites = range(len(grid.models)), range(len(grid.sites))
    match missing:
        case "exclude-site":
            sites_out += [LeftOut(grid.sites[s], _without(grid.models, gaps[:, s])) for s in sites if gaps[:, s].any()]
            grid = grid.keep(models, [s for s in sites if not gaps[:, s].any()])
        case "exclude-model":
            models_out += [LeftOut(grid.models[m], _without(grid.sites, gaps[m])) for m in models if gaps[m].any()]
            grid = grid.keep([m for m in models if not gaps[m].any()], sites)
        case "worst":
            grid = _filled_with_worst(grid)
        case _:
            raise UsageProblem(f"missing rule {missing} is not known here", hint="a newer medperf-git may know it")
    return Counted(grid, tuple(models_out), tuple(sites_out))


def _without(names: Sequence[str], gap: NDArray[np.bool_]) -> str:
    lacking = [name for name, lacks in zip(names, gap, strict=True) if lacks]
    more = f" and {len(lacking) - MOST_NAMES} more" if len(lacking) > MOST_NAMES else ""
    return "no value: " + ", ".join(lacking[:MOST_NAMES]) + more


def _filled_with_worst(grid: Grid) -> Grid:
    """Put the declared worst value where one is missing (else the worst one seen), with the site's largest n."""
    values, cases = grid.values.copy(), grid.cases.copy()
    for m, metric in enumerate(grid.metrics):
        gaps = np.isnan(values[m])
        if not gaps.any() or gaps.all():
            continue
        seen = np.nanmin(values[m]) if metric.higher_is_better else np.nanmax(values[m])
        values[m][gaps] = seen if metric.worst is None else metric.worst
    gaps = np.isnan(grid.values)
    largest = np.where(np.isnan(grid.cases), -np.inf, grid.cases).max(axis=(0, 1), initial=-np.inf)
    filled = np.broadcast_to(np.where(np.isfinite(largest), largest, np.nan), cases.shape)
    cases[gaps] = filled[gaps]
    return Grid(grid.models, grid.sites, grid.metrics, values, cases, grid.cap)


def rank(counted: Counted, rule: Rule, *, weights: Weights) -> Ranking:
    """Rank the counted models under a rule."""
    used = rule.weights_for(weights)
    grid = counted.grid
    scores = site_means(grid, used)
    merit = merit_of(scores, grid.metrics) if grid.sites and grid.models else np.empty(0)
    return Ranking(rule, used, counted, scores, merit, tuple(int(r) for r in smallest_ranks(merit)))
