"""One rule of the judge."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from medperf_git.policy.case import Case
from medperf_git.records.findings import Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what it is called, why it exists, how a person satisfies it, and the function that checks it."""

    id: str
    title: str
    why: str
    fix: str
    check: Callable[[Case], Iterable[Finding]]
