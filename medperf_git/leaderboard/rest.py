"""All files of a site but the pages and shards of results, which are made column by column (`column_files`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from medperf_git.leaderboard import badges, embed_page, families, methods_page, news_page, subject_families
from medperf_git.leaderboard.about import About, column_words
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.page import DataFile, Page
from medperf_git.leaderboard.rendering import SCHEMAS, STATIC, as_of_css, asset, render_page
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.tables import RegistryTables
from medperf_git.records.view import RecordView

Family: TypeAlias = Callable[[SiteData], Iterator[Page | DataFile]]

# Every family of pages and data files. The index is last: what it lists is there before it.
FAMILIES: tuple[Family, ...] = (
    families.status_pages,
    families.benchmark_pages,
    subject_families.subject_pages,
    embed_page.embed_pages,
    badges.badge_files,
    news_page.news_pages,
    methods_page.methods_pages,
    families.index_pages,
)


def iter_rest(
    view: RecordView, tables: RegistryTables, about: About, shards: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, bytes]]:
    """Yield each file when it is made; `shards` names the data files of each column, by the folder of its results."""
    analyses = tuple(analyse(table) for table in tables.benchmarks)
    site = SiteData(view, tables, analyses, about.commit, about.registry_id, about.step_time, shards, about.steps)
    for name in STATIC:
        yield f"assets/{name}", asset(name)
    for name in SCHEMAS:
        yield f"schemas/{name}", asset(f"schemas/{name}")
    yield "assets/as-of.css", as_of_css(about.commit, about.step_time)
    words = {
        **column_words(view, about),
        "registry": tables,
        "commit": about.commit,
        "step_time": about.step_time,
    }
    for family in FAMILIES:
        for one in family(site):
            yield one.url, render_page(one, words) if isinstance(one, Page) else one.content()
