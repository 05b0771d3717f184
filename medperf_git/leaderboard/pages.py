"""What the benchmark page and the index say, as plain values for their templates.

Rules kept here: only text leaves these modules, and the templates escape all of it.
"""

from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.section_cells import account, gap, heat_map, hidden_result, metrics_in_order
from medperf_git.leaderboard.section_firm import firmness
from medperf_git.leaderboard.section_ranking import (
    how_to_read,
    interval_name,
    ranking_caption,
    ranking_notes,
    ranking_row,
    ranking_scale,
)
from medperf_git.leaderboard.section_rules import definition, key_facts, metric_facts, policy_facts, records_behind
from medperf_git.leaderboard.tables import (
    BenchmarkTable,
    ComparisonEntry,
    RegistryTables,
)
from medperf_git.leaderboard.text import fixed, listing, some, whole
from medperf_git.leaderboard.words import Context


def index_context(tables: RegistryTables, analyses: tuple[Analysis, ...]) -> Context:
    """Say what the index shows."""
    rows = [_account_row(str(table.ref), table.seen, len(table.hidden)) for table in tables.benchmarks]
    if tables.strays:
        rows.append(_account_row("no readable benchmark", len(tables.strays), len(tables.strays)))
    hidden = sum(len(table.hidden) for table in tables.benchmarks) + len(tables.strays)
    sites = {site.ref.member for table in tables.benchmarks for site in table.sites}
    counted = some(len(tables.benchmarks), "benchmark"), some(len(sites), "site"), some(tables.seen, "result")
    return {
        "trail": [],
        "sentence": f"{', '.join(counted)}: signed where the data are, and checked before they count.",
        "benchmarks": [_entry(analysis) for analysis in analyses],
        "account": rows,
        "total": _account_row("", tables.seen, hidden),
        "strays": tables.strays,
    }


def _account_row(name: str, seen: int, hidden: int) -> Context:
    return {"name": name, "seen": whole(seen), "shown": whole(seen - hidden), "hidden": whole(hidden)}


def _entry(analysis: Analysis) -> Context:
    table = analysis.table
    metric = analysis.metrics[0]
    podium = [
        {"rank": row.rank, "title": row.model.title, "score": fixed(row.scores[0].value, metric.decimals)}
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
        "measure": f"{metric.title} {metric.arrow}, {metric_facts(metric)['better']}",
        "facts": key_facts(table),
    }


def benchmark_context(analysis: Analysis, *, step_time: str) -> Context:
    """Say what a benchmark's page shows."""
    table = analysis.table
    scale = ranking_scale(analysis)
    gaps = list(table.iter_gaps())
    return {
        "trail": [{"url": "", "text": table.title}],
        "table": table,
        "headline": analysis.headline,
        "explanation": analysis.explanation,
        "facts": key_facts(table),
        "metrics": [metric_facts(metric) for metric in analysis.metrics],
        "interval_name": interval_name(analysis),
        "scale": scale,
        "others": [{"title": other.rule.title, "key": other.rule.name} for other in analysis.others],
        "rows": [ranking_row(analysis, row, scale, place) for place, row in enumerate(analysis.standings)],
        "ranking_caption": ranking_caption(analysis),
        "reading": how_to_read(analysis),
        "notes": ranking_notes(analysis),
        "maps": [heat_map(analysis, metric) for metric in metrics_in_order(analysis)],
        "firm": firmness(analysis),
        "gaps": [gap(cell, table) for cell in gaps],
        "account": account(table),
        "hidden": [hidden_result(item, table) for item in table.hidden],
        "waiting": listing(table.waiting, most=12),
        "definitions": [definition(metric, table.ranking.metrics) for metric in table.metrics],
        "policy": policy_facts(table, step_time),
        "bias": [{"name": name.replace("_", " "), "text": text} for name, text in table.bias.items()],
        "records": records_behind(table),
        "comparisons": [comparison_facts(one, table) for one in table.comparisons],
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
