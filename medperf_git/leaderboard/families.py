"""The families of pages and data files that every site has; each is a function of the site's data."""

from collections.abc import Iterator
from functools import partial

from medperf_git.leaderboard import exports
from medperf_git.leaderboard.cells import Cells, LivesOfTable
from medperf_git.leaderboard.firm_data import effects_csv, firm_json, has_effects
from medperf_git.leaderboard.index_files import index_files
from medperf_git.leaderboard.page import DataFile, Page
from medperf_git.leaderboard.pages import benchmark_context, index_context, metric_pages
from medperf_git.leaderboard.section_pairs import has_pairs, pairs_csv
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.stage_rows import stages_csv
from medperf_git.leaderboard.stages import read_stages
from medperf_git.leaderboard.status_page import status_context
from medperf_git.leaderboard.tables import BenchmarkTable


def index_pages(site: SiteData) -> Iterator[Page | DataFile]:
    """Yield the list of benchmarks, as page and as data."""
    yield Page("index.html", "index.html", lambda: index_context(site.tables, site.analyses))
    yield from index_files(site)


def benchmark_pages(site: SiteData) -> Iterator[Page | DataFile]:
    """Yield the page of each benchmark, and its tables as data."""
    versions = tuple(analysis.table.ref for analysis in site.analyses)
    for folder, analysis in site.iter_folders():
        yield Page(analysis.table.url, "benchmark.html", partial(benchmark_context, analysis, versions=versions))
        yield from metric_pages(analysis)
        yield from exports.benchmark_files(analysis, site.shards)
        yield DataFile(f"{folder}/firm.json", partial(firm_json, analysis))
        if has_pairs(analysis):
            yield DataFile(f"{folder}/pairs.csv", partial(pairs_csv, analysis))
        if has_effects(analysis):
            yield DataFile(f"{folder}/effects.csv", partial(effects_csv, analysis))


def status_pages(site: SiteData) -> Iterator[Page | DataFile]:
    """Yield who is at which stage of each benchmark, as page and as data."""
    for folder, analysis in site.iter_folders():
        table = analysis.table
        stages = read_stages(
            site.view, table.ref, reference=table.reference_model, as_of=site.as_of, lives=_lives(table)
        )
        yield Page(table.status_url, "status.html", partial(status_context, table, stages, as_of=site.as_of))
        yield DataFile(f"{folder}/status.csv", partial(stages_csv, stages, benchmark=table.ref, as_of=site.as_of))


def _lives(table: BenchmarkTable) -> LivesOfTable | None:
    return LivesOfTable(table.cells) if isinstance(table.cells, Cells) else None
