"""A forge reached without its API: push the branch, and print the page on which a person opens the pull request."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from medperf_git.errors import Refused
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
    PushOutcome,
    fetch,
    push,
)

_SCP = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!//)(.+)")
_GITLAB = "{page}/-/merge_requests/new?merge_request%5Bsource_branch%5D=submit%2F{proposal}"
_GITHUB = "{page}/compare/main...submit/{proposal}?expand=1"
COMPARE = {"gitlab": _GITLAB, "bitbucket": "{page}/pull-requests/new?source=submit/{proposal}"}


@dataclass(frozen=True, slots=True)
class Browser:
    """GitHub, GitLab, Forgejo and others, by push and web page."""

    name: ClassVar[str] = "browser"
    merges_by_push: ClassVar[bool] = False

    remote: Remote
    access: Access = NO_ACCESS

    def fetch(self, copy: Path) -> None:
        """See `Forge.fetch`."""
        fetch(copy, self.remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC], access=self.access)

    def propose(self, copy: Path, proposal: str, commit: str) -> Sent:
        """See `Forge.propose`."""
        (result,) = push(copy, self.remote, [Push(proposal_ref(proposal), commit)], access=self.access)
        return Sent.of(result, self.page_of(proposal))

    def advance(self, copy: Path, commit: str) -> Sent:
        """Push the very first commit of main; later ones are merged on the forge (Refused)."""
        (result,) = push(copy, self.remote, [Push(MAIN, commit)], access=self.access)
        if result.outcome is PushOutcome.REFUSED:
            hint = f"merge the pull request at {web_page(self.remote.url)}"
            raise Refused("this forge takes nothing on main by push", hint=hint)
        return Sent.of(result, web_page(self.remote.url))

    def forget(self, copy: Path, proposal: str) -> Sent:
        """See `Forge.forget`."""
        (result,) = push(copy, self.remote, [Push(proposal_ref(proposal), None)], access=self.access)
        return Sent.of(result, self.page_of(proposal))

    def page_of(self, proposal: str) -> str:
        """See `Forge.page_of`."""
        page = web_page(self.remote.url)
        host = urlsplit(page).netloc
        pattern = next((text for word, text in COMPARE.items() if word in host), _GITHUB)
        return pattern.format(page=page, proposal=proposal)


def web_page(url: str) -> str:
    """Return the address of a repository's page from its Git address."""
    if match := _SCP.fullmatch(url):
        url = f"https://{match.group(1)}/{match.group(2)}"
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port and parts.scheme == "https" else ""
    return f"https://{parts.hostname}{port}{parts.path.removesuffix('/').removesuffix('.git')}"
