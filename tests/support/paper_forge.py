"""A forge on paper: what its interface would say is held in memory, its repositories are real ones in a folder.

For the rules of `Pulls` alone; the real forges and their described servers are played elsewhere, through real adapters.

forge = PaperForge(tmp_path)                 # holds org/heart.git
forge.pulls("alice").propose(copy, proposal, commit, words)
"""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from medperf_git.forge.api import Cause, Comment, Fault, Repository
from medperf_git.forge.credentials import Token
from medperf_git.forge.host import Host
from medperf_git.forge.patience import Patience
from medperf_git.forge.port import Account, Checks, Request, State, Words
from medperf_git.forge.pulls import Pulls
from medperf_git.registry.remotes import Remote
from tests.support.people import git_environ

SLUG = "org/heart"
T = TypeVar("T")


@dataclass
class PaperForge:
    """Guards the repositories, the requests, and what was asked."""

    folder: Path
    writers: set[str] = field(default_factory=lambda: {"maint"})
    requests: list[Request] = field(default_factory=list)
    comments: dict[int, list[Comment]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    slow_forks: int = 0
    faults: dict[str, list[tuple[Fault, bool]]] = field(default_factory=dict)

    def repository(self, slug: str = SLUG) -> Path:
        """Return where a repository lies."""
        return self.folder / f"{slug}.git"

    def git(self, *argv: str, slug: str = SLUG) -> str:
        """Run git in one of the repositories."""
        command = ["git", f"--git-dir={self.repository(slug)}", *argv]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=git_environ()).stdout.strip()

    def pulls(self, name: str, *, say: Callable[[str], None] = lambda _: None) -> Pulls:
        """Return the adapter as one account has it, which waits no time."""
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        patience = Patience(sleep=sleep, clock=lambda: now[0], draw=lambda: 0.5)
        remote = Remote.at_path(self.repository())
        page = f"https://forge.example/{SLUG}"
        token = Token(f"token-of-{name}", "MEDPERF_GIT_TOKEN")
        return Pulls(remote, Host.GITHUB, PaperApi(self, name), SLUG, page, token, say, patience)

    def fail(self, call: str, *faults: Fault, after: bool = False) -> None:
        """Let the next calls of this name fail, before or `after` their work was done."""
        self.faults.setdefault(call, []).extend((fault, after) for fault in faults)

    def close(self, number: int, by: str) -> None:
        """Let somebody close a request."""
        self.change(number, state=State.CLOSED, closed_by=by)

    def change(self, number: int, **changes: object) -> None:
        """Change what is known of a request."""
        at = next(place for place, one in enumerate(self.requests) if one.number == number)
        self.requests[at] = replace(self.requests[at], **changes)  # type: ignore[arg-type]

    def delete_fork(self, name: str) -> None:
        """Let somebody delete their fork; their requests stay, from nowhere."""
        subprocess.run(["rm", "-rf", self.repository(f"{name}/heart")], check=True)
        gone = f"{name}/heart"
        self.requests = [replace(one, source="") if one.source == gone else one for one in self.requests]

    @property
    def open(self) -> list[Request]:
        """The requests that are open."""
        return [one for one in self.requests if one.state is State.OPEN]


