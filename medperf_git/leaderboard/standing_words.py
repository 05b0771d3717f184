"""How a model stands in a benchmark, in the few words that pages, badges and the feed share."""

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing
from medperf_git.leaderboard.text import NOTHING, fixed, percent, some, span


def ranked_count(analysis: Analysis) -> int:
    """Count the models that have a rank."""
    return len(analysis.ranking.ranks) if isinstance(analysis.ranking, rk.Ranking) else 0


def rank_words(analysis: Analysis, standing: Standing) -> str:
    """Say `rank 2 of 5`, or that there is no rank."""
    return "not ranked" if standing.rank is None else f"rank {standing.rank} of {ranked_count(analysis)}"


def rank_spread(standing: Standing) -> str:
    """Say between which ranks a model moves when one site is left out; nothing where no site can be."""
    if standing.rank is None or standing.rank_range is None:
        return ""
    lowest, highest = standing.rank_range
    return span(str(lowest), str(highest))


def level_words(analysis: Analysis) -> str:
    """Name the level of the rank intervals, such as `95 %`."""
    return f"{100 * (1 - analysis.settings.alpha):.10g}\N{NO-BREAK SPACE}%"


def interval_of_ranks(standing: Standing) -> str:
    """Say which ranks tests of cases leave open; nothing where there were none."""
    if standing.rank is None or isinstance(standing.rank_interval, un.Undefined):
        return ""
    lowest, highest = standing.rank_interval
    return span(str(lowest), str(highest))


def is_at_one_site(analysis: Analysis) -> bool:
    """Tell whether the ranking rests on a single site."""
    return isinstance(analysis.ranking, rk.Ranking) and len(analysis.ranking.counted.grid.sites) == 1


def first_doubt(analysis: Analysis) -> str:
    """Say in two words why one first place is not a sure one; nothing where it may be."""
    if is_at_one_site(analysis):
        return " at one site"
    rivals = any(standing.beside_first and standing.rank != 1 for standing in analysis.standings)
    return ", not clearly" if rivals else ""


def badge_words(analysis: Analysis, standing: Standing) -> str:
    """Say rank and its spread in one breath."""
    if tested := interval_of_ranks(standing):
        return f"{rank_words(analysis, standing)}, {level_words(analysis)} {tested}"
    spread = rank_spread(standing)
    if spread:
        return f"{rank_words(analysis, standing)}, {spread} without a site"
    alone = standing.rank is not None and is_at_one_site(analysis)
    return rank_words(analysis, standing) + (" at one site" if alone else "")


def interval_words(score: Score) -> str:
    """Say the interval or range of a score, an en dash where there is none."""
    if isinstance(score.interval, un.Undefined):
        return NOTHING
    decimals = score.metric.decimals
    return span(fixed(score.interval.low, decimals), fixed(score.interval.high, decimals))


def interval_kind(score: Score) -> str:
    """Name what the interval of a score is."""
    if isinstance(score.interval, un.Undefined):
        return score.interval.reason
    if score.interval.sites == 1:
        return "at one site"
    return "range over its sites" if score.interval.is_range else "95\N{NO-BREAK SPACE}% interval over its sites"


def first_place_words(analysis: Analysis, standing: Standing) -> str:
    """Say how a model stands to first place; nothing where that cannot be said."""
    contest = analysis.contest
    if standing.rank is None or not isinstance(contest, un.Contest):
        return ""
    if standing.rank == 1 and standing.first_share is not None:
        return f"comes first {_share(contest, standing.first_share)}"
    if standing.not_behind is None:
        return ""
    told = f"at least as good {_share(contest, standing.not_behind)}"
    if contest.tested:
        return f"{told}: {'cannot be told from first place' if standing.beside_first else 'behind it'}"
    return told if standing.beside_first else "behind it at every site"


def _share(contest: un.Contest, share: float) -> str:
    if contest.tested:
        return f"in {percent(share)} of resamples of the sites" if share else "in no resample of the sites"
    return f"at {round(share * contest.sites)} of {some(contest.sites, 'site')}"
