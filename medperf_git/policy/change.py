"""A change as the judge sees it: the tree before, the tree after, what was added, and when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from medperf_git.records.findings import Finding
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class Change:
    """One proposed or merged step.

    `added` maps the path of every file in the proposal that its base lacks to its bytes (a changed house file
    too, with its new bytes). `faults` is what Git itself already shows to be wrong. `knows_head` tells whether a
    commit (40 hexadecimal digits) lies on the first-parent line of the tree before, that tip included.
    """

    before: RecordView
    after: RecordView
    added: Mapping[str, bytes]
    faults: tuple[Finding, ...]
    at: datetime
    knows_head: Callable[[str], bool]
