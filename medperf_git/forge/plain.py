"""A bare repository reached by path or SSH: the embedded default that needs nothing.

Its `pre-receive` hook judges every push, so whoever may push may also merge what passes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from medperf_git.errors import Refused
from medperf_git.forge.gathering import bring
from medperf_git.forge.port import Checks, Merging, Request, Sent, Words
from medperf_git.registry.commits import proposal_ref
from medperf_git.registry.remotes import Remote
from medperf_git.registry.transport import (
    MAIN,
    MAIN_REFSPEC,
    NO_ACCESS,
    PROPOSALS_REFSPEC,
    Access,
    Push,
    fetch,
    push,
)


@dataclass(frozen=True, slots=True)
class PlainGit:
    """A bare repository with our hook."""

    name: ClassVar[str] = "plain"
    merging: ClassVar[Merging] = Merging.PUSH

    remote: Remote
    access: Access = NO_ACCESS

    def fetch(self, copy: Path) -> None:
        """See `Forge.fetch`."""
        fetch(copy, self.remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC], access=self.access)

    def bring(self, copy: Path, proposal: str) -> str | None:
        """See `Forge.bring`."""
        return bring(copy, self.remote, proposal, access=self.access)

    def propose(self, copy: Path, proposal: str, commit: str, words: Words) -> Sent:  # noqa: ARG002  (no page here)
        """See `Forge.propose`."""
        return self._push(copy, Push(proposal_ref(proposal), commit), url=self.page_of(proposal))

    def requests(self, proposal: str) -> tuple[Request, ...]:  # noqa: ARG002  (branches are all there is)
        """See `Forge.requests`."""
        return ()

    def checks(self, request: Request) -> Checks:  # noqa: ARG002  (the hook has spoken before)
        """See `Forge.checks`."""
        return Checks.NONE

    def advance(self, copy: Path, commit: str) -> Sent:
        """See `Forge.advance`."""
        return self._push(copy, Push(MAIN, commit), url=self.remote.url)

    def may_merge(self) -> bool:
        """See `Forge.may_merge`; the hook decides."""
        return True

    def merge(self, request: Request, commit: str, words: Words) -> None:  # noqa: ARG002  (see `merging`)
        """See `Forge.merge`; here merging is a push of main."""
        raise Refused("a plain Git host merges by push", hint="run `medperf-git merge`")

    def forget(self, copy: Path, proposal: str, why: str) -> None:  # noqa: ARG002  (nobody reads it here)
        """See `Forge.forget`; the hook deletes only what main has."""
        self._push(copy, Push(proposal_ref(proposal), None), url=self.page_of(proposal))

    def comment(self, request: Request, text: str) -> None:  # noqa: ARG002  (there is no page)
        """See `Forge.comment`."""
        raise Refused("a plain Git host has no comments", hint="run `medperf-git check`, which shows the same")

    def describe_account(self) -> str:
        """See `Forge.describe_account`."""
        return "nobody: who may push here is up to Git"

    def page_of(self, proposal: str) -> str:
        """See `Forge.page_of`."""
        return f"{self.remote.url} submit/{proposal}"

    def _push(self, copy: Path, wanted: Push, *, url: str) -> Sent:
        (result,) = push(copy, self.remote, [wanted], access=self.access)
        return Sent.of(result, url)
