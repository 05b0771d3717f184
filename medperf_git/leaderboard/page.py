"""A page of the site as a value: where it lies, which template writes it, and what it says.

Rules kept here: `url` is relative to the root of the site; the context is made only when the page is rendered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from medperf_git.leaderboard.words import Context


@dataclass(frozen=True, slots=True)
class Page:
    """One page that waits to be rendered."""

    url: str
    template: str
    context: Callable[[], Context]
