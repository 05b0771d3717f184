"""A bare repository reached by path or SSH: the embedded default that needs nothing.

Its `pre-receive` hook judges every push, so whoever may push may also merge what passes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from medperf_git.forge.port import Sent
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
    merges_by_push: ClassVar[bool] = True

    remote: Remote
    access: Access = NO_ACCESS

    def fetch(self, copy: Path) -> None:
        """See `Forge.fetch`."""
        fetch(copy, self.remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC], access=self.access)

    def propose(self, copy: Path, proposal: str, commit: str) -> Sent:
        """See `Forge.propose`."""
        return self._push(copy, Push(proposal_ref(proposal), commit), url=self.page_of(proposal))

    def advance(self, copy: Path, commit: str) -> Sent:
        """See `Forge.advance`."""
        return self._push(copy, Push(MAIN, commit), url=self.remote.url)

    def forget(self, copy: Path, proposal: str) -> Sent:
        """See `Forge.forget`."""
        return self._push(copy, Push(proposal_ref(proposal), None), url=self.page_of(proposal))

    def page_of(self, proposal: str) -> str:
        """See `Forge.page_of`."""
        return f"{self.remote.url} submit/{proposal}"

    def _push(self, copy: Path, wanted: Push, *, url: str) -> Sent:
        (result,) = push(copy, self.remote, [wanted], access=self.access)
        return Sent.of(result, url)
