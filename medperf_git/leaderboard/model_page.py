"""The page of a model: what it is, where it stands in each benchmark, and what it reached at every site."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from markupsafe import Markup

from medperf_git.leaderboard import forest, urls
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Score
from medperf_git.leaderboard.card_words import (
    described,
    image_facts,
    notice_rows,
    owner_step,
    pairs,
    signers,
    versions_of,
)
from medperf_git.leaderboard.catalogue import Catalogue, ModelCard, Stand
from medperf_git.leaderboard.cell_row import result_link, state_of, subject_head
from medperf_git.leaderboard.effects import Effects
from medperf_git.leaderboard.forest import Forest, Pool, Spot
from medperf_git.leaderboard.forest_svg import svg_of
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.standing_words import (
    first_place_words,
    interval_kind,
    interval_of_ranks,
    interval_words,
    level_words,
    rank_spread,
    rank_words,
)
from medperf_git.leaderboard.statistics.meta import MetaResult
from medperf_git.leaderboard.tables import MetricInfo, Subject
from medperf_git.leaderboard.text import NOTHING, fixed, percent, some, whole
from medperf_git.leaderboard.words import Context

MOST_ROWS = 60  # sites in one table; the data files hold them all
MOST_STANDS = 8  # benchmarks told whole, some 100 kB each at most; further ones have a line
MOST_PLOTS = 6  # metrics of one benchmark


def model_pages(catalogue: Catalogue) -> Iterator[Page]:
    """Give a page for every model."""
    for ref, card in catalogue.models.items():
        yield Page(urls.model_url(ref), "model.html", partial(model_context, card, catalogue))


def model_context(card: ModelCard, catalogue: Catalogue) -> Context:
    """Say one model."""
    owner = catalogue.members.get(card.ref.member)
    first = [stand for stand in card.stands if stand.standing.rank == 1]
    return {
        "trail": [owner_step(card.ref.member, owner), {"url": "", "text": card.title}],
        "ref": card.ref,
        "title": card.title,
        "owner": {"title": owner.title, "url": urls.member_url(owner.name)} if owner else None,
        "sentence": _sentence(card, len(first)),
        "about": described(card.record.description if card.record else None),
        "facts": image_facts(card.record, card.source),
        "parameters": (card.record.parameters or "") if card.record else "",
        "unreadable": card.record is None,
        "signers": signers(card.source),
        "notices": notice_rows(card.notices),
        "versions": versions_of(card.versions, card.ref, urls.model_url),
        "stands": [_stand(card, stand, place) for place, stand in enumerate(card.stands[:MOST_STANDS], start=1)],
        "further": [
            {"title": stand.table.title, "url": stand.table.url, "ref": stand.table.ref, "text": _ranked(stand)}
            for stand in card.stands[MOST_STANDS:]
        ],
    }


def _sentence(card: ModelCard, first: int) -> str:
    if not card.stands:
        return "It takes part in no benchmark yet."
    ranked = sum(stand.standing.rank is not None for stand in card.stands)
    told = f"In {some(len(card.stands), 'benchmark')}"
    if not ranked:
        return f"{told}, without a rank so far."
    if len(card.stands) == 1:
        stand = card.stands[0]
        return f"{rank_words(stand.analysis, stand.standing).capitalize()} in {stand.table.title}."
    return f"{told}: ranked in {whole(ranked)}, first in {whole(first) if first else 'none'}."


def _ranked(stand: Stand) -> str:
    return rank_words(stand.analysis, stand.standing)


def _stand(card: ModelCard, stand: Stand, place: int) -> Context:
    table, standing, metrics = stand.table, stand.standing, stand.analysis.metrics
    root = "../" * urls.model_url(card.ref).count("/")
    drawn = [
        _forest(card, stand, score, f"forest-{place}-{k}")
        for k, score in enumerate(standing.scores[:MOST_PLOTS], start=1)
    ]
    return {
        "anchor": f"b-{table.ref.folder}",
        "title": table.title,
        "url": table.url,
        "ref": table.ref,
        "rank": rank_words(stand.analysis, standing),
        "why": standing.unranked,
        "marks": [*standing.model.marks, *(["reference model"] if card.ref == table.reference_model else [])],
        "facts": _facts(stand),
        "forests": [{"title": one.title, "note": one.note, "svg": svg_of(one)} for one in drawn if one is not None],
        "reading": _how_to_read([one for one in drawn if one is not None]),
        "metrics": [{"title": metric.title, "arrow": metric.arrow} for metric in metrics],
        "rows": Markup("\n").join(_row(stand, site, root) for site in table.sites[:MOST_ROWS]),
        "note": f"The first {MOST_ROWS} of {some(len(table.sites), 'site')}, by name; the data file holds them all."
        if len(table.sites) > MOST_ROWS
        else "",
        "csv": table.url.replace("index.html", "results.csv"),
        "badge": urls.model_badge_url(card.ref, table.ref),
    }


def _how_to_read(plots: Sequence[Forest]) -> str:
    """Explain what is drawn, and nothing that is not."""
    spreads = any(line.span for plot in plots for line in plot.lines)
    pooled = any(foot.span for plot in plots for foot in plot.feet)
    whisker = "; the line through it is the 95\N{NO-BREAK SPACE}% interval of the site’s mean" if spreads else ""
    reach = " Below it random effects: the dashed line is where the next site is expected, with 95\N{NO-BREAK SPACE}%."
    sized = any(line.n not in ("", NOTHING) for plot in plots for line in plot.lines)
    area = ", its area the number of cases" if sized else ""
    told = f"A square is a site{area}{whisker}. The diamond spans the sites, not the cases."
    return told + (reach if pooled else "")


def _forest(card: ModelCard, stand: Stand, score: Score, name: str) -> Forest | None:
    table, metric = stand.table, score.metric
    places, note = forest.picked(stand.grid.values[metric.id][stand.row], higher=metric.higher_is_better)
    sites = [table.sites[place] for place in places]
    spots = [forest.spot_of(metric, site, table.cells[card.ref, site.ref]) for site in sites]
    return forest.draw(name, card.title, score, spots, pool=_pool(stand, metric), note=note)


def _fit(stand: Stand, metric: MetricInfo) -> MetaResult | None:
    """Find the random effects of a metric; None where they cannot be computed or rest on one site."""
    at = stand.table.ranking.metrics.index(metric.id)
    found = stand.analysis.effects[at] if at < len(stand.analysis.effects) else None
    return found.fit if isinstance(found, Effects) and found.fit.k[stand.row] > 1 else None


def _pool(stand: Stand, metric: MetricInfo) -> Pool | None:
    fit, row = _fit(stand, metric), stand.row
    if fit is None:
        return None
    ends = fit.estimate, fit.low, fit.high, fit.prediction_low, fit.prediction_high
    return Pool(*(float(np.round(end[row], 12)) for end in ends))


def _heterogeneity(stand: Stand, metric: MetricInfo) -> str:
    """Say how much the sites of a model differ beyond chance; nothing where that cannot be computed."""
    fit, row = _fit(stand, metric), stand.row
    if fit is None or np.isnan(fit.i2[row]):
        return ""
    reach = ""
    if not np.isnan(fit.prediction_low[row]):
        low, high = (fixed(float(end[row]), metric.decimals) for end in (fit.prediction_low, fit.prediction_high))
        reach = f"; another site is expected from {low} to {high}"
    return f"I² {fixed(float(fit.i2[row]), 0)}\N{NO-BREAK SPACE}%{reach}"


def _facts(stand: Stand) -> list[Context]:
    standing, table = stand.standing, stand.table
    rows = [
        ("Beside first place", first_place_words(stand.analysis, standing)),
        (f"{level_words(stand.analysis)} rank interval", interval_of_ranks(standing)),
        ("Rank without one site", rank_spread(standing)),
    ]
    rows += [(f"{score.metric.title} {score.metric.arrow}", _scored(score)) for score in standing.scores]
    rows += [(f"Sites differ, {metric.title}", _heterogeneity(stand, metric)) for metric in stand.analysis.metrics]
    covered = "" if standing.coverage is None else f", {percent(standing.coverage)} of the cases"
    rows.append(("Coverage", f"{standing.sites} of {some(len(table.sites), 'site')}{covered}"))
    return pairs([(name, text, False) for name, text in rows])


def _scored(score: Score) -> str:
    """Say a score and its interval; where they rest on different sites, that too."""
    if score.value is None and isinstance(score.interval, un.Undefined):
        return score.interval.reason
    value = fixed(score.value, score.metric.decimals)
    if score.own_sites_differ and isinstance(score.interval, un.Interval):
        mean = fixed(score.interval.mean, score.metric.decimals)
        return f"{value} over the sites that count for every model; over all of its own {mean}, {_interval(score)}"
    return f"{value}, {_interval(score)}"


def _interval(score: Score) -> str:
    if isinstance(score.interval, un.Undefined) or score.interval.sites == 1:
        return interval_kind(score)
    return f"{interval_kind(score)} {interval_words(score)}"


def _row(stand: Stand, site: Subject, root: str) -> Markup:
    cell = stand.table.cells[stand.standing.model.ref, site.ref]
    spots = [(metric, forest.spot_of(metric, site, cell)) for metric in stand.analysis.metrics]
    number = spots[0][1].n
    values = "".join(f'<td class="num">{_value(spot, metric)}</td>' for metric, spot in spots)
    return Markup(  # noqa: S704 - escaped piece by piece
        f"<tr>{subject_head(site.title, site.ref, urls.site_url(site.ref), root)}{state_of(cell)}{values}"
        f'<td class="num">{NOTHING if number is None else number}</td>{result_link(cell, root)}</tr>'
    )


def _value(spot: Spot, metric: MetricInfo) -> str:
    if spot.value is None:
        return NOTHING
    text = fixed(spot.value, metric.decimals)
    if spot.low is None or spot.high is None:
        return text
    low, high = fixed(spot.low, metric.decimals), fixed(spot.high, metric.decimals)
    return f'{text}<span class="of under">{low} to {high}</span>'
