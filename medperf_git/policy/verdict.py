"""The answer of the judge."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from medperf_git.records.findings import Finding, Severity


class Outcome(StrEnum):
    """Accepted, waiting for a person, refused, or not judged for our own trouble."""

    PASS = "pass"  # noqa: S105  (a verdict, no password)
    NEEDS_PERSON = "needs-a-person"
    FAIL = "fail"
    COULD_NOT_CHECK = "could-not-check"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with every finding that led to it."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """Weigh findings: one error fails, one waiting signature needs a person, warnings alone pass."""
        gathered = tuple(findings)
        severities = {finding.severity for finding in gathered}
        if Severity.ERROR in severities:
            return cls(Outcome.FAIL, gathered)
        if Severity.NEEDS_PERSON in severities:
            return cls(Outcome.NEEDS_PERSON, gathered)
        return cls(Outcome.PASS, gathered)
