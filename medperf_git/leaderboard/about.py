"""What the pages of a site say of all of it: the registry, the commit, the program."""

from dataclasses import dataclass

from medperf_git import __version__
from medperf_git.leaderboard.rendering import CSP
from medperf_git.leaderboard.steps import Step
from medperf_git.records import folds
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class Masthead:
    """What every page says of its registry."""

    name: str
    title: str
    maintainers: tuple[str, ...]

    @classmethod
    def of(cls, view: RecordView) -> "Masthead":
        """Read it from the latest registry record."""
        registry = folds.registry_state(view)
        if registry is None:
            return cls("", "A registry without a readable record", ())
        return cls(registry.name, registry.title, tuple(registry.maintainers))


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
