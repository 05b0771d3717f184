"""What the benchmark page and the index say, as plain values for their templates.

Rules kept here: only text leaves these modules, and the templates escape all of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.page import Page
from medperf_git.leaderboard.plots import TALL
from medperf_git.leaderboard.section_cells import (
    account,
    gaps,
    heat_map,
    hidden_results,
    map_url,
    metrics_here,
    metrics_in_order,
    window,
)
from medperf_git.leaderboard.section_data import data_files
from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.section_ranking import (
    ROWS_SHOWN,
    SCORES_APART,
    how_to_read,
    interval_name,
    rank_columns,
    rank_meaning,
    ranked_by,
    ranking_caption,
    ranking_notes,
    ranking_row,
    ranking_scale,
    rows_left_out,
)
from medperf_git.leaderboard.section_rules import (
    bias_facts,
    definition,
    key_facts,
    metric_facts,
    policy_facts,
    records_behind,
    version_facts,
)
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    ComparisonEntry,
    RegistryTables,
)
from medperf_git.leaderboard.text import fixed, listing, some, whole
from medperf_git.leaderboard.words import Context
from medperf_git.records.names import Ref

LISTED = 300  # members, stray results or lines of the account on the index
COMPARISONS_LISTED = 100
ENTRIES_SHOWN = 200  # benchmarks told at length on the index; the others are lines of its table
FILTER_FROM = 8  # benchmarks: from here on the index has a field to filter them


def index_context(tables: RegistryTables, analyses: tuple[Analysis, ...]) -> Context:
    """Say what the index shows."""
    newest: dict[str, int] = {}
    for ref in (analysis.table.ref for analysis in analyses):
        newest[ref.unversioned] = max(ref.version, newest.get(ref.unversioned, 0))
    rows = [
        {**_account_row(str(table.ref), table.seen, len(table.hidden)), "url": table.url}
        for table in tables.benchmarks[:LISTED]
    ]
    if further := tables.benchmarks[LISTED:]:
        counts = sum(table.seen for table in further), sum(len(table.hidden) for table in further)
        rows.append(_account_row(some(len(further), "more benchmark"), *counts))
    if tables.strays:
        rows.append(_account_row("no readable benchmark", len(tables.strays), len(tables.strays)))
    hidden = sum(len(table.hidden) for table in tables.benchmarks) + len(tables.strays)
    sites = {site.ref.member for table in tables.benchmarks for site in table.sites}
    counted = some(len(tables.benchmarks), "benchmark"), some(len(sites), "site"), some(tables.seen, "result")
    members = [{"name": name, "title": title} for name, title in tables.members.items()]
    return {
        "trail": [],
        "sentence": f"{', '.join(counted)}: signed where the data are, and checked before they count."
        if tables.seen
        else f"{counted[0]}, {counted[1]}, no result yet.",
        "benchmarks": [
            {**_entry(one), "older": one.table.ref.version < newest[one.table.ref.unversioned]}
            for one in analyses[:ENTRIES_SHOWN]
        ],
        "more_benchmarks": _more_benchmarks(len(analyses)),
        "filtered": len(analyses) >= FILTER_FROM,
        "account": rows,
        "total": _account_row("", tables.seen, hidden),
        "reasons": _reasons(tables),
        "strays": tables.strays[:LISTED],
        "more_strays": _more(len(tables.strays)),
        "members": members[:LISTED],
        "more_members": _more(len(members)),
    }


def _more_benchmarks(number: int) -> str:
    more = number - ENTRIES_SHOWN
    where = "listed in the table below" if number <= LISTED else "listed in index.json"
    return f"And {some(more, 'more benchmark')}, {where}." if more > 0 else ""


def _more(number: int) -> str:
    return f"And {whole(number - LISTED)} more: see index.json." if number > LISTED else ""


def _reasons(tables: RegistryTables) -> list[Context]:
    """Count the hidden results by what is said of each, the words before the first colon or the digest."""
    counted = Counter(
        "superseded by a newer result of the same model on the same data"
        if item.reason.startswith("superseded by ")
        else item.reason.partition(":")[0]
        for table in tables.benchmarks
        for item in table.hidden
    )
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"number": whole(number), "text": text} for text, number in ordered]


def _account_row(name: str, seen: int, hidden: int) -> Context:
    return {"name": name, "url": "", "seen": whole(seen), "shown": whole(seen - hidden), "hidden": whole(hidden)}


def _entry(analysis: Analysis) -> Context:
    table = analysis.table
    metric = analysis.metrics[0]
    podium = [
        {
            "rank": row.rank,
            "title": row.model.title,
            "marks": row.model.marks,
            "score": fixed(row.scores[0].value, metric.decimals),
            "beside": row.beside_first and row.rank != 1,
        }
        for row in analysis.standings
        if row.rank is not None
    ][:3]
    return {
        "url": table.url,
        "title": table.title,
        "ref": table.ref,
        "marks": table.marks,
        "headline": analysis.headline,
        "podium": podium,
        "tinted": any(place["beside"] for place in podium),
        "measure": f"{metric.title} {metric.arrow}, {metric_facts(metric)['better']}{ranked_by(analysis)}",
        "facts": key_facts(table),
    }


def benchmark_context(analysis: Analysis, *, versions: Sequence[Ref] = ()) -> Context:
    """Say what a benchmark's page shows; `versions` are the benchmarks that have a page beside it."""
    table = analysis.table
    scale = ranking_scale(analysis)
    seen = window(analysis)
    here, ordered = metrics_here(analysis, seen), metrics_in_order(analysis)
    listed, more_gaps = gaps(table)
    hidden, more_hidden = hidden_results(table)
    return {
        "trail": [{"url": "", "text": table.title}],
        "table": table,
        "headline": analysis.headline,
        "explanation": analysis.explanation,
        "meaning": rank_meaning(analysis),
        "facts": key_facts(table),
        "metrics": [metric_facts(metric) for metric in analysis.metrics],
        "interval_name": interval_name(analysis),
        "together": len(analysis.metrics) > SCORES_APART,
        "scale": scale,
        "rank_columns": rank_columns(analysis),
        "rows": [ranking_row(analysis, row, scale, k) for k, row in enumerate(analysis.standings[:ROWS_SHOWN])],
        "tall": min(len(analysis.standings), ROWS_SHOWN) > TALL,
        "rows_left_out": rows_left_out(analysis),
        "ranking_caption": ranking_caption(analysis),
        "reading": how_to_read(analysis),
        "notes": ranking_notes(analysis),
        "maps": [heat_map(analysis, metric, seen, anchored=k == 0) for k, metric in enumerate(here)],
        "elsewhere": [
            {"title": metric.title, "url": map_url(table, metric)} for metric in ordered if metric not in here
        ],
        "firm": firmness(analysis),
        "gaps": listed,
        "more_gaps": more_gaps,
        "account": account(table),
        "hidden": hidden,
        "more_hidden": more_hidden,
        "waiting": listing(table.waiting, most=12),
        "definitions": [definition(metric, table.ranking.metrics) for metric in table.metrics],
        "policy": policy_facts(table),
        "bias": bias_facts(table),
        "versions": version_facts(table, versions),
        "records": records_behind(table),
        "files": data_files(analysis),
        "comparisons": [comparison_facts(one, table) for one in table.comparisons[:COMPARISONS_LISTED]],
        "more_comparisons": _more_comparisons(len(table.comparisons)),
    }


