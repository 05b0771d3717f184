"""One benchmark under one rule: ranks and scores, or the reason why there are none.

Rules kept here: `Ranking.scores` are in the metric's own unit, as measured; what a rule itself counts (a mean rank, a
share of wins) is `Computed.own`. Ranks that are means over sites keep those means as `linear`, so that one code
resamples them; the others can be computed again over any choice of sites.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard.basis import Basis
from medperf_git.leaderboard.block import mean_ranks_among, pairs_of, signed_ranks_among
from medperf_git.leaderboard.rules import Settings, by_comparisons
from medperf_git.leaderboard.statistics.blocks import test_then_rank_from_blocks
from medperf_git.leaderboard.statistics.meta import random_effects
from medperf_git.leaderboard.statistics.ranks import Floats, smallest_ranks
from medperf_git.leaderboard.uncertainty import Undefined
from medperf_git.records.names import Ref
from medperf_git.records.ranking_rules import RULES as FACTS

Ranks = tuple[int, ...]
MOST_FITS = 20_000  # of Paule and Mandel's equation, a fifth of a millisecond each
NO_WEIGHT = "a model’s value varies over the cases of no site, so no site has a weight"
KEPT_BACK = "this rule needs the number of cases, which the policy publishes only as a range"


@dataclass(frozen=True, slots=True)
class Own:
    """What a rule itself counts, (model,), and what that is called."""

    name: str
    values: Floats
    low_is_good: bool


@dataclass(frozen=True, slots=True)
class Computed:
    """A ranking, with what is needed to doubt it; `again` ranks over some of its sites, `refits` what that costs."""

    ranking: rk.Ranking
    settings: Settings
    linear: rk.Ranking | None
    own: Own | None
    again: Callable[[Sequence[int]], Ranks]
    refits: int = 0


def compute(basis: Basis, rule: rk.Rule, settings: Settings) -> Computed | Undefined:
    """Rank a benchmark under a rule."""
    grid = basis.grid
    if not (~np.isnan(grid.values)).any():
        table = basis.table
        return Undefined("no model has a counted result yet" if not table.shown else "no model has a value to rank")
    needs_cases = FACTS[rule.name].cases or settings.weights != "equal"
    if needs_cases and basis.table.policy and not basis.table.policy.exact_n:
        return Undefined(KEPT_BACK)
    if by_comparisons(rule):
        return _by_comparisons(basis, rule, settings)
    counted = rk.apply_missing_rule(grid, settings.missing)
    if not counted.grid.models:
        return Undefined("no model has a value at every site")
    if not counted.grid.sites:
        return Undefined("no site has a value of every model")
    if needs_cases and np.isnan(counted.grid.cases).any():
        return Undefined("this rule needs the number of cases of every cell")
    return _random_effects(basis, counted, rule, settings) if rule.name == "meta" else _means(counted, rule, settings)


def _means(counted: rk.Counted, rule: rk.Rule, settings: Settings) -> Computed:
    found = rk.rank(counted, rule, weights=settings.weights)
    return Computed(found, settings, found, None, lambda sites: _over(found, sites))


def _over(linear: rk.Ranking, sites: Sequence[int]) -> Ranks:
    grid = linear.counted.grid
    rest = grid.keep(range(len(grid.models)), list(sites))
    return rk.rank(rk.Counted(rest, (), ()), linear.rule, weights=linear.weights).ranks


def _random_effects(basis: Basis, counted: rk.Counted, rule: rk.Rule, settings: Settings) -> Computed | Undefined:
    grid = counted.grid
    rows = [basis.grid.models.index(name) for name in grid.models]
    columns = [basis.grid.sites.index(name) for name in grid.sites]
    for metric in basis.table.ranking.metrics:
        if reason := no_means(basis, metric):
            return Undefined(reason)
    sds = basis.sds[np.ix_(range(len(grid.metrics)), rows, columns)]
    if np.isnan(sds).any():
        return Undefined("this rule needs the standard deviation over cases of every cell")
    variances = np.where(grid.cases > 1, sds**2 / grid.cases, np.nan)
    if not (variances > 0).all():
        rest = _where_cases_vary(counted, variances, settings)
        if not (rest.grid.models and rest.grid.sites):
            return Undefined(NO_WEIGHT if not rest.grid.models else "at no site do the values of every model vary")
        return _random_effects(basis, rest, rule, settings)
    method = "PM" if settings.method == "PM" else "DL"

    def merits(sites: Sequence[int]) -> tuple[Floats, Floats]:
        chosen = list(sites)
        fit = random_effects(grid.values[..., chosen], variances[..., chosen], "PM" if method == "PM" else "DL")
        return fit.estimate, rk.merit_of(fit.estimate, grid.metrics)

    scores, merit = merits(range(len(grid.sites)))
    if np.isnan(scores).any():
        return Undefined(NO_WEIGHT)
    ranks = tuple(int(one) for one in smallest_ranks(merit))
    found = rk.Ranking(rule, "equal", counted, scores, merit, ranks)
    return Computed(
        found,
        settings,
        None,
        None,
        lambda sites: tuple(int(one) for one in smallest_ranks(merits(sites)[1])),
        refits=scores.size if method == "PM" else 1,
    )


def _where_cases_vary(counted: rk.Counted, variances: Floats, settings: Settings) -> rk.Counted:
    """Apply the missing rule to cells without a variance, which have no weight.

    Else a model would be averaged over other sites than the rest: one that scores 0 on every case of a site would be
    the better for it.
    """
    grid = replace(counted.grid, values=np.where(variances > 0, counted.grid.values, np.nan))
    rest = rk.apply_missing_rule(grid, settings.missing)
    models, sites = (
        tuple(rk.LeftOut(out.name, out.reason.replace("no value", "cases do not vary")) for out in gone)
        for gone in (rest.models_out, rest.sites_out)
    )
    return rk.Counted(rest.grid, (*counted.models_out, *models), (*counted.sites_out, *sites))


def no_means(basis: Basis, metric: str) -> str:
    """Say why a metric has no mean and standard deviation over cases, empty where it has them."""
    info = basis.table.metric(metric)
    if info.reduction != "mean":
        return f"{info.title} is no mean over cases at a site, so its standard deviation says nothing of its precision"
    k = basis.table.ranking.metrics.index(metric)
    if np.isnan(basis.sds[k]).all():
        return f"{info.title} is published without its standard deviation over cases"
    return ""


def _by_comparisons(basis: Basis, rule: rk.Rule, settings: Settings) -> Computed | Undefined:
    """Rank by the comparisons of the sites where every counted model was compared, in every ranking metric."""
    usable = [site for site in basis.table.sites if all(site.ref in one.blocks for one in basis.shared)]
    aside = _aside(basis)
    if not usable:
        return Undefined(_why_none(basis, aside))
    present = _present(basis, usable=tuple(site.ref for site in usable))
    counted = rk.apply_missing_rule(present, settings.missing)
    out = {one.name: one for one in counted.models_out}
    models_out = tuple(
        rk.LeftOut(name, "not compared at any site" if "any site" in out[name].reason else _compared(out[name].reason))
        for name in out
    )
    if not counted.grid.models:
        return Undefined("no model was compared at every site")
    if not counted.grid.sites:
        return Undefined("no site has compared every model")
    sites_out = (*aside, *(rk.LeftOut(one.name, _compared(one.reason)) for one in counted.sites_out))
    kept = rk.Counted(counted.grid, models_out, sites_out)
    if rule.name == "test-then-rank":
        return _significant_wins(basis, kept, rule, settings)
    return _mean_ranks(basis, kept, rule, settings)


def _compared(reason: str) -> str:
    return reason.replace("no value: ", "not compared there: ")


def _aside(basis: Basis) -> tuple[rk.LeftOut, ...]:
    """Name the sites without a usable comparison in some metric, each once, with the first reason."""
    found: dict[str, rk.LeftOut] = {}
    for shared in basis.shared:
        for one in shared.aside:
            found.setdefault(one.name, one)
    return tuple(found[str(site.ref)] for site in basis.table.sites if str(site.ref) in found)


def _why_none(basis: Basis, aside: Sequence[rk.LeftOut]) -> str:
    """Say why no site has a comparison to rest on."""
    if not basis.table.comparisons:
        return "this rule needs comparisons of models on the same cases, and no site has published one"
    named = "; ".join(f"{one.name}: {one.reason}" for one in aside[:4])
    more = f"; and {len(aside) - 4} more" if len(aside) > 4 else ""
    return f"no site has a comparison that this rule may rest on ({named}{more})"


def _present(basis: Basis, *, usable: tuple[Ref, ...]) -> rk.Grid:
    """Return the values at the sites that have comparisons, NaN for a model that was not compared there."""
    grid = basis.grid
    columns = [grid.sites.index(str(site)) for site in usable]
    window = grid.keep(range(len(grid.models)), columns)
    values = window.values.copy()
    for k, shared in enumerate(basis.shared):
        for s, site in enumerate(usable):
            compared = set(shared.blocks[site].models)
            values[k, [ref not in compared for ref in basis.models], s] = np.nan
    return replace(window, values=values)


def _mean_ranks(basis: Basis, counted: rk.Counted, rule: rk.Rule, settings: Settings) -> Computed | Undefined:
    """Rank by mean ranks within cases: their mean over cases, over sites, or over metrics and cases."""
    models = tuple(ref for ref in basis.models if str(ref) in counted.grid.models)
    gathered: list[tuple[int, Floats, Floats]] = []
    out: list[rk.LeftOut] = []
    for s, name in enumerate(counted.grid.sites):
        blocks = [shared.blocks[basis.site_refs[name]] for shared in basis.shared]
        told = [one for block in blocks if (one := mean_ranks_among(block, models)) is not None]
        if len(told) < len(blocks):
            out.append(rk.LeftOut(name, "its models rest on different cases, so ranks among some of them are not told"))
        elif rule.name == "brats" and len({block.n for block in blocks}) > 1:
            out.append(rk.LeftOut(name, "its metrics rest on different cases, so ranks cannot be averaged within one"))
        else:
            gathered.append((s, np.stack(told), np.array([float(block.n) for block in blocks])))
    if not gathered:
        return Undefined(f"no site has a comparison that this rule may rest on ({out[0].name}: {out[0].reason})")
    grid = counted.grid.keep(range(len(models)), [s for s, _, _ in gathered])
    kept = rk.Counted(grid, counted.models_out, (*counted.sites_out, *out))
    ranks = np.stack([one for _, one, _ in gathered], axis=-1)  # (metric, model, site)
    sizes = np.stack([one for _, _, one in gathered], axis=-1)  # (metric, site)
    if rule.name == "fets-2022":
        ranks = smallest_ranks(-np.moveaxis(ranks, 1, 2)).swapaxes(1, 2).mean(axis=0, keepdims=True)
        sizes = sizes[:1]
    elif rule.name == "brats":
        ranks, sizes = ranks.mean(axis=0, keepdims=True), sizes[:1]
    cases = np.broadcast_to(sizes[:, None, :], ranks.shape).copy()
    columns = tuple(rk.Metric(f"rank-{k}", higher_is_better=False) for k in range(len(ranks)))
    linear = rk.rank(
        rk.Counted(rk.Grid(grid.models, grid.sites, columns, ranks, cases), (), ()),
        rule,
        weights=rule.weights or "equal",
    )
    found = rk.Ranking(rule, linear.weights, kept, _measured(grid, rule), linear.merit, linear.ranks)
    own = Own("mean rank", -linear.merit, low_is_good=True)
    return Computed(found, settings, linear, own, lambda sites: _over(linear, sites))


def _measured(grid: rk.Grid, rule: rk.Rule) -> Floats:
    """Give the mean over the counted sites of each metric, weighed as the rule weighs; (metric, model)."""
    return rk.site_means(grid, rule.weights or "equal")


def _significant_wins(basis: Basis, counted: rk.Counted, rule: rk.Rule, settings: Settings) -> Computed | Undefined:
    """Rank by the share of significant wins, from the signed ranks that sites publish."""
    models = tuple(ref for ref in basis.models if str(ref) in counted.grid.models)
    if len(models) < 2:
        return Undefined("there is no other model to be tested against")
    sums = signed_ranks(basis, models, counted.grid.sites)
    adjust = "none" if settings.adjust == "none" else "holm"

    def wins(sites: Sequence[int]) -> Floats:
        chosen = sums[..., list(sites)]
        shares = [
            test_then_rank_from_blocks(
                w, n, v, len(models), alpha=settings.alpha, adjust="none" if adjust == "none" else "holm"
            ).scores
            for w, n, v in chosen
        ]
        return np.stack(shares)

    def merit(sites: Sequence[int]) -> Floats:
        return rk.merit_of(wins(sites), tuple(rk.Metric(m.id, higher_is_better=True) for m in counted.grid.metrics))

    every = range(len(counted.grid.sites))
    ranks = tuple(int(one) for one in smallest_ranks(merit(every)))
    found = rk.Ranking(rule, "equal", counted, _measured(counted.grid, rule), merit(every), ranks)
    own = Own("share of models beaten", found.merit, low_is_good=False)
    if len(basis.shared) > 1:
        own = Own("mean rank over metrics", -found.merit, low_is_good=True)
    return Computed(
        found, settings, None, own, lambda sites: tuple(int(one) for one in smallest_ranks(merit(sites))), refits=1
    )


def signed_ranks(basis: Basis, models: Sequence[Ref], sites: Sequence[str]) -> Floats:
    """Gather what signed-rank tests need, (metric, 3, pair, site): W⁺, differences that are not zero, variance.

    NaN stands for a pair that was not compared at a site.
    """
    pairs = len(pairs_of(len(models))[0])
    found = np.full((len(basis.shared), 3, pairs, len(sites)), np.nan)
    for k, shared in enumerate(basis.shared):
        for s, name in enumerate(sites):
            if (block := shared.blocks.get(basis.site_refs[name])) is not None:
                found[k, :, :, s] = np.stack(signed_ranks_among(block, models))
    return found
