"""What a place that holds a registry can do for us, whoever runs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from medperf_git.registry.transport import PushOutcome, PushResult


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a push: accepted or not, why, what the other side's hook said, where it can be seen."""

    outcome: PushOutcome
    reason: str = ""
    messages: tuple[str, ...] = ()
    url: str = ""

    @classmethod
    def of(cls, result: PushResult, url: str = "") -> "Sent":
        """Return what a push result says."""
        return cls(result.outcome, result.reason, result.messages, url)

    @property
    def accepted(self) -> bool:
        """Whether the other side now has it."""
        return self.outcome in (PushOutcome.ACCEPTED, PushOutcome.UP_TO_DATE)


class Forge(Protocol):
    """A place that holds a registry; proposals are branches `submit/<id>` there."""

    name: ClassVar[str]
    merges_by_push: ClassVar[bool]

    def fetch(self, copy: Path) -> None:
        """Bring main and all proposals into `copy` (EnvironmentProblem when it cannot be reached)."""
        ...

    def propose(self, copy: Path, proposal: str, commit: str) -> Sent:
        """Put a commit on `submit/<proposal>` and see that people find it there."""
        ...

    def advance(self, copy: Path, commit: str) -> Sent:
        """Move main forward to a commit; Refused where merging is done by other means."""
        ...

    def forget(self, copy: Path, proposal: str) -> Sent:
        """Delete the branch of a merged proposal."""
        ...

    def page_of(self, proposal: str) -> str:
        """Return where a person sees the proposal."""
        ...
