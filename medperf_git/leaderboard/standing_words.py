"""How a model stands in a benchmark, in the few words that pages, badges and the feed share."""

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing
from medperf_git.leaderboard.text import NOTHING, fixed, span


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


def badge_words(analysis: Analysis, standing: Standing) -> str:
    """Say rank and its spread in one breath."""
    spread = rank_spread(standing)
    return rank_words(analysis, standing) + (f", {spread} without a site" if spread else "")


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
    few = score.interval.sites < un.FEWEST_SITES
    return "range over its sites" if few else "95\N{NO-BREAK SPACE}% interval over its sites"


def first_place_words(analysis: Analysis, standing: Standing) -> str:
    """Say how a model stands to first place; nothing where that cannot be said."""
    if standing.rank is None or not isinstance(analysis.contest, un.Contest):
        return ""
    if standing.rank == 1:
        return "first place"
    if analysis.contest.tested:
        return "cannot be told from first place" if standing.beside_first else "behind first place"
    return "at least as good as first place at a site or more" if standing.beside_first else "behind first place everywhere"
