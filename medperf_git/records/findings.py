"""Problems in data are values: each says which rule, where, what was expected, what came, how to mend it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding weighs in a verdict."""

    ERROR = "error"
    NEEDS_PERSON = "needs-a-person"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or waits for a person.

    `path` is the record's path in the registry, `pointer` a JSON Pointer (RFC 6901) into it, `line` its
    line in the file counted from 1 (0: the whole file).
    """

    rule: str
    message: str
    path: str = ""
    pointer: str = ""
    line: int = 0
    expected: str = ""
    got: str = ""
    fix: str = ""
    severity: Severity = Severity.ERROR

    def at(self, path: str) -> "Finding":
        """Return this finding as one about `path`."""
        return replace(self, path=path)

    def as_value(self) -> dict[str, str | int]:
        """Return the finding as plain values for JSON, empty fields left out."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) if isinstance(value, Severity) else value for name, value in fields.items() if value}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> "Finding":
        """Return the finding that `as_value` gave these values."""
        return cls(**{**value, "severity": Severity(value["severity"])})


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that make a change unacceptable."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
