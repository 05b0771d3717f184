"""What the cells of one benchmark say: who stands where, how firmly, and how one sentence tells it.

Rules kept here: the registered rule leads and every other rule stands beside it; what cannot be computed is a
reason, never a number; a claim about first place names what it rests on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.tables import BenchmarkTable, CellState, MetricInfo, Subject
from medperf_git.leaderboard.text import listing, some, word
from medperf_git.records.names import Ref


@dataclass(frozen=True, slots=True)
class Score:
    """A model's score in one ranking metric, and its interval over every site the model has."""

    metric: MetricInfo
    value: float | None
    interval: un.Interval | un.Undefined
    per_site: Mapping[Ref, float]

    @property
    def own_sites_differ(self) -> bool:
        """Whether the interval rests on other sites than the score."""
        mean = self.interval.mean if isinstance(self.interval, un.Interval) else None
        return self.value is not None and mean is not None and round(mean - self.value, 9) != 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the ranking; `rank` is None with `unranked` saying why."""

    model: Subject
    rank: int | None
    unranked: str
    scores: tuple[Score, ...]
    others: tuple[int | None, ...]
    without: Mapping[str, int]
    alone: Mapping[str, int]
    beside_first: bool
    not_behind: float | None
    first_share: float | None
    sites: int
    cases: int | None
    coverage: float | None

    @property
    def rank_range(self) -> tuple[int, int] | None:
        """The lowest and the highest rank when one site is left out."""
        return (min(self.without.values()), max(self.without.values())) if self.without else None


@dataclass(frozen=True, slots=True)
class Other:
    """Another rule's ranking, or why there is none; `tau` compares it with the registered one."""

    rule: rk.Rule
    ranking: rk.Ranking | un.Undefined
    tau: float | un.Undefined


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything a page says about one benchmark; `ranking` is a reason where nothing can be ranked."""

    table: BenchmarkTable
    rule: rk.Rule | None
    ranking: rk.Ranking | un.Undefined
    contest: un.Contest | un.Undefined
    others: tuple[Other, ...]
    standings: tuple[Standing, ...]
    without_taus: Mapping[str, float | un.Undefined]
    headline: str
    explanation: str

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """The ranking metrics, the first of which leads the page."""
        return tuple(self.table.metric(name) for name in self.table.ranking.metrics)


def analyse(table: BenchmarkTable) -> Analysis:
    """Rank a benchmark under its registered rule and every other one."""
    try:
        rule, counted, weights = _registered(table)
    except UsageProblem as problem:
        return _unranked(table, f"{problem.message}; {problem.hint}")
    found = _rank(table, counted, rule, weights=weights)
    contest = un.contest(found, seed=table.ranking.seed) if isinstance(found, rk.Ranking) else found
    others = tuple(_other(table, counted, other, found) for other in rk.RULES.values() if other != rule)
    without = dict(un.leave_one_out(found)) if isinstance(found, rk.Ranking) else {}
    alone = dict(un.one_site_each(found)) if isinstance(found, rk.Ranking) else {}
    standings = [
        _standing(table, model, found, contest=contest, others=others, without=without, alone=alone, weights=weights)
        for model in table.models
    ]
    standings.sort(key=lambda standing: (standing.rank is None, standing.rank or 0, standing.model.ref))
    taus = {
        site: un.kendall_tau(found.ranks, again.ranks)
        for site, again in without.items()
        if isinstance(found, rk.Ranking)
    }
    headline, explanation = _headline(table, standings, found, contest)
    return Analysis(table, rule, found, contest, others, tuple(standings), taus, headline, explanation)


def rank_table(table: BenchmarkTable) -> rk.Ranking | un.Undefined:
    """Rank a benchmark under its registered rule only, as its page does."""
    try:
        rule, counted, weights = _registered(table)
    except UsageProblem as problem:
        return un.Undefined(f"{problem.message}; {problem.hint}")
    return _rank(table, counted, rule, weights=weights)


def _registered(table: BenchmarkTable) -> tuple[rk.Rule, rk.Counted, rk.Weights]:
    """Find the registered rule, what it counts and how sites weigh; UsageProblem for a rule that is not known here."""
    spec = table.ranking
    rule = rk.rule_named(spec.rule, spec.version)
    counted = rk.apply_missing_rule(grid_of(table, spec.metrics), spec.missing)
    return rule, counted, "cases" if spec.weights == "cases" else "equal"


def grid_of(table: BenchmarkTable, metrics: tuple[str, ...]) -> rk.Grid:
    """Lay the counted cells out as (metric, model, site) arrays."""
    values = np.stack([table.values(metric) for metric in metrics])
    cases = np.stack([table.cases_of(metric) for metric in metrics])
    columns = tuple(_column(table.metric(metric)) for metric in metrics)
    names = tuple(str(model.ref) for model in table.models), tuple(str(site.ref) for site in table.sites)
    return rk.Grid(*names, columns, values, cases)


def _column(metric: MetricInfo) -> rk.Metric:
    return rk.Metric(metric.id, metric.higher_is_better, metric.low if metric.higher_is_better else metric.high)


def _rank(
    table: BenchmarkTable, counted: rk.Counted, rule: rk.Rule, *, weights: rk.Weights
) -> rk.Ranking | un.Undefined:
    grid = counted.grid
    if not grid.models:
        return un.Undefined("no model has a counted result yet" if not table.shown else "no model has a value to rank")
    if not grid.sites:
        return un.Undefined("no site has a value of every model")
    if rule.weights_for(weights) == "cases":
        if table.policy and not table.policy.exact_n:
            return un.Undefined("this rule needs the number of cases, which the policy publishes only as a range")
        if np.isnan(grid.cases).any():
            return un.Undefined("this rule needs the number of cases of every cell")
    return rk.rank(counted, rule, weights=weights)


def _other(table: BenchmarkTable, counted: rk.Counted, rule: rk.Rule, found: rk.Ranking | un.Undefined) -> Other:
    if isinstance(found, un.Undefined):
        return Other(rule, found, found)
    again = _rank(table, counted, rule, weights="equal")
    tau = again if isinstance(again, un.Undefined) else un.kendall_tau(found.ranks, again.ranks)
    return Other(rule, again, tau)


def _standing(
    table: BenchmarkTable,
    model: Subject,
    found: rk.Ranking | un.Undefined,
    *,
    contest: un.Contest | un.Undefined,
    others: tuple[Other, ...],
    without: Mapping[str, rk.Ranking],
    alone: Mapping[str, rk.Ranking],
    weights: rk.Weights,
) -> Standing:
    name = str(model.ref)
    ranked = isinstance(found, rk.Ranking) and name in found.counted.grid.models
    at = found.counted.grid.models.index(name) if isinstance(found, rk.Ranking) and ranked else None
    judged = contest if isinstance(contest, un.Contest) and at is not None else None
    cells = [table.cells[model.ref, site.ref] for site in table.sites]
    first = [cell.measured(table.ranking.metrics[0]) for cell in cells if cell.counts]
    sizes = [measured.n for measured in first if measured is not None and measured.value is not None]
    cases = sum(n for n in sizes if n is not None) if all(n is not None for n in sizes) else None
    known = [site.cases for site in table.sites]
    offered = sum(n for n in known if n is not None) if all(n is not None for n in known) else 0
    return Standing(
        model=model,
        rank=found.ranks[at] if isinstance(found, rk.Ranking) and at is not None else None,
        unranked="" if ranked else why_unranked(found, name),
        scores=_scores(table, model, found, at=at, weights=weights),
        others=tuple(o.ranking.rank_of(name) if isinstance(o.ranking, rk.Ranking) else None for o in others),
        without={site: again.ranks[at] for site, again in without.items() if at is not None},
        alone={site: again.ranks[at] for site, again in alone.items() if at is not None},
        beside_first=bool(judged and at is not None and judged.within[at]),
        not_behind=judged.not_behind[at] if judged and at is not None else None,
        first_share=judged.first_share[at] if judged and at is not None else None,
        sites=len(sizes),
        cases=cases,
        coverage=cases / offered if cases is not None and offered else None,
    )


def why_unranked(found: rk.Ranking | un.Undefined, name: str) -> str:
    """Say why a model has no rank."""
    if isinstance(found, un.Undefined):
        return found.reason
    return next((out.reason for out in found.counted.models_out if out.name == name), "not counted")


def _scores(
    table: BenchmarkTable, model: Subject, found: rk.Ranking | un.Undefined, *, at: int | None, weights: rk.Weights
) -> tuple[Score, ...]:
    grid = grid_of(table, table.ranking.metrics)
    row = grid.models.index(str(model.ref))
    used = found.weights if isinstance(found, rk.Ranking) else weights
    scores = []
    for k, name in enumerate(table.ranking.metrics):
        value = float(found.scores[k, at]) if isinstance(found, rk.Ranking) and at is not None else None
        interval = un.own_interval(grid, used, metric=k, model=row, seed=table.ranking.seed)
        places = {
            site.ref: float(grid.values[k, row, s])
            for s, site in enumerate(table.sites)
            if not np.isnan(grid.values[k, row, s])
        }
        scores.append(Score(table.metric(name), value, interval, places))
    return tuple(scores)


def _unranked(table: BenchmarkTable, reason: str) -> Analysis:
    why = un.Undefined(reason)
    standings = tuple(
        _standing(table, model, why, contest=why, others=(), without={}, alone={}, weights="equal")
        for model in table.models
    )
    return Analysis(table, None, why, why, (), standings, {}, "There is no ranking.", f"{reason}.")


def _headline(
    table: BenchmarkTable,
    standings: list[Standing],
    found: rk.Ranking | un.Undefined,
    contest: un.Contest | un.Undefined,
) -> tuple[str, str]:
    """Answer "who is first, and is it sure?": one sentence, and one that says what it rests on."""
    if not isinstance(found, rk.Ranking) or not isinstance(contest, un.Contest):
        reason = found.reason if isinstance(found, un.Undefined) else "nothing is ranked"
        return "There is no ranking yet.", f"{reason[:1].upper()}{reason[1:]}."
    first = [standing.model.title for standing in standings if standing.rank == 1]
    ranked = [standing for standing in standings if standing.rank is not None]
    rivals = [standing.model.title for standing in ranked if standing.beside_first and standing.rank != 1]
    if len(ranked) == 1:
        return f"{first[0]} is the only model ranked so far.", _basis(table, found)
    if len(first) > 1:
        return f"{listing(first)} share first place of {word(len(ranked))}.", _basis(table, found)
    return f"{first[0]} is first of {word(len(ranked))}{_how_sure(contest, rivals)}", _basis(table, found)


def _how_sure(contest: un.Contest, rivals: list[str]) -> str:
    if contest.sites == 1:
        return ", at a single site: no claim beyond it can be made."
    if contest.tested:
        if not rivals:
            return ", and no other model comes within its margin of error."
        return f", but {listing(rivals)} cannot be told from it."
    if not rivals:
        return f" and best at every one of the {word(contest.sites)} sites, too few for a test."
    if len(rivals) == 1:
        share = next(contest.not_behind[i] for i, held in enumerate(contest.within) if held and i != contest.leader)
        where = f"{word(round(share * contest.sites))} of {word(contest.sites)} sites"
        return f", but not everywhere: {rivals[0]} did at least as well at {where}."
    return f", but not everywhere: {listing(rivals)} did at least as well at one site or more."


def _basis(table: BenchmarkTable, found: rk.Ranking) -> str:
    grid = found.counted.grid
    names = listing([table.metric(metric.id).title for metric in grid.metrics])
    weighing = "every site weighing the same" if found.weights == "equal" else "each site weighing its cases"
    text = f"Ranked by {names}, averaged over {some(len(grid.sites), 'site')}, {weighing}."
    left_out = [out.name for out in found.counted.sites_out]
    if left_out:
        text += f" {some(len(left_out), 'site')} left out of the ranking because a model has no value there."
    failed = sum(cell.state is CellState.FAILED for cell in table.cells.values())
    return text + (f" {some(failed, 'run')} failed, shown below." if failed else "")
