"""What the cells of one benchmark say: who stands where, how firmly, and how one sentence tells it.

Rules kept here: the registered rule leads and every other rule stands beside it; what cannot be computed is a
reason, never a number; a claim about first place names what it rests on.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.basis import Basis, basis_of
from medperf_git.leaderboard.by_rule import Computed, compute
from medperf_git.leaderboard.effects import effects_of
from medperf_git.leaderboard.intervals_of import intervals_of
from medperf_git.leaderboard.meaning import explain, headline
from medperf_git.leaderboard.pairwise import Pairwise, pairwise
from medperf_git.leaderboard.per_site import PerSite
from medperf_git.leaderboard.pooling import pooled_of
from medperf_git.leaderboard.resampling import contest_of
from medperf_git.leaderboard.rules import Settings, in_order, rule_named, settings_for
from medperf_git.leaderboard.standing import Analysis, Other, Reversal, Score, Standing
from medperf_git.leaderboard.statistics.agreement import kendall_taus
from medperf_git.leaderboard.tables import BenchmarkTable, Subject
from medperf_git.leaderboard.without import Orders, leave_one_out, one_site_each
from medperf_git.records.names import Ref

__all__ = ["Analysis", "Other", "Reversal", "Score", "Standing", "analyse", "grid_of", "rank_table"]
EQUAL = "mean-of-sites"


@dataclass(frozen=True, slots=True)
class _Found:
    """What the rows of a ranking are made from."""

    basis: Basis
    computed: Computed | un.Undefined
    contest: un.Contest | un.Undefined
    others: tuple[Other, ...]
    without: Orders | un.Undefined
    alone: Orders | un.Undefined
    pairs: tuple[Pairwise | un.Undefined, ...]
    settings: Settings

    @property
    def ranking(self) -> rk.Ranking | un.Undefined:
        """The registered ranking."""
        return self.computed if isinstance(self.computed, un.Undefined) else self.computed.ranking


def analyse(table: BenchmarkTable) -> Analysis:
    """Rank a benchmark under its registered rule and every other one."""
    basis = basis_of(table, table.ranking.metrics)
    settings = _settings(table)
    rule: rk.Rule | None = None
    try:
        rule = rule_named(table.ranking.rule, table.ranking.version)
        computed = compute(basis, rule, settings)
    except UsageProblem as problem:
        return _unranked(basis, f"{problem.message}; {problem.hint}")
    count = range(len(table.ranking.metrics))
    contest: un.Contest | un.Undefined
    without: Orders | un.Undefined
    alone: Orders | un.Undefined
    pairs: tuple[Pairwise | un.Undefined, ...]
    if isinstance(computed, un.Undefined):
        contest, without, alone, pairs = computed, computed, computed, tuple(computed for _ in count)
    else:
        contest = contest_of(computed, seed=table.ranking.seed)
        without, alone = leave_one_out(computed), one_site_each(computed)
        pairs = tuple(pairwise(basis, k, computed.ranking, alpha=settings.alpha) for k in count)
    others = tuple(_others(basis, rule, settings, computed))
    found = _Found(basis, computed, contest, others, without, alone, pairs, settings)
    standings = _standings(found)
    return Analysis(
        table=table,
        rule=rule,
        ranking=found.ranking,
        contest=contest,
        others=others,
        standings=standings,
        without_taus=_taus(found.ranking, without),
        headline=headline(standings, found.ranking, contest, pairs),
        explanation=explain(table, found.ranking, settings),
        settings=settings,
        own_name=computed.own.name if isinstance(computed, Computed) and computed.own else "",
        without=without.reason if isinstance(without, un.Undefined) else "",
        alone=alone.reason if isinstance(alone, un.Undefined) else "",
        pairs=pairs,
        effects=tuple(effects_of(basis, k, method=settings.method) for k in count),
        pools=tuple(pooled_of(basis, k) for k in count),
        reversals=tuple(_reversals(basis, found.ranking)),
        shared=basis.shared,
    )


def rank_table(table: BenchmarkTable) -> rk.Ranking | un.Undefined:
    """Rank a benchmark under its registered rule only, as its page does."""
    try:
        rule = rule_named(table.ranking.rule, table.ranking.version)
        found = compute(basis_of(table, table.ranking.metrics), rule, _settings(table))
    except UsageProblem as problem:
        return un.Undefined(f"{problem.message}; {problem.hint}")
    return found if isinstance(found, un.Undefined) else found.ranking


def grid_of(table: BenchmarkTable, metrics: tuple[str, ...]) -> rk.Grid:
    """Lay the counted cells out as (metric, model, site) arrays."""
    return basis_of(table, metrics).grid


def _settings(table: BenchmarkTable) -> Settings:
    spec = table.ranking
    return Settings(spec.weights, spec.missing, spec.cap, spec.alpha, spec.adjust, spec.method)


def _others(basis: Basis, rule: rk.Rule, settings: Settings, computed: Computed | un.Undefined) -> list[Other]:
    """Rank under every other rule, and with equal weights where others are registered."""
    found = []
    for other in in_order():
        if other != rule or (rule.name == EQUAL and settings.weights != "equal"):
            own = settings_for(other, settings)
            again = compute(basis, other, own) if isinstance(computed, Computed) else computed
            found.append(_other(other, computed, again))
    return found


def _other(rule: rk.Rule, registered: Computed | un.Undefined, again: Computed | un.Undefined) -> Other:
    if isinstance(registered, un.Undefined):
        return Other(rule, registered, registered)
    if isinstance(again, un.Undefined):
        return Other(rule, again, again)
    mine, theirs = registered.ranking, again.ranking
    names = [name for name in mine.counted.grid.models if name in theirs.counted.grid.models]
    ranks = tuple(tuple(one.ranks[one.counted.grid.models.index(name)] for name in names) for one in (mine, theirs))
    return Other(rule, theirs, un.kendall_tau(*ranks))


def _taus(ranking: rk.Ranking | un.Undefined, without: Orders | un.Undefined) -> dict[str, float | un.Undefined]:
    if isinstance(ranking, un.Undefined) or isinstance(without, un.Undefined):
        return {}
    if len(ranking.ranks) < 2 or len(set(ranking.ranks)) == 1:
        return {site: un.kendall_tau(ranking.ranks, ranks) for site, ranks in without.items()}
    merits = -np.array(list(without.values()), dtype=np.float64).reshape(len(without), len(ranking.ranks))
    taus = np.round(kendall_taus(ranking.ranks, merits), rk.DECIMALS).tolist()
    tied = un.Undefined("all models are tied")
    return {site: tied if tau != tau else tau for site, tau in zip(without, taus, strict=True)}  # noqa: PLR0124 - NaN


def _reversals(basis: Basis, ranking: rk.Ranking | un.Undefined) -> list[Reversal]:
    """Find neighbours of the ranking whose order depends on whether sites weigh the same or by their cases."""
    if isinstance(ranking, un.Undefined) or (basis.table.policy and not basis.table.policy.exact_n):
        return []
    missing = basis.table.ranking.missing
    orders = [compute(basis, rule_named(EQUAL, 1), Settings(weights, missing)) for weights in ("equal", "cases")]
    if any(isinstance(one, un.Undefined) for one in orders):
        return []
    equal, by_cases = (one.ranking for one in orders if isinstance(one, Computed))
    # who ties with equal weights stands in the order by cases: then wherever two are turned round, two neighbours are
    names = sorted(
        equal.counted.grid.models, key=lambda name: (equal.rank_of(name) or 0, by_cases.rank_of(name) or 0, name)
    )
    found = []
    for first, second in itertools.pairwise(names):
        one, other = (by_cases.rank_of(name) or 0 for name in (first, second))
        if (equal.rank_of(first) or 0) < (equal.rank_of(second) or 0) and one > other:
            found.append(Reversal(Ref.parse(first), Ref.parse(second)))
    return found


def _standings(found: _Found) -> tuple[Standing, ...]:
    scores = _scores(found)
    rows = [_standing(found, row, model, scores[row]) for row, model in enumerate(found.basis.table.models)]
    rows.sort(key=lambda standing: (standing.rank is None, standing.rank or 0, standing.model.ref))
    return tuple(rows)


def _standing(found: _Found, row: int, model: Subject, scores: tuple[Score, ...]) -> Standing:
    table, ranking, name = found.basis.table, found.ranking, str(model.ref)
    ranked = isinstance(ranking, rk.Ranking) and name in ranking.counted.grid.models
    at = ranking.counted.grid.models.index(name) if isinstance(ranking, rk.Ranking) and ranked else None
    own = found.computed.own if isinstance(found.computed, Computed) else None
    judged = found.contest if isinstance(found.contest, un.Contest) and at is not None else None
    has = ~np.isnan(found.basis.grid.values[0, row])
    sizes = found.basis.grid.cases[0, row][has]
    cases = None if np.isnan(sizes).any() else int(sizes.sum())
    known = [site.cases for site in table.sites]
    offered = sum(n for n in known if n is not None) if all(n is not None for n in known) else 0
    return Standing(
        model=model,
        rank=ranking.ranks[at] if isinstance(ranking, rk.Ranking) and at is not None else None,
        unranked="" if ranked else why_unranked(ranking, name),
        scores=scores,
        others=tuple(
            one.ranking.rank_of(name) if isinstance(one.ranking, rk.Ranking) else None for one in found.others
        ),
        without=_at(found.without, at),
        alone=_at(found.alone, at),
        beside_first=_beside_first(found, model.ref, at),
        not_behind=judged.not_behind[at] if judged and at is not None else None,
        first_share=judged.first_share[at] if judged and at is not None else None,
        sites=int(has.sum()),
        cases=cases,
        coverage=cases / offered if cases is not None and offered else None,
        own=float(own.values[at]) if own is not None and at is not None else None,
    )


def _at(orders: Orders | un.Undefined, at: int | None) -> dict[str, int]:
    if isinstance(orders, un.Undefined) or at is None:
        return {}
    return {site: ranks[at] for site, ranks in orders.items()}


def _beside_first(found: _Found, model: Ref, at: int | None) -> bool:
    """Tell whether a model cannot be told from first place: by resamples of sites, else by tests of pairs."""
    if at is None or isinstance(found.computed, un.Undefined):
        return False
    if isinstance(found.contest, un.Contest):
        return found.contest.within[at]
    ranking = found.computed.ranking
    tested = [one for one in found.pairs if isinstance(one, Pairwise)]
    if ranking.ranks[at] == 1 or not tested:
        return ranking.ranks[at] == 1
    names = zip(ranking.counted.grid.models, ranking.ranks, strict=True)
    leaders = [Ref.parse(name) for name, place in names if place == 1]
    return not all(_behind(model, leader, tested) for leader in leaders)


def _behind(model: Ref, leader: Ref, tested: list[Pairwise]) -> bool:
    """Tell whether a model is significantly worse by some metric, and significantly better by none."""
    worse = any(one.beaten_by(leader, model) for one in tested)
    return worse and not any(one.beaten_by(model, leader) for one in tested)


def why_unranked(found: rk.Ranking | un.Undefined, name: str) -> str:
    """Say why a model has no rank."""
    if isinstance(found, un.Undefined):
        return found.reason
    return next((out.reason for out in found.counted.models_out if out.name == name), "not counted")


def _scores(found: _Found) -> list[tuple[Score, ...]]:
    """Give the scores of every model of the table, in its order."""
    table, ranking = found.basis.table, found.ranking
    weights = ranking.weights if isinstance(ranking, rk.Ranking) else "equal"
    rows: list[list[Score]] = [[] for _ in table.models]
    counted = ranking.counted.grid.models if isinstance(ranking, rk.Ranking) else ()
    places = {name: at for at, name in enumerate(counted)}
    sites = tuple(site.ref for site in table.sites)
    for k, name in enumerate(table.ranking.metrics):
        metric, values = table.metric(name), found.basis.grid.values[k]
        intervals = intervals_of(found.basis, k, weights, by=found.computed)
        for row, model in enumerate(table.models):
            at = places.get(str(model.ref))
            value = _known(ranking.scores[k, at]) if isinstance(ranking, rk.Ranking) and at is not None else None
            per_site = PerSite(sites, values[row])
            rows[row].append(Score(metric, value, intervals[row], per_site, _rank_interval(found.pairs[k], model.ref)))
    return [tuple(scores) for scores in rows]


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def _rank_interval(pairs: Pairwise | un.Undefined, model: Ref) -> tuple[int, int] | un.Undefined:
    if isinstance(pairs, un.Undefined):
        return pairs
    if pairs.interval:
        return un.Undefined(pairs.interval)
    if model not in pairs.models:
        return un.Undefined("not ranked")
    at = pairs.models.index(model)
    return int(pairs.low[at]), int(pairs.high[at])


def _unranked(basis: Basis, reason: str) -> Analysis:
    table, why = basis.table, un.Undefined(reason)
    nothing = tuple(why for _ in table.ranking.metrics)
    standings = _standings(_Found(basis, why, why, (), why, why, nothing, Settings()))
    return Analysis(
        table, None, why, why, (), standings, {}, "There is no ranking.", f"{reason}.", without=reason, alone=reason,
        pairs=nothing, effects=nothing, pools=nothing,
    )  # fmt: skip
