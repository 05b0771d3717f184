"""The page of a dataset: what its site published of it, and where every model stands there."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from markupsafe import Markup

from medperf_git.leaderboard import urls
from medperf_git.leaderboard.analysis import Standing
from medperf_git.leaderboard.card_words import (
    described,
    notice_rows,
    owner_step,
    pairs,
    record_facts,
    signers,
    statistics_rows,
    versions_of,
)
from medperf_git.leaderboard.catalogue import Attendance, Catalogue, SiteCard
from medperf_git.leaderboard.cell_row import result_link, state_of, subject_head
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.statistics.ranks import smallest_ranks
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, MetricInfo
from medperf_git.leaderboard.text import NOTHING, fixed, listing, some, whole
from medperf_git.leaderboard.words import Context
from medperf_git.records import models
from medperf_git.records.names import Ref

MOST_ROWS = 60  # models in one table; the data files hold them all
MOST_BENCHMARKS = 24  # told whole, some 30 kB each; further ones have a line


def site_pages(catalogue: Catalogue) -> Iterator[Page]:
    """Give a page for every dataset."""
    for ref, card in catalogue.sites.items():
        yield Page(urls.site_url(ref), "site.html", partial(site_context, card, catalogue))


def site_context(card: SiteCard, catalogue: Catalogue) -> Context:
    """Say one dataset."""
    owner = catalogue.members.get(card.ref.member)
    record = card.record
    return {
        "trail": [owner_step(card.ref.member, owner), {"url": "", "text": card.title}],
        "ref": card.ref,
        "title": card.title,
        "owner": {"title": owner.title, "url": urls.member_url(owner.name)} if owner else None,
        "sentence": _sentence(card),
        "about": described(record.description if record else None),
        "facts": _facts(card),
        "terms": described(record.terms if record else None),
        "statistics": statistics_rows(record.statistics if record else None),
        "unreadable": record is None,
        "signers": signers(card.source),
        "notices": notice_rows(card.notices),
        "versions": versions_of(card.versions, card.ref, urls.site_url),
        "attends": [_attendance(one) for one in card.attends[:MOST_BENCHMARKS]],
        "further": [
            {"title": one.table.title, "url": one.table.url, "ref": one.table.ref, "text": one.column.standing}
            for one in card.attends[MOST_BENCHMARKS:]
        ],
    }


def _sentence(card: SiteCard) -> str:
    cases = f"{card.record.cases} cases" if card.record else "A number of cases that cannot be read"
    if not card.attends:
        return f"{cases}, in no benchmark yet."
    held = "The registry holds none of them, only what stands below."
    return f"{cases}, in {some(len(card.attends), 'benchmark')}. {held}"


def _facts(card: SiteCard) -> list[Context]:
    record = card.record
    if record is None:
        return []
    taken, limits = record.acquisition or models.Acquisition(), record.disclosure or models.SiteDisclosure()
    years = [str(year) for year in (taken.from_year, taken.to_year) if year is not None]
    kept = [
        f"nothing below {some(limits.min_cases, 'case')}" if limits.min_cases is not None else "",
        f"at most {some(limits.decimals, 'decimal')}" if limits.decimals is not None else "",
    ]
    how = "salted commitment" if record.content.method.endswith("salted") else "digest of the content"
    return pairs(
        [
            ("Cases", str(record.cases), False),
            ("Registered", record.created, False),
            ("Prepared by", str(record.preparator.ref), True),
            ("Country", taken.country or "", False),
            ("Years", NOTHING.join(dict.fromkeys(years)), False),
            ("Modality", taken.modality or "", False),
            ("Equipment", taken.equipment or "", False),
            ("The site’s own limits", "; ".join(filter(None, kept)), False),
            (how.capitalize(), record.content.digest, True),
            *record_facts(card.source),
        ]
    )


def _attendance(one: Attendance) -> Context:
    table, ref, metrics = one.table, one.column.ref, one.analysis.metrics
    places, root = _places(one), "../" * urls.site_url(ref).count("/")
    counted = sum(place is not None for place in places)
    shown = sorted(range(len(places)), key=lambda at: (places[at] is None, places[at] or 0, at))[:MOST_ROWS]
    return {
        "anchor": f"b-{table.ref.folder}",
        "title": table.title,
        "url": table.url,
        "ref": table.ref,
        "standing": one.column.standing,
        "marks": one.column.marks,
        "sentence": f"{whole(counted)} of {some(len(places), 'model')} have a value here.",
        "metrics": [{"title": metric.title, "arrow": metric.arrow} for metric in metrics],
        "leading": metrics[0].title,
        "rows": Markup("\n").join(_row(one, one.analysis.standings[at], places[at], root) for at in shown),
        "note": f"The first {MOST_ROWS} of {some(len(places), 'model')}; the data file holds them all."
        if len(places) > MOST_ROWS
        else "",
        "csv": table.url.replace("index.html", "results.csv"),
        "comparisons": _comparisons(table, ref),
    }


def _places(one: Attendance) -> list[int | None]:
    """Rank the models at one site by the leading metric, in the order of the standings; None where one has no value."""
    metric = one.analysis.metrics[0]
    column = one.grid.values[metric.id][one.grid.order, one.place]
    there = ~np.isnan(column)
    ranks = iter(smallest_ranks(column[there] * (1 if metric.higher_is_better else -1)).tolist())
    return [next(ranks) if has else None for has in there.tolist()]


def _row(one: Attendance, standing: Standing, place: int | None, root: str) -> Markup:
    cell = one.table.cells[standing.model.ref, one.column.ref]
    measured = cell.measured(one.analysis.metrics[0].id)
    number = measured.n if measured else None
    values = "".join(f'<td class="num">{_value(cell, metric)}</td>' for metric in one.analysis.metrics)
    return Markup(  # noqa: S704 - escaped piece by piece
        f'<tr><td class="num">{_or_nothing(place)}</td><td class="num">{_or_nothing(standing.rank)}</td>'
        f"{subject_head(standing.model.title, cell.model, urls.model_url(cell.model), root)}{state_of(cell)}{values}"
        f'<td class="num">{_or_nothing(number)}</td>{result_link(cell, root)}</tr>'
    )


def _or_nothing(number: int | None) -> str:
    return NOTHING if number is None else str(number)


def _value(cell: Cell, metric: MetricInfo) -> str:
    measured = cell.measured(metric.id)
    return NOTHING if measured is None else fixed(measured.value, metric.decimals)


def _comparisons(table: BenchmarkTable, ref: Ref) -> list[Context]:
    titles = {model.ref: model.title for model in table.models}
    return [
        {
            "metric": next((metric.title for metric in table.metrics if metric.id == one.metric), one.metric),
            "models": listing([titles.get(model, str(model)) for model in one.models], most=6),
            "n": whole(one.n),
            "state": one.state,
            "id": one.id,
            "path": one.path,
        }
        for one in table.comparisons
        if one.dataset == ref
    ]
