"""Of which commit a site is, and the words that pages share."""

from dataclasses import dataclass

from medperf_git import __version__
from medperf_git.leaderboard.column_files import Masthead
from medperf_git.leaderboard.rendering import CSP
from medperf_git.leaderboard.steps import Step
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class About:
    """Of which commit a site is: `step_time` is the time of the commit's step, `steps` the last ones of main."""

    commit: str
    registry_id: str
    step_time: str
    steps: tuple[Step, ...] = ()


def column_words(view: RecordView, about: About) -> dict[str, object]:
    """Return the words that the pages of results share: none of them is about a commit."""
    return {
        "registry": Masthead.of(view),
        "registry_id": about.registry_id,
        "version": __version__,
        "csp": CSP,
    }
