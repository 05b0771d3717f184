"""A page or a data file of the site as a value: where it lies, and how its content is made when it is written.

Rules kept here: nothing is computed before it is needed, so that a site of any size is built file by file. A page
bears no commit and no time of one (`build` says both once, in `assets/as-of.css`), so that what did not change keeps
its bytes; the index, the methods and the news, which are about a commit, are the exceptions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from medperf_git.leaderboard.words import Context


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its address from the root of the site, its template, and what makes the template's words."""

    url: str
    template: str
    context: Callable[[], Context]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that is no page, such as CSV, JSON or SVG: its address from the root of the site, and its content."""

    url: str
    content: Callable[[], bytes]
