"""A forge reached through its REST interface: pull requests, from a branch of the registry or of our own fork.

Rules kept here: a proposal is looked for before and after it is opened, so there are never two of ours; it stands on
main of the registry and never on that of a fork; a token goes to the registry's own host only; what was closed by
people is not opened again over their heads. Of a fork of somebody else's nothing is asked: who signs what lies there
opens a pull request of their own, with all signatures so far, which says which one it replaces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.forge.api import Api, Repository
from medperf_git.forge.browser import web_page
from medperf_git.forge.credentials import Token, credential_of
from medperf_git.forge.faults import ForgeProblem, Surroundings
from medperf_git.forge.gathering import bring, gather
from medperf_git.forge.guard import Guard
from medperf_git.forge.host import Host
from medperf_git.forge.patience import Patience
from medperf_git.forge.port import Account, Checks, Merging, Request, Sent, State, Words
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import proposal_ref
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import MAIN, NO_ACCESS, UPSTREAM_MAIN, Access, Push, list_refs, push

FORK_SECONDS = 50.0  # with a `git` that stalls at the end of it, below two minutes
MARK = "<!-- medperf-git -->"
MERGED_ELSEWHERE = frozenset({405, 409, 422, 425})


@dataclass
class Pulls:
    """Guards what we know of one forge in one command: who we are, where we may push, which requests there are."""

    name: ClassVar[str] = "pulls"
    merging: ClassVar[Merging] = Merging.API

    remote: Remote
    host: Host
    api: Api
    slug: str
    page: str
    token: Token
    say: Callable[[str], None] = lambda _: None
    patience: Patience = field(default_factory=Patience)
    _account: Account | None = None
    _registry: Repository | None = None
    _fork: Repository | None = None
    _kept: Guard | None = None

    def fetch(self, copy: Path) -> None:
        """See `Forge.fetch`."""
        access = self._access()
        with self._guard().losing():
            gather(copy, self.remote, access, self._listed, say=self.say)

    def bring(self, copy: Path, proposal: str) -> str | None:
        """See `Forge.bring`."""
        guard = self._guard()
        remote, access = self._remote_of(guard, self._place(guard, proposal)), self._access()
        with guard.losing():
            return bring(copy, remote, proposal, access=access)

    def propose(self, copy: Path, proposal: str, commit: str, words: Words) -> Sent:
        """See `Forge.propose`."""
        guard = self._guard()
        place = self._place(guard, proposal)
        known = self._requests(guard, proposal)
        own = _standing([one for one in known if self._counts(guard, one, place)])
        if own is not None and own.state is State.CLOSED:
            raise Refused(_closed(own), hint=f"read why at {own.url}; it can be opened again there, on that page")
        remote, access = self._remote_of(guard, place), self._access()
        with guard.losing():
            (result,) = push(copy, remote, [Push(proposal_ref(proposal), commit)], access=access)
        sent = Sent.of(result, own.url if own else self.page)
        if not sent.accepted or (own is not None and own.state is State.MERGED):
            return sent
        others = [one for one in known if one.state is State.OPEN and one.source != place.slug]
        return Sent.of(result, self._opened(guard, proposal, place, own, _replacing(words, others)).url)

    def requests(self, proposal: str) -> tuple[Request, ...]:
        """See `Forge.requests`."""
        return self._requests(self._guard(), proposal)

    def checks(self, request: Request) -> Checks:
        """See `Forge.checks`."""
        return self._guard().read("read the verdict", lambda: self.api.checks(self.slug, request))

    def advance(self, copy: Path, commit: str) -> Sent:
        """Push the very first commit of main; later ones are merged by pull request (Refused)."""
        if list_refs(self.remote, [MAIN], access=self._access()):
            raise Refused("this forge takes nothing on main by push", hint=f"merge the pull request at {self.page}")
        (result,) = push(copy, self.remote, [Push(MAIN, commit)], access=self._access())
        return Sent.of(result, self.page)

    def may_merge(self) -> bool:
        """See `Forge.may_merge`."""
        return self._upstream(self._guard()).may_push

    def merge(self, request: Request, commit: str, words: Words) -> None:
        """See `Forge.merge`."""
        guard = self._guard()

        def merged() -> bool | None:
            now = self.api.requests_of(self.slug, request.branch)
            return True if any((one.number, one.state) == (request.number, State.MERGED) for one in now) else None

        def merge() -> bool:
            self.api.merge_request(self.slug, request, commit, words)
            return True

        try:
            guard.write("merge the pull request", merge, found=merged)
        except ForgeProblem as problem:
            if problem.status not in MERGED_ELSEWHERE:
                raise
            hint = f"{problem.hint}; its page says what is missing: {request.url}"
            raise Refused(problem.message, hint=hint) from problem

    def forget(self, copy: Path, proposal: str, why: str) -> None:
        """See `Forge.forget`."""
        guard = self._guard()
        places = [one for one in (self._upstream(guard), self._find_fork(guard)) if one is not None and one.may_push]
        slugs = {place.slug for place in places}
        known = self._requests(guard, proposal)
        gone, kept = {one.source for one in known if one.source in slugs}, set()
        for request in known:
            own = request.source in slugs and request.author == self._me(guard).name
            done = self._upstream(guard).may_push and _is_in_main(copy, request.commit)
            if request.state is State.OPEN and (own or done):
                self._close(guard, request, why)
            elif request.state is State.OPEN:
                kept.add(request.source)
        for place in places:
            if place.slug in gone - kept:  # with its branch somebody else's request would be closed
                push(copy, self._remote_of(guard, place), [Push(proposal_ref(proposal), None)], access=self._access())

    def comment(self, request: Request, text: str) -> None:
        """See `Forge.comment`."""
        guard = self._guard()
        me, body = self._me(guard).name, f"{MARK}\n{text}"
        there = guard.read("read the comments", lambda: self.api.comments(self.slug, request))
        own = next((one for one in reversed(there) if one.author == me and one.text.startswith(MARK)), None)
        if own is None:
            self._add_comment(guard, request, body)
        elif own.text.strip() != body.strip():

            def edit() -> bool:
                self.api.edit_comment(self.slug, request, own, body)
                return True

            guard.write("change our comment", edit, found=lambda: None)

    def describe_account(self) -> str:
        """See `Forge.describe_account`."""
        guard = self._guard()
        me, registry = self._me(guard), self._upstream(guard)
        way = "pushes to the registry" if registry.may_push else "pushes to your fork, which is made when needed"
        scopes = "" if me.scopes is None else f", scopes: {', '.join(sorted(me.scopes)) or 'none'}"
        return f"{me.name} by the token from {self.token.origin}{scopes}; {way}"

    def page_of(self, proposal: str) -> str:
        """See `Forge.page_of`: that of its newest request, the registry's where none is found."""
        try:
            known = self.requests(proposal)
        except EnvironmentProblem:
            return self.page
        return known[0].url if known else self.page

    def _guard(self) -> Guard:
        """Return the one guard of this command: what is lost on a silent forge is counted over all that is done."""
        if self._kept is None:
            name = self.page.split("/")[2]
            where = Surroundings(self.host, name, self.token.origin, self.page, self.token.secret)
            self._kept = Guard(where, self.patience)
        return self._kept

    def _listed(self, limit: int) -> list[Request]:
        guard = self._guard()
        return list(guard.read("list the pull requests", lambda: self.api.open_requests(self.slug, limit)))

    def _me(self, guard: Guard) -> Account:
        if self._account is None:
            self._account = guard.read("ask who we are", self.api.me)
        return self._account

    def _access(self) -> Access:
        if self.remote.transport is not Transport.HTTPS:
            return NO_ACCESS
        named = self.host is Host.PAGURE and not self.token.username  # only Pagure wants the account's own name
        username = self._me(self._guard()).name if named else ""
        return Access(credential=credential_of(self.token, self.host, username=username))

    def _upstream(self, guard: Guard) -> Repository:
        if self._registry is None:
            self._registry = guard.read("look at the registry", lambda: self.api.repository(self.slug))
        if self._registry is None:
            hint = "check the address, and that your token may see it; nothing was sent"
            raise ForgeProblem(f"{self.page} shows no repository {self.slug} to us", hint=hint, status=404)
        return self._registry

    def _find_fork(self, guard: Guard) -> Repository | None:
        me = self._me(guard)
        return guard.read("look for your fork", lambda: self.api.find_fork(self.slug, me.name))

    def _place(self, guard: Guard, proposal: str) -> Repository:
        """Return the repository whose branch we push: where our request is already, the registry, or our fork."""
        upstream = self._upstream(guard)
        if upstream.may_push:
            fork = self._find_fork(guard)
            standing = {one.source for one in self._requests(guard, proposal) if one.state is State.OPEN}
            moved = fork is not None and fork.slug in standing and upstream.slug not in standing
            return fork if moved and fork is not None else upstream
        if self._fork is None:
            self._fork = self._find_fork(guard) or self._make_fork(guard)
        return self._fork

    def _make_fork(self, guard: Guard) -> Repository:
        """Make our fork and wait until the forge has filled it."""
        me = self._me(guard)
        self.say(f"you may not write to {self.slug}; making a fork of yours")
        try:
            fork = guard.write(
                "make your fork", lambda: self.api.fork(self.slug), found=lambda: self.api.find_fork(self.slug, me.name)
            )
        except ForgeProblem as problem:
            if problem.status != 409:
                raise
            hint = "rename it there, or make a fork of another name on its page; then run the same command again"
            raise Refused(f"you have another repository of the name of {self.slug} there", hint=hint) from problem
        deadline = self.patience.clock() + FORK_SECONDS
        while (missing := self._missing(guard, fork)) is not None:
            if self.patience.clock() > deadline:
                hint = "the forge is still making it; run the same command again in some minutes, nothing is lost"
                raise ForgeProblem(f"cannot use your fork {fork.slug} yet: {missing}", hint=hint)
            self.patience.sleep(1.0)
            found = guard.read("look for your fork", lambda: self.api.find_fork(self.slug, me.name))
            fork = found or fork
        return fork

    def _missing(self, guard: Guard, fork: Repository) -> str | None:
        """Say what a new fork still lacks, None for one that is filled."""
        if not fork.ready:
            return "the forge has not finished it"
        try:
            refs = list_refs(self._remote_of(guard, fork), [MAIN], access=self._access())
        except EnvironmentProblem as problem:
            return problem.message
        return None if refs else "it has no branch main"

    def _remote_of(self, guard: Guard, place: Repository) -> Remote:
        """Return where Git reaches a repository: the registry's own address with another path."""
        if place.slug == self.slug:
            return self.remote
        path = self._upstream(guard).git_path.removesuffix(".git")
        url = self.remote.url.removesuffix("/").removesuffix(".git")
        start = url.removesuffix(path)
        if start == url or not start.endswith(("/", ":")):
            hint = "add the registry anew by the address that its page shows; nothing was sent"
            raise ForgeProblem(f"{self.remote.url} does not end with {path}, by which its forge calls it", hint=hint)
        found = Remote.parse(f"{start}{place.git_path}")
        if _host_of(found) != _host_of(self.remote) or ".." in place.git_path.split("/"):
            hint = "a token goes to no other host, and nothing was sent; ask who runs this one"
            raise ForgeProblem(f"{_host_of(self.remote)} says that {place.slug} lies at another place", hint=hint)
        return found

    def _requests(self, guard: Guard, proposal: str) -> tuple[Request, ...]:
        branch = f"submit/{proposal}"
        return tuple(guard.read("look for the pull request", lambda: self.api.requests_of(self.slug, branch)))

    def _opened(self, guard: Guard, proposal: str, place: Repository, own: Request | None, words: Words) -> Request:
        if own is not None:
            self._edited(guard, own, words)
            return self._only_one(guard, proposal, place, own)
        branch = f"submit/{proposal}"

        def found() -> Request | None:
            there = [one for one in self.api.requests_of(self.slug, branch) if one.source == place.slug]
            return _standing([one for one in there if one.state is State.OPEN])

        opened = guard.write(
            "open the pull request", lambda: self.api.open_request(self.slug, place, branch, words), found=found
        )
        return self._only_one(guard, proposal, place, opened)

    def _only_one(self, guard: Guard, proposal: str, place: Repository, opened: Request) -> Request:
        """Close all but the oldest where a late answer left more than one of ours open."""
        mine = [one for one in self._requests(guard, proposal) if one.source == place.slug and one.state is State.OPEN]
        oldest = _standing(mine) or opened
        for request in mine:
            if request.number != oldest.number:
                self._close(guard, request, f"The same as #{oldest.number}, opened twice by a broken connection.")
        return oldest

    def _counts(self, guard: Guard, request: Request, place: Repository) -> bool:
        """Tell whether a request speaks for what we push: on some forges a stranger can open one from our fork."""
        strange = place.slug != self.slug and request.author != self._me(guard).name
        return request.source == place.slug and not (strange and request.state is State.CLOSED)

    def _edited(self, guard: Guard, own: Request, words: Words) -> None:
        if (own.title, own.body.strip()) == (words.title, words.body.strip()):
            return

        def edit() -> bool:
            self.api.edit_request(self.slug, own, words)
            return True

        guard.write("describe the pull request", edit, found=lambda: None)

    def _close(self, guard: Guard, request: Request, why: str) -> None:
        said = self._said_at(request, why)
        if not guard.read("read the comments", said):
            self._add_comment(guard, request, why)

        def close() -> bool:
            self.api.close_request(self.slug, request)
            return True

        def closed() -> bool | None:
            now = self.api.requests_of(self.slug, request.branch)
            return next((True for one in now if one.number == request.number and one.state is not State.OPEN), None)

        guard.write("close the pull request", close, found=closed)

    def _add_comment(self, guard: Guard, request: Request, text: str) -> None:
        def add() -> bool:
            self.api.add_comment(self.slug, request, text)
            return True

        guard.write("comment on the pull request", add, found=self._said_at(request, text))

    def _said_at(self, request: Request, text: str) -> Callable[[], bool | None]:
        def said() -> bool | None:
            there = self.api.comments(self.slug, request)
            return True if any(one.text.strip() == text.strip() for one in there) else None

        return said


def _host_of(remote: Remote) -> str:
    return urlsplit(web_page(remote.url)).netloc


def _standing(ours: Sequence[Request]) -> Request | None:
    """Return which of our pull requests about one proposal counts: the oldest open one, else the newest."""
    still_open = [one for one in ours if one.state is State.OPEN]
    return min(still_open, key=lambda one: one.number) if still_open else next(iter(ours), None)


def _replacing(words: Words, others: list[Request]) -> Words:
    """Name the requests about the same records that ours, with all signatures so far, stands for."""
    if not others:
        return words
    listed = ", ".join(f"#{one.number}" for one in others)
    return Words(words.title, f"{words.body}\n\nReplaces {listed}: the same records, with all signatures so far.")


def _is_in_main(copy: Path, commit: str) -> bool:
    """Tell whether main holds this head already: a signature on top of it was merged from somebody else's branch."""
    store = open_copy(copy)
    main = store.ref(UPSTREAM_MAIN)
    return bool(main and commit) and store.has_commit(commit) and store.descends(str(main), commit)


def _closed(request: Request) -> str:
    by = f" by {request.closed_by}" if request.closed_by else ""
    return f"the pull request #{request.number} was closed{by} without being merged"
