"""The few calls of a forge's REST interface that proposals need; one adapter file for each kind of forge.

An adapter makes one call an operation, retries nothing and explains nothing: it raises `Fault`, and `guard` decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from medperf_git.forge.port import Account, Checks, Request, Words


class Cause(StrEnum):
    """In which way a call failed; `STATUS` is an answer that is no success."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    PROXY = "proxy"
    REDIRECT = "redirect"
    GARBLED = "garbled"
    STATUS = "status"


@dataclass(eq=False)
class Fault(Exception):
    """One call that failed: how, with which status, what the forge said, its answer's headers (names in lower case)."""

    cause: Cause
    status: int = 0
    said: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.status or self.cause}: {self.said}" if self.said else str(self.status or self.cause)


@contextmanager
def as_documented() -> Iterator[None]:
    """Read an answer as its documentation has it; Fault where it has another form."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Fault(Cause.GARBLED, said="it has not the documented form") from error


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at a forge: its name there, the path by which Git reaches it, whether we may push to it.

    `ready` is whether the forge has finished making it.
    """

    slug: str
    git_path: str
    may_push: bool
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment under a pull request."""

    id: str
    author: str
    text: str


class Api(Protocol):
    """A forge's REST interface. `slug` names the repository of the registry; every method may raise `Fault`."""

    def me(self) -> Account:
        """Return whose token this is."""
        ...

    def repository(self, slug: str) -> Repository | None:
        """Return a repository, None where there is none that this token may see."""
        ...

    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """Return the fork that `owner` has, None where there is none."""
        ...

    def fork(self, slug: str) -> Repository:
        """Ask for a fork of ours; it may not be ready yet."""
        ...

    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """Return the open pull requests to main, the newest first, at most `limit`."""
        ...

    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """Return the pull requests to main from a branch of this name anywhere, in any state, the newest first."""
        ...

    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """Open a pull request from a branch of `source` to main; maintainers may push to it where that can be said."""
        ...

    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """Change title and description."""
        ...

    def close_request(self, slug: str, request: Request) -> None:
        """Close a pull request without merging it."""
        ...

    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:
        """Merge a pull request by a merge commit if its head is `commit`; a Fault of 405, 409 or 422 when it is not."""
        ...

    def checks(self, slug: str, request: Request) -> Checks:
        """Return what the check called `judge`, or any check where none has that name, says of the head."""
        ...

    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """Return the comments under a pull request, the oldest first."""
        ...

    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """Write a comment."""
        ...

    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:
        """Change a comment of ours; on a forge where that is not possible, write it again."""
        ...
