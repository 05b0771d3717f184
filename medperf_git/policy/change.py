"""A change as the judge sees it: the tree before, the tree after, what was added, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from medperf_git.records.findings import Finding
from medperf_git.records.view import RecordView


class History(Protocol):
    """The first-parent line of the tree before, its tip included; commits are given by their full hexadecimal id."""

    def __contains__(self, commit: str) -> bool:
        """Tell whether a commit lies on the line."""
        ...

    def time(self, commit: str) -> datetime:
        """Return the time of a step on the line; KeyError when it is not on it."""
        ...

    def view(self, commit: str) -> RecordView:
        """Return the records as a step on the line left them; KeyError when it is not on it."""
        ...

    def held_since(self, commit: str, path: str) -> bool:
        """Tell whether every step from `commit` to the tip holds the file at `path` with the bytes of the tip.

        So nothing counts that stood only in a step which was set aside. KeyError when it is not on the line.
        """
        ...


class NoHistory:
    """What was before the genesis."""

    def __contains__(self, commit: str) -> bool:
        """Return False: there is no commit."""
        return False

    def time(self, commit: str) -> datetime:
        """Raise KeyError: there is no commit."""
        raise KeyError(commit)

    def view(self, commit: str) -> RecordView:
        """Raise KeyError: there is no commit."""
        raise KeyError(commit)

    def held_since(self, commit: str, path: str) -> bool:  # noqa: ARG002
        """Raise KeyError: there is no commit."""
        raise KeyError(commit)


@dataclass(frozen=True, slots=True)
class Change:
    """One proposed or merged step.

    `added` maps the path of every file in the proposal that its base lacks to its bytes (a changed house file
    too, with its new bytes). `faults` is what Git itself already shows to be wrong.
    """

    before: RecordView
    after: RecordView
    added: Mapping[str, bytes]
    faults: tuple[Finding, ...]
    at: datetime
    history: History