def _more_comparisons(number: int) -> str:
    more = number - COMPARISONS_LISTED
    return f"And {some(more, 'more comparison')}: see table.json." if more > 0 else ""


def metric_pages(analysis: Analysis) -> Iterator[Page]:
    """Give each metric whose map is too large for the benchmark's page a page of its own."""
    seen = window(analysis)
    here = metrics_here(analysis, seen)
    for metric in metrics_in_order(analysis):
        if metric not in here:
            yield Page(map_url(analysis.table, metric), "metric.html", partial(_metric_context, analysis, metric.id))


def _metric_context(analysis: Analysis, name: str) -> Context:
    table, seen = analysis.table, window(analysis)
    here = metrics_here(analysis, seen)
    return {
        "trail": [{"url": table.url, "text": table.title}, {"url": "", "text": table.metric(name).title}],
        "table": table,
        "maps": [heat_map(analysis, table.metric(name), seen, anchored=False)],
        "elsewhere": [
            {"title": metric.title, "url": table.url if metric in here else map_url(table, metric)}
            for metric in metrics_in_order(analysis)
            if metric.id != name
        ],
    }


def comparison_facts(one: ComparisonEntry, table: BenchmarkTable) -> Context:
    """Say what a comparison is about and how it stands."""
    titles = {metric.id: metric.title for metric in table.metrics}
    return {
        "site": table.site_title(one.dataset),
        "metric": titles.get(one.metric, one.metric),
        "models": listing(tuple(table.model_title(ref) for ref in one.models), most=6),
        "n": whole(one.n),
        "state": one.state,
        "id": one.id,
        "path": one.path,
        "digest": one.digest,
    }
