"""What a ranking means, in two plain sentences: who is first and how sure that is, and what the order rests on."""

from collections.abc import Sequence

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.effects import METHODS
from medperf_git.leaderboard.pairwise import Pairwise, Tested
from medperf_git.leaderboard.rules import Settings
from medperf_git.leaderboard.standing import Standing
from medperf_git.leaderboard.tables import BenchmarkTable, CellState
from medperf_git.leaderboard.text import listing, some, word

_WEIGHING = {
    "equal": "every site weighing the same",
    "cases": "each site weighing its cases",
    "sqrt-cases": "each site weighing the square root of its cases",
}


def headline(
    standings: Sequence[Standing],
    found: rk.Ranking | un.Undefined,
    contest: un.Contest | un.Undefined,
    pairs: Sequence[Pairwise | un.Undefined],
) -> str:
    """Answer "who is first, and is it sure?" in one sentence."""
    if isinstance(found, un.Undefined) or not found.ranks:
        return "There is no ranking yet."
    first = [standing.model.title for standing in standings if standing.rank == 1]
    ranked = [standing for standing in standings if standing.rank is not None]
    rivals = [standing.model.title for standing in ranked if standing.beside_first and standing.rank != 1]
    if len(ranked) == 1:
        return f"{first[0]} is the only model ranked so far."
    if len(first) > 1:
        return f"{listing(first)} share first place of {word(len(ranked))}."
    start = f"{first[0]} is first of {word(len(ranked))}"
    if _is_one_case(found):
        return f"{start}, on a single case: no claim beyond it can be made."
    if isinstance(contest, un.Contest):
        return f"{start}{_how_sure(contest, found, rivals, _confirmed(ranked, pairs))}"
    if len(found.counted.grid.sites) == 1:
        return f"{start}, at a single site: no claim beyond it can be made."
    return f"{start}{_by_tests(pairs, rivals)}"


def _is_one_case(found: rk.Ranking) -> bool:
    cases = found.counted.grid.cases
    return cases.shape[-1] == 1 and found.weights == "equal" and bool((cases == 1).all())


def _how_sure(contest: un.Contest, found: rk.Ranking, rivals: list[str], confirmed: str) -> str:
    if contest.sites == 1:
        return ", at a single site: no claim beyond it can be made."
    if contest.tested:
        if not rivals:
            return f", and no other model comes within its margin of error{confirmed}."
        return f", but {listing(rivals)} cannot be told from it."
    ranked = "ranked " if found.counted.sites_out else ""  # a site that is left out may say otherwise
    metrics = len(found.counted.grid.metrics)
    together = f", by the {word(metrics)} metrics of the ranking together" if metrics > 1 else ""  # one alone may
    if not rivals:
        comma = "," if together else ""
        return (
            f" and{together}{comma} best at every one of the {word(contest.sites)} {ranked}sites, too few for a test."
        )
    if len(rivals) == 1:
        share = next(contest.not_behind[i] for i, held in enumerate(contest.within) if held and i != contest.leader)
        where = f"{word(round(share * contest.sites))} of {word(contest.sites)} {ranked}sites"
        return f", but not everywhere: {rivals[0]} did at least as well at {where}{together}."
    return f", but not everywhere: {listing(rivals)} did at least as well at one {ranked}site or more{together}."


def _confirmed(ranked: Sequence[Standing], pairs: Sequence[Pairwise | un.Undefined]) -> str:
    """Say that tests of pairs do not bear out what resamples say of first place; nothing where they do, or are none."""
    first, others = ranked[0].model.ref, [standing.model.ref for standing in ranked[1:]]
    tested = [one for one in pairs if isinstance(one, Pairwise) and first in one.models]
    if not tested:
        return ""
    beaten = [{one.models[j] for j in np.flatnonzero(one.beats()[one.models.index(first)])} for one in tested]
    won = sum(any(other in found for found in beaten) for other in others)
    if won == len(others):
        return ""
    if len(others) == 1:
        return ", though a test of the pair does not confirm that"
    return f", though tests of pairs confirm that for {word(won) if won else 'none'} of the {word(len(others))} others"


