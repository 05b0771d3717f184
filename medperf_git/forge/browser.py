"""A forge reached without its API: push the branch, and print the page on which a person opens the pull request.

Where the registry itself takes no branch from us, a fork does that the person made on the forge's page (`fork`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, urlsplit

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.forge.gathering import bring, gather
from medperf_git.forge.host import Host
from medperf_git.forge.port import Checks, Merging, Request, Sent, Words
from medperf_git.registry.commits import proposal_ref
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import MAIN, NO_ACCESS, Access, Push, PushOutcome, push

_SCP = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!//)(.+)")
# By these pages a person opens a pull request; `{page}` is the registry's, `{fork}` the fork's, `{owner}` whose it is.
COMPARE: dict[Host, tuple[str, str]] = {
    Host.GITHUB: (
        "{page}/compare/main...{branch}?expand=1",
        "{page}/compare/main...{owner}:{branch}?expand=1",
    ),
    Host.GITLAB: (
        "{page}/-/merge_requests/new?merge_request%5Bsource_branch%5D={quoted}",
        "{fork}/-/merge_requests/new?merge_request%5Bsource_branch%5D={quoted}",
    ),
    Host.FORGEJO: ("{page}/compare/main...{branch}", "{page}/compare/main...{owner}:{branch}"),
    Host.PAGURE: ("{page}/diff/main..{branch}", "{fork}/diff/main..{branch}"),
    Host.OTHER: ("{page}/pull-requests/new?source={branch}", "{fork}/pull-requests/new?source={branch}"),
}
# Hosts that take SSH on port 443, for networks that let nothing else out; their pages lie elsewhere.
BESIDE = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
NEW_FORK: dict[Host, str] = {
    Host.GITHUB: "{page}/fork",
    Host.GITLAB: "{page}/-/forks/new",
    Host.FORGEJO: "{page}: press Fork",
    Host.PAGURE: "{page}: press Fork",
}


@dataclass(frozen=True, slots=True)
class Browser:
    """GitHub, GitLab, Forgejo, Pagure and others, by push and web page."""

    name: ClassVar[str] = "browser"
    merging: ClassVar[Merging] = Merging.PAGE

    remote: Remote
    access: Access = NO_ACCESS
    host: Host = Host.GITHUB
    own: Remote | None = None
    listed: Callable[[int], Sequence[Request]] | None = None
    say: Callable[[str], None] = lambda _: None

    def fetch(self, copy: Path) -> None:
        """See `Forge.fetch`; what the forge lists to everybody comes too."""
        gather(copy, self.remote, self.access, self.listed or (lambda _: ()), say=self.say)

    def bring(self, copy: Path, proposal: str) -> str | None:
        """See `Forge.bring`."""
        return bring(copy, self.own or self.remote, proposal, access=self._own_access())

    def propose(self, copy: Path, proposal: str, commit: str, words: Words) -> Sent:  # noqa: ARG002  (typed there)
        """See `Forge.propose`; the person opens the page."""
        try:
            (result,) = push(
                copy, self.own or self.remote, [Push(proposal_ref(proposal), commit)], access=self._own_access()
            )
        except EnvironmentProblem as problem:
            raise EnvironmentProblem(problem.message, hint=self._ways()) from problem
        return Sent.of(result, self.page_of(proposal))

    def requests(self, proposal: str) -> tuple[Request, ...]:
        """See `Forge.requests`; only what everybody is shown."""
        try:
            listed = self.listed(100) if self.listed else ()
        except EnvironmentProblem:
            return ()
        return tuple(one for one in listed if one.proposal == proposal)

    def checks(self, request: Request) -> Checks:  # noqa: ARG002  (nobody is asked)
        """See `Forge.checks`."""
        return Checks.NONE

    def advance(self, copy: Path, commit: str) -> Sent:
        """Push the very first commit of main; later ones are merged on the forge (Refused)."""
        (result,) = push(copy, self.remote, [Push(MAIN, commit)], access=self.access)
        if result.outcome is PushOutcome.REFUSED:
            hint = f"merge the pull request at {web_page(self.remote.url)}"
            raise Refused("this forge takes nothing on main by push", hint=hint)
        return Sent.of(result, web_page(self.remote.url))

    def may_merge(self) -> bool:
        """See `Forge.may_merge`; nobody is asked."""
        return False

    def merge(self, request: Request, commit: str, words: Words) -> None:  # noqa: ARG002  (see `merging`)
        """See `Forge.merge`; without a token a person does it."""
        raise Refused("merging is done on the forge's page", hint=f"open {request.url}")

    def forget(self, copy: Path, proposal: str, why: str) -> None:  # noqa: ARG002  (a person closes what is open)
        """See `Forge.forget`."""
        push(copy, self.own or self.remote, [Push(proposal_ref(proposal), None)], access=self._own_access())

    def comment(self, request: Request, text: str) -> None:  # noqa: ARG002  (a person writes there)
        """See `Forge.comment`."""
        raise Refused("without a token nothing can be said there", hint=f"open {request.url}")

    def describe_account(self) -> str:
        """See `Forge.describe_account`."""
        return "nobody: without a token a person goes on in the browser"

    def page_of(self, proposal: str) -> str:
        """See `Forge.page_of`."""
        own = self.own is not None
        page, fork = web_page(self.remote.url), self._fork_page()
        branch = f"submit/{proposal}"
        owner = urlsplit(fork).path.strip("/").rpartition("/")[0]
        pattern = COMPARE[self.host][own]
        return pattern.format(page=page, fork=fork, owner=owner, branch=branch, quoted=quote(branch, safe=""))

    def _own_access(self) -> Access:
        """Return how our branches are pushed: a token goes to the registry's own host, by https, and nowhere else."""
        if self.own is None:
            return self.access
        same = self.own.transport is Transport.HTTPS and self.own.origin.lower() == self.remote.origin.lower()
        return self.access if same else NO_ACCESS

    def _fork_page(self) -> str:
        """Return the page of our fork: beside the registry's, by whatever port Git reaches it; Pagure's has a place."""
        page, fork = urlsplit(web_page(self.remote.url)), urlsplit(web_page((self.own or self.remote).url))
        path = fork.path.replace("/forks/", "/fork/", 1) if self.host is Host.PAGURE else fork.path
        return f"{fork.scheme}://{page.netloc if page.hostname == fork.hostname else fork.netloc}{path}"

    def _ways(self) -> str:
        """Say how somebody who may not push here goes on."""
        page = web_page(self.remote.url)
        fork = NEW_FORK.get(self.host, "{page}").format(page=page)
        return (
            "nothing is lost. Without a token: 1. make a fork of your own in the browser "
            f"({fork}); 2. `medperf-git submit --fork ADDRESS` with the address by which you may push to it "
            "(git@… with your SSH key works). Or write a bundle with `medperf-git submit --no-push`, which somebody "
            "else sends with `submit --from-bundle`"
        )


def web_page(url: str) -> str:
    """Return the address of a repository's page from its Git address."""
    if match := _SCP.fullmatch(url):
        url = f"https://{match.group(1)}/{match.group(2)}"
    parts = urlsplit(url)
    name = BESIDE.get(parts.hostname or "", parts.hostname)
    port = f":{parts.port}" if parts.port and parts.scheme == "https" else ""
    return f"https://{name}{port}{parts.path.removesuffix('/').removesuffix('.git')}"
