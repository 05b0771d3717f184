"""The page of a model: what it is, where it stands in each benchmark, and what it reached at every site."""

from collections.abc import Iterator, Sequence
from functools import partial

from medperf_git.leaderboard import forest, urls
from medperf_git.leaderboard.catalogue import Catalogue, ModelCard, Stand
from medperf_git.leaderboard.card_words import described, image_facts, notice_rows, signers, versions_of
from medperf_git.leaderboard.forest import Spot
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.standing_words import (
    first_place_words,
    interval_kind,
    interval_words,
    rank_spread,
    rank_words,
)
from medperf_git.leaderboard.tables import MetricInfo
from medperf_git.leaderboard.text import NOTHING, fixed, percent, some, whole
from medperf_git.leaderboard.words import KINDS, Context

MOST_ROWS = 100  # sites in one table; the data files hold them all


def model_pages(catalogue: Catalogue) -> Iterator[Page]:
    """Give a page for every model."""
    for ref, card in catalogue.models.items():
        yield Page(urls.model_url(ref), "model.html", partial(model_context, card, catalogue))


def model_context(card: ModelCard, catalogue: Catalogue) -> Context:
    """Say one model."""
    owner = catalogue.members.get(card.ref.member)
    first = [stand for stand in card.stands if stand.standing.rank == 1]
    return {
        "trail": [
            {"url": urls.member_url(card.ref.member) if owner else "", "text": owner.title if owner else card.ref.member},
            {"url": "", "text": card.title},
        ],
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
        "stands": [_stand(card, stand, place) for place, stand in enumerate(card.stands, start=1)],
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
    return f"{told}: ranked in {whole(ranked)}, first in {whole(first)}."


def _stand(card: ModelCard, stand: Stand, place: int) -> Context:
    table, standing, metrics = stand.table, stand.standing, stand.analysis.metrics
    cells = [table.cells[card.ref, site.ref] for site in table.sites]
    spots = {metric.id: forest.spots_of(metric, table.sites, cells) for metric in metrics}
    drawn = [
        forest.draw(f"forest-{place}-{k}", card.title, score, spots[score.metric.id])
        for k, score in enumerate(standing.scores, start=1)
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
        "forests": [one for one in drawn if one is not None],
        "metrics": [{"title": metric.title, "arrow": metric.arrow} for metric in metrics],
        "rows": _rows(stand, spots, metrics),
        "note": f"The first {MOST_ROWS} of {some(len(table.sites), 'site')}, by name; the data file holds them all."
        if len(table.sites) > MOST_ROWS
        else "",
        "csv": table.url.replace("index.html", "results.csv"),
        "badge": urls.model_badge_url(card.ref, table.ref),
    }


def _facts(stand: Stand) -> list[Context]:
    standing, table = stand.standing, stand.table
    pairs = [("First place", first_place_words(stand.analysis, standing))]
    if spread := rank_spread(standing):
        pairs.append(("Rank without one site", spread))
    for score in standing.scores:
        value = fixed(score.value, score.metric.decimals)
        pairs.append((f"{score.metric.title} {score.metric.arrow}", f"{value}, {_interval(score)}"))
    covered = "" if standing.coverage is None else f", {percent(standing.coverage)} of the cases"
    pairs.append(("Coverage", f"{standing.sites} of {some(len(table.sites), 'site')}{covered}"))
    return [{"name": name, "text": text} for name, text in pairs if text]


def _interval(score: "forest.Score") -> str:
    text = interval_words(score)
    return interval_kind(score) if text == NOTHING else f"{interval_kind(score)} {text}"


def _rows(stand: Stand, spots: dict[str, tuple[Spot, ...]], metrics: Sequence[MetricInfo]) -> list[Context]:
    rows = []
    for at, site in enumerate(stand.table.sites[:MOST_ROWS]):
        cell = spots[metrics[0].id][at].cell
        why = "; ".join(filter(None, (cell.reason, *cell.marks)))
        rows.append(
            {
                "title": site.title,
                "ref": site.ref,
                "url": urls.site_url(site.ref),
                "state": str(cell.state),
                "kind": KINDS[cell.state],
                "why": why,
                "values": [_value(spots[metric.id][at], metric) for metric in metrics],
                "n": NOTHING if spots[metrics[0].id][at].n is None else str(spots[metrics[0].id][at].n),
                "result": {"url": cell.result.url, "id": cell.result.source.id} if cell.result else None,
            }
        )
    return rows


def _value(spot: Spot, metric: MetricInfo) -> Context:
    if spot.value is None:
        return {"text": NOTHING, "interval": ""}
    interval = ""
    if spot.low is not None and spot.high is not None:
        interval = f"{fixed(spot.low, metric.decimals)} to {fixed(spot.high, metric.decimals)}"
    return {"text": fixed(spot.value, metric.decimals), "interval": interval}