def _by_tests(pairs: Sequence[Pairwise | un.Undefined], rivals: list[str]) -> str:
    tested = [one for one in pairs if isinstance(one, Pairwise)]
    if not tested:
        return ", and nothing here tests how sure that is."
    what = "cases" if tested[0].kind is Tested.CASES else "sites"
    if not rivals:
        by = " by one metric or more" if len(pairs) > 1 else ""
        return f", and significantly better than every other model on the same {what}{by}."
    return f", but {listing(rivals)} cannot be told from it by tests on the same {what}."


def explain(table: BenchmarkTable, found: rk.Ranking | un.Undefined, settings: Settings) -> str:
    """Say in plain words what a rank rests on, what was left out, and what the policy keeps back."""
    if isinstance(found, un.Undefined):
        return f"{found.reason[:1].upper()}{found.reason[1:]}."
    if not found.ranks:
        return "Nothing is ranked."
    text = f"{_what(table, found, settings)}."
    if left_out := len(found.counted.sites_out):
        text += f" {some(left_out, 'site')} left out of the ranking{_why_left_out(found)}."
    if table.policy and not table.policy.exact_n:
        text += " Numbers of cases are published as ranges only, so nothing here is weighed by them."
    failed = sum(cell.state is CellState.FAILED for cell in table.iter_gaps())
    return text + (f" {some(failed, 'run')} failed, shown below." if failed else "")


def _why_left_out(found: rk.Ranking) -> str:
    reasons = [out.reason for out in found.counted.sites_out]
    if all(reason.startswith("no value") for reason in reasons):
        return " because a model has no value there"
    if all(reason.startswith(("not compared", "it has published no comparison")) for reason in reasons):
        return " because not every model was compared there"
    return ", each named below with the reason"


def _what(table: BenchmarkTable, found: rk.Ranking, settings: Settings) -> str:
    grid = found.counted.grid
    names = listing([table.metric(name).title for name in table.ranking.metrics])
    sites = some(len(grid.sites), "site")
    match found.rule.name:
        case "rank-then-mean":
            return f"Ranked by {names}, case by case: a model’s rank is its mean rank over {_cases(found)} at {sites}"
        case "fets-2022":
            how = "every site weighing the same; a site where a model failed is left out"
            return f"Ranked by {names} within each of {sites}, and by the mean of those ranks, {how}"
        case "brats":
            return f"Ranked by the mean of a model’s ranks in {names} within each of {_cases(found)} at {sites}"
        case "test-then-rank":
            adjusted = "adjusted by Holm" if settings.adjust == "holm" else "not adjusted for their number"
            tests = f"one-sided tests at level {settings.alpha:g}, {adjusted}"
            return f"Ranked by how many other models a model beats significantly in {names} at {sites} ({tests})"
        case "meta":
            method = f"random effects, {METHODS[settings.method]}"
            return f"Ranked by {names} as expected over all sites such as these {sites} ({method})"
        case _:
            return f"Ranked by {names}, averaged over {sites}, {weighing(found, settings)}"


def weighing(found: rk.Ranking, settings: Settings) -> str:
    """Say how sites weigh in a mean over sites."""
    if found.weights == "capped-cases" and settings.cap is not None:
        return f"each site weighing its cases, {some(settings.cap, 'case')} at most"
    return _WEIGHING[found.weights]


def _cases(found: rk.Ranking) -> str:
    """Count the cases behind a ranking within cases, by the first metric."""
    known = np.where(np.isnan(found.counted.grid.cases[0]), -1, found.counted.grid.cases[0])
    sizes = known.max(axis=0, initial=-1)
    return "the cases" if (sizes < 0).any() else some(int(sizes.sum()), "case")