@dataclass
class PaperApi:
    """The interface as one account sees it; an `Api`."""

    forge: PaperForge
    name: str

    def me(self) -> Account:
        """See `Api.me`."""
        self._ask("me")
        return self._done("me", Account(self.name, frozenset({"repo"})))

    def repository(self, slug: str) -> Repository | None:
        """See `Api.repository`."""
        self._ask("repository")
        there = self.forge.repository(slug).exists()
        return self._done("repository", self._told(slug) if there else None)

    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """See `Api.find_fork`."""
        self._ask("find_fork")
        fork = f"{owner}/{slug.rpartition('/')[2]}"
        return self._done("find_fork", self._told(fork) if self.forge.repository(fork).exists() else None)

    def fork(self, slug: str) -> Repository:
        """See `Api.fork`."""
        self._ask("fork")
        fork = f"{self.name}/{slug.rpartition('/')[2]}"
        source, target = self.forge.repository(slug), self.forge.repository(fork)
        command = ["git", "clone", "-q", "--bare", str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True, env=git_environ())
        return self._done("fork", self._told(fork))

    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """See `Api.open_requests`."""
        self._ask("open_requests")
        return self._done("open_requests", list(reversed([self._now(one) for one in self.forge.open]))[:limit])

    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """See `Api.requests_of`."""
        self._ask("requests_of")
        found = [self._now(one) for one in self.forge.requests if one.branch == branch]
        return self._done("requests_of", list(reversed(found)))

    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """See `Api.open_request`; like GitHub's stand-in it takes the same twice."""
        self._ask("open_request")
        number = len(self.forge.requests) + 1
        commit = self.forge.git("rev-parse", f"refs/heads/{branch}", slug=source.slug)
        made = Request(
            number=number,
            branch=branch,
            commit=commit,
            source=source.slug,
            author=self.name,
            state=State.OPEN,
            url=f"https://forge.example/{slug}/pull/{number}",
            ref=f"refs/pull/{number}/head",
            title=words.title,
            body=words.body,
        )
        self.forge.requests.append(made)
        self._show(made)
        return self._done("open_request", made)

    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """See `Api.edit_request`."""
        self._ask("edit_request")
        self.forge.change(request.number, title=words.title, body=words.body)
        self._done("edit_request", None)

    def close_request(self, slug: str, request: Request) -> None:
        """See `Api.close_request`."""
        self._ask("close_request")
        self.forge.change(request.number, state=State.CLOSED, closed_by=self.name)
        self._done("close_request", None)

    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:
        """See `Api.merge_request`; what it makes is a real merge commit."""
        self._ask("merge_request")
        if self.name not in self.forge.writers:
            raise Fault(Cause.STATUS, 403, "you may not merge")
        now = self._now(request)
        if now.commit != commit:
            raise Fault(Cause.STATUS, 409, "Head branch was modified")
        git = self.forge.git
        git("fetch", "-q", str(self.forge.repository(now.source)), f"+refs/heads/{now.branch}:{now.ref}")
        tree = git("merge-tree", "--write-tree", "refs/heads/main", commit)
        merge = git("commit-tree", tree, "-p", "refs/heads/main", "-p", commit, "-m", words.title)
        git("update-ref", "refs/heads/main", merge)
        self.forge.change(request.number, state=State.MERGED)
        self._done("merge_request", None)

    def checks(self, slug: str, request: Request) -> Checks:
        """See `Api.checks`."""
        self._ask("checks")
        return self._done("checks", Checks.NONE)

    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """See `Api.comments`."""
        self._ask("comments")
        return self._done("comments", list(self.forge.comments.get(request.number, [])))

    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """See `Api.add_comment`."""
        self._ask("add_comment")
        there = self.forge.comments.setdefault(request.number, [])
        there.append(Comment(str(len(there)), self.name, text))
        self._done("add_comment", None)

    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:
        """See `Api.edit_comment`."""
        self._ask("edit_comment")
        there = self.forge.comments[request.number]
        there[int(comment.id)] = replace(comment, text=text)
        self._done("edit_comment", None)

    def _told(self, slug: str) -> Repository:
        own = slug.startswith(f"{self.name}/") or (slug == SLUG and self.name in self.forge.writers)
        self.forge.slow_forks -= slug != SLUG
        return Repository(slug, f"{slug}.git", may_push=own, ready=slug == SLUG or self.forge.slow_forks < 0)

    def _now(self, request: Request) -> Request:
        """Return a request with the head that its branch has now, and show it in the registry."""
        if request.state is not State.OPEN or not request.source:
            return request
        commit = self.forge.git("rev-parse", f"refs/heads/{request.branch}", slug=request.source)
        now = replace(request, commit=commit)
        self._show(now)
        return now

    def _show(self, request: Request) -> None:
        source = str(self.forge.repository(request.source))
        self.forge.git("fetch", "-q", source, f"+refs/heads/{request.branch}:{request.ref}")

    def _ask(self, call: str) -> None:
        self.forge.asked.append(call)
        waiting = self.forge.faults.get(call, [])
        if waiting and not waiting[0][1]:
            raise waiting.pop(0)[0]

    def _done(self, call: str, answer: T) -> T:
        waiting = self.forge.faults.get(call, [])
        if waiting and waiting[0][1]:
            raise waiting.pop(0)[0]
        return answer
