"""A commit's records → the files of a site, one by one.

Rules kept here: a pure function, the same view and arguments give the same bytes; no clock, no locale, no
environment; everything that a record says is escaped by the templates; nothing is fetched from anywhere. The commit
and its time stand in the pages that are about it and in `assets/as-of.css`, and nowhere else: what did not change
keeps its bytes.

    files = iter_site(view, commit="1f0c…", registry_id="mg1:…", step_time="2026-11-25T10:00:00Z")
    write_site(files, Path("site"))
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TypeAlias

from jinja2 import Environment, FunctionLoader, StrictUndefined

from medperf_git import __version__
from medperf_git.leaderboard import families
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.page import DataFile, Page
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.site_data import SiteData
from medperf_git.leaderboard.words import Context
from medperf_git.leaderboard.writing import write_site
from medperf_git.records.view import RecordView

__all__ = ["CSP", "FAMILIES", "build_site", "iter_site", "write_site"]

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
STATIC = ("leaderboard.css", "leaderboard.js", "icon.svg")

Family: TypeAlias = Callable[[SiteData], Iterator[Page | DataFile]]

# Every family of pages and data files of a site. The index is last: what it lists is there before it.
FAMILIES: tuple[Family, ...] = (
    families.result_pages,
    families.status_pages,
    families.benchmark_pages,
    families.index_pages,
)


def build_site(view: RecordView, *, commit: str, registry_id: str, step_time: str) -> Mapping[str, bytes]:
    """Build every file of the site, by relative path; `step_time` is the time of the commit's step."""
    return dict(sorted(iter_site(view, commit=commit, registry_id=registry_id, step_time=step_time)))


def iter_site(view: RecordView, *, commit: str, registry_id: str, step_time: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the site, each when it is made, by relative path; the index comes last."""
    tables = read_tables(view)
    analyses = tuple(analyse(table) for table in tables.benchmarks)
    site = SiteData(view, tables, analyses, commit, registry_id, step_time)
    for name in STATIC:
        yield f"assets/{name}", _asset(name)
    yield "assets/as-of.css", as_of_css(commit, step_time)
    common = {
        "registry": tables,
        "commit": commit,
        "registry_id": registry_id,
        "step_time": step_time,
        "version": __version__,
        "csp": CSP,
    }
    for family in FAMILIES:
        for one in family(site):
            yield one.url, render_page(one, common) if isinstance(one, Page) else one.content()


def as_of_css(commit: str, step_time: str) -> bytes:
    """Write the one file from which pages take what they say of the commit that they are as of."""
    return (
        f'.as-of-commit::after {{ content: "{_css_text(commit)}" }}\n'
        f'.as-of-time::after {{ content: "{_css_text(step_time)}" }}\n'
    ).encode()


def _css_text(text: str) -> str:
    """Write text inside a CSS string: all but letters, digits and `-:.` as escapes (CSS Syntax 3, section 4.3.7)."""
    return "".join(
        sign if sign.isascii() and (sign.isalnum() or sign in "-:.") else f"\\{ord(sign):x} " for sign in text
    )


def render_page(page: Page, common: Mapping[str, object]) -> bytes:
    """Render one page; `common` are the words that every template may use."""
    return _render(page.template, page.url, {**common, **page.context()})


def _render(template: str, url: str, context: Context) -> bytes:
    root = "../" * url.count("/")
    return (_environment().get_template(template).render(root=root, **context).rstrip("\n") + "\n").encode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(lambda name: _asset(name).decode()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@cache
def _asset(name: str) -> bytes:
    return (resources.files("medperf_git.leaderboard") / "assets" / name).read_bytes()
