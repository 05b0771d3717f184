"""The families of pages about one thing each: a model, a dataset, a member."""

from collections.abc import Iterator

from medperf_git.leaderboard.catalogue import read_catalogue
from medperf_git.leaderboard.member_page import member_pages
from medperf_git.leaderboard.model_page import model_pages
from medperf_git.leaderboard.page import DataFile, Page
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.site_page import site_pages


def subject_pages(site: SiteData) -> Iterator[Page | DataFile]:
    """Yield the pages of models, datasets and members."""
    catalogue = read_catalogue(site.view, site.analyses, site.tables.maintainers)
    yield from model_pages(catalogue)
    yield from site_pages(catalogue)
    yield from member_pages(catalogue)
