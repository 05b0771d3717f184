"""A benchmark's ranking as a small table, for the frame of another site: no script, one stylesheet, one link out."""

from collections.abc import Iterator
from functools import partial

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.analysis import Analysis, Standing
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.section_ranking import interval_name, ranked_by
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.standing_words import (
    interval_of_ranks,
    interval_words,
    level_words,
    rank_spread,
)
from medperf_git.leaderboard.text import NOTHING, fixed, some
from medperf_git.leaderboard.words import Context

CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
MOST_ROWS = 20


def embed_pages(site: SiteData) -> Iterator[Page]:
    """Give the small table of every benchmark."""
    for analysis in site.analyses:
        yield Page(urls.embed_url(analysis.table.ref), "embed.html", partial(embed_context, analysis))


def embed_context(analysis: Analysis) -> Context:
    """Say the small table."""
    ranked = [standing for standing in analysis.standings if standing.rank is not None]
    metric = analysis.metrics[0]
    tested = any(map(interval_of_ranks, ranked))
    return {
        "policy": CSP,
        "title": analysis.table.title,
        "marks": analysis.table.marks,
        "url": analysis.table.url,
        "headline": analysis.headline,
        "metric": f"{metric.title}\N{NO-BREAK SPACE}{metric.arrow}",
        "ranked": ranked_by(analysis),
        "interval": interval_name(analysis),
        "tint": _tint(analysis),
        "note": "the range or interval covers all sites of a model, the score only those that count for all"
        if any(standing.scores[0].own_sites_differ for standing in ranked)
        else "",
        "spread": f"{level_words(analysis)} ranks" if tested else "Without a site",
        "rows": [_row(standing, tested=tested) for standing in ranked[:MOST_ROWS]],
        "more": f"{some(len(ranked) - MOST_ROWS, 'more model')} on the page" if len(ranked) > MOST_ROWS else "",
    }


def _tint(analysis: Analysis) -> str:
    """Say what the tinted rows are, as the benchmark's page does."""
    if not any(standing.beside_first and standing.rank != 1 for standing in analysis.standings):
        return "first place"
    tested = analysis.beside in ("resamples", "tests")
    return "first place, and what " + ("cannot be told from it" if tested else "is not behind it everywhere")


def _row(standing: Standing, *, tested: bool) -> Context:
    score = standing.scores[0]
    spread = interval_of_ranks(standing) if tested else rank_spread(standing)
    return {
        "rank": str(standing.rank),
        "spread": spread or NOTHING,
        "title": standing.model.title,
        "marks": standing.model.marks,
        "score": fixed(score.value, score.metric.decimals),
        "interval": interval_words(score),
        "beside": standing.beside_first or standing.rank == 1,
    }
