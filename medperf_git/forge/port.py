"""What a place that holds a registry can do for us, whoever runs it."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol

from medperf_git.registry.transport import PushOutcome, PushResult


class Merging(StrEnum):
    """How a proposal that passes gets into main: we push the merge, we ask the forge, a person does it on its page."""

    PUSH = "push"
    API = "api"
    PAGE = "page"


class State(StrEnum):
    """Where a pull request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class Checks(StrEnum):
    """What the forge's own judge has said of a head so far."""

    NONE = "none"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Words:
    """Title and description of a pull request (Markdown); nothing of it is judged."""

    title: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A pull request as a forge tells it; nothing is believed that Git does not show.

    `source` is the repository that holds its branch, empty where that is gone; `ref` is where the registry's own
    repository has its head; `commit` may be empty where the forge does not say.
    """

    number: int
    branch: str
    commit: str
    source: str
    author: str
    state: State
    url: str
    ref: str
    title: str = ""
    body: str = ""
    closed_by: str = ""

    @property
    def proposal(self) -> str:
        """The id that its branch claims; empty for a branch of another name."""
        start, _, proposal = self.branch.partition("/")
        return proposal if start == "submit" else ""


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are at a forge; `scopes` is what the token may do, None where the forge does not tell."""

    name: str
    scopes: frozenset[str] | None = None


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
    """A place that holds a registry; proposals are branches `submit/<id>` there, or pull requests to it."""

    name: ClassVar[str]
    merging: ClassVar[Merging]

    def fetch(self, copy: Path) -> None:
        """Bring main and all proposals into `copy` (EnvironmentProblem when it cannot be reached)."""
        ...

    def bring(self, copy: Path, proposal: str) -> str | None:
        """Fetch what lies on the branch to which we would push a proposal; return its commit, None for nothing."""
        ...

    def propose(self, copy: Path, proposal: str, commit: str, words: Words) -> Sent:
        """Put a commit on `submit/<proposal>` and see that people find it there; done twice it does nothing twice.

        Refused: it was closed there, and is not forced upon people again.
        """
        ...

    def requests(self, proposal: str) -> tuple[Request, ...]:
        """Return every pull request that is about a proposal, in any state, the newest first."""
        ...

    def checks(self, request: Request) -> Checks:
        """Return what the forge's own judge has said of a pull request."""
        ...

    def advance(self, copy: Path, commit: str) -> Sent:
        """Move main forward to a commit; Refused where merging is done by other means."""
        ...

    def may_merge(self) -> bool:
        """Tell whether we may merge there."""
        ...

    def merge(self, request: Request, commit: str, words: Words) -> None:
        """Merge a pull request exactly as it was judged; Refused when its head is another, or it may not be merged."""
        ...

    def forget(self, copy: Path, proposal: str, why: str) -> None:
        """Tidy up what is merged or given up: delete our branch, close our own pull request with a word on why.

        Who may merge also closes those of others that main holds already, where the forge does not by itself.
        """
        ...

    def comment(self, request: Request, text: str) -> None:
        """Say something under a pull request, in one comment of ours that is kept up to date."""
        ...

    def describe_account(self) -> str:
        """Say who we are there, by which token, and what we may; ForgeProblem when the token is not accepted."""
        ...

    def page_of(self, proposal: str) -> str:
        """Return where a person sees the proposal."""
        ...
