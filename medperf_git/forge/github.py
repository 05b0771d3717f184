"""GitHub's REST interface, by PyGithub over our own session: github.com, and GitHub Enterprise Server.

PyGithub gives its models and the calls that they know. What travels goes through `forge.http`: no redirection is
followed, answers are capped, certificates and proxies are this person's, and PyGithub, which keeps logs, never holds
the token. Every address is made here from names that we know. One that an answer brings along, for the next page or
the rest of an object, is not asked: no call hides another.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from github import BadAttributeException, GithubException
from github.AuthenticatedUser import AuthenticatedUser
from github.CheckRun import CheckRun
from github.Commit import Commit
from github.CommitStatus import CommitStatus
from github.GithubObject import GithubObject, NotSet
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.PaginatedList import PaginatedList
from github.PullRequest import PullRequest
from github.Repository import Repository as GitHubRepository
from github.Requester import Requester

from medperf_git.forge.api import Cause, Comment, Fault, Repository
from medperf_git.forge.http import Session, check_address, open_session
from medperf_git.forge.port import Account, Checks, Request, State, Words
from medperf_git.registry.transport import clean

T = TypeVar("T", bound=GithubObject)

JUDGE = "judge"
PAGE = 100
MOST_OPEN = 500
MOST_COMMENTS = 300
_VERSION = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SAID = {
    "success": Checks.PASSED,
    "neutral": Checks.PASSED,
    "pending": Checks.RUNNING,
    "skipped": Checks.NONE,
    "stale": Checks.NONE,
}
_WEIGHED = (Checks.FAILED, Checks.RUNNING, Checks.PASSED)


class _Requester(Requester):
    """What PyGithub's models ask, asked by our session."""

    def __init__(self, address: str, session: Session) -> None:
        waits: dict[str, Any] = {"timeout": 25, "retry": None, "pool_size": None, "verify": True}
        super().__init__(auth=None, base_url=address, user_agent="medperf-git", per_page=PAGE, **waits)
        self._address = address
        self._session = session

    def requestJson(  # noqa: N802  (PyGithub's name)
        self,
        verb: str,
        url: str,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        input: Any | None = None,  # noqa: A002  (PyGithub's name)
        *_: Any,
        **__: Any,
    ) -> tuple[int, dict[str, Any], str]:
        """Ask one thing; a status of 300 or more never comes back from here, the session raises it."""
        if not url.startswith("/"):
            raise Fault(Cause.GARBLED, said="an answer lacks something that belongs to it")
        place = self._address + url
        value, said = self._session.ask_with_headers(verb, place, params=parameters, json=input, headers=headers)
        return 200, dict(said), "" if value is None else json.dumps(value)


@contextmanager
def _understood() -> Iterator[None]:
    """Turn whatever PyGithub makes of an answer in another form into a `Fault`."""
    try:
        yield
    except (GithubException, BadAttributeException, ValueError, TypeError, LookupError) as error:
        raise Fault(Cause.GARBLED, said="an answer of another form") from error
    except (AssertionError, AttributeError, RecursionError) as error:
        raise Fault(Cause.GARBLED, said="an answer of another form") from error


class GitHub:
    """See `Api`."""

    def __init__(self, requester: Requester, *, anonymous: bool) -> None:
        self._requester = requester
        self._anonymous = anonymous
        self._login = ""

    @classmethod
    def open(cls, address: str, token: str, environ: Mapping[str, str]) -> "GitHub":
        """Return the interface at an address (`https://api.github.com`); with no token we are nobody there."""
        session = open_session(environ, login={"Authorization": f"Bearer {token}"} if token else {})
        session.headers.update(_VERSION)
        return cls(_Requester(check_address(address).rstrip("/"), session), anonymous=not token)

    @_understood()
    def me(self) -> Account:
        """See `Api.me`; a fine-grained token does not tell its scopes."""
        headers, data = self._requester.requestJsonAndCheck("GET", "/user")
        self._login = _text(AuthenticatedUser(self._requester, headers, data, completed=True).login)
        scopes = headers.get("x-oauth-scopes")
        told = None if scopes is None else frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())
        return Account(self._login, told)

    @_understood()
    def repository(self, slug: str) -> Repository | None:
        """See `Api.repository`."""
        found = self._find(slug)
        return None if found is None else _repository(found, asked=slug)

    @_understood()
    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """See `Api.find_fork`: the repository of the same name, if it is one, else one of the newest forks.

        One that is older than the newest hundred and has another name is found by `fork`, which GitHub answers with
        the fork that is there already.
        """
        registry, _, name = slug.partition("/")
        if registry.lower() == owner.lower():  # nobody forks what is their own
            return None
        try:
            found = self._find(f"{owner}/{name}")
        except Fault as fault:
            if fault.cause is not Cause.REDIRECT:  # it was renamed, and is in the list under its new name
                raise
            found = None
        if found is not None and _is_fork_of(found, slug):
            return _repository(found)
        forks = self._repo(slug).get_forks().get_page(0)
        mine = [one for one in forks if _text(one.owner.login).lower() == owner.lower()]
        found = self._find(_text(mine[0].full_name)) if mine else None
        return _repository(found) if found is not None and _is_fork_of(found, slug) else None

    @_understood()
    def fork(self, slug: str) -> Repository:
        """See `Api.fork`; with main alone, and where we have one already GitHub answers that one."""
        return _repository(self._repo(slug).create_fork(default_branch_only=True))

    @_understood()
    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """See `Api.open_requests`."""
        pulls = self._repo(slug).get_pulls(state="open", sort="created", direction="desc", base="main")
        return [_request(pull, slug) for pull in _pages(pulls, limit)]

    @_understood()
    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """See `Api.requests_of`.

        GitHub lists by branch only together with its owner. So there are three questions: all that are open, and of
        any state those from our own account and from the registry's. What is closed from the fork of a third person
        is not found: nobody needs it.
        """
        if not self._anonymous and not self._login:
            self.me()
        found = {one.number: one for one in self.open_requests(slug, MOST_OPEN) if one.branch == branch}
        for owner in dict.fromkeys((slug.partition("/")[0], self._login)):
            if owner:
                pulls = self._repo(slug).get_pulls(state="all", base="main", head=f"{owner}:{branch}")
                listed = [_request(pull, slug) for pull in _pages(pulls, PAGE)]
                found |= {one.number: one for one in listed if one.branch == branch}
        newest = sorted(found.values(), key=lambda one: one.number, reverse=True)
        return [self._told_by_whom(slug, one) if one.state is State.CLOSED else one for one in newest]

    @_understood()
    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """See `Api.open_request`."""
        own = source.slug == slug
        pull = self._repo(slug).create_pull(
            base="main",
            head=branch if own else f"{source.slug.partition('/')[0]}:{branch}",
            title=words.title,
            body=words.body,
            maintainer_can_modify=NotSet if own else True,
        )
        return _request(pull, slug)

    @_understood()
    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """See `Api.edit_request`."""
        self._pull(slug, request).edit(title=words.title, body=words.body)

    @_understood()
    def close_request(self, slug: str, request: Request) -> None:
        """See `Api.close_request`."""
        self._pull(slug, request).edit(state="closed")

    @_understood()
    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:
        """See `Api.merge_request`."""
        pull = self._pull(slug, request)
        done = pull.merge(commit_title=words.title, commit_message=words.body, merge_method="merge", sha=commit)
        if done.merged is not True:
            raise Fault(Cause.STATUS, 405, said=clean(_text(done.message)))

    @_understood()
    def checks(self, slug: str, request: Request) -> Checks:
        """See `Api.checks`; check runs first, then statuses, which other services write."""
        if not request.commit:
            return Checks.NONE
        commit = Commit(
            self._requester, {}, {"url": f"{self._repo(slug).url}/commits/{request.commit}"}, completed=False
        )
        runs = commit.get_check_runs().get_page(0)
        if judged := [_verdict(run) for run in runs if run.name == JUDGE]:
            return _worst(judged)
        statuses = commit.get_combined_status().statuses
        if judged := [_verdict(status) for status in statuses if status.context == JUDGE]:
            return _worst(judged)
        return _worst([*map(_verdict, runs), *map(_verdict, statuses)])

    @_understood()
    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """See `Api.comments`; the oldest three hundred."""
        listed = _pages(self._pull(slug, request).get_issue_comments(), MOST_COMMENTS)
        return [Comment(str(one.id), _login_of(one), one.body or "") for one in listed]

    @_understood()
    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """See `Api.add_comment`."""
        self._pull(slug, request).create_issue_comment(text)

    @_understood()
    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:  # noqa: ARG002
        """See `Api.edit_comment`; a comment's number is its own in the whole repository."""
        at = f"{self._repo(slug).url}/issues/comments/{int(comment.id)}"
        IssueComment(self._requester, {}, {"url": at}, completed=False).edit(text)

    def _repo(self, slug: str) -> GitHubRepository:
        """Return a repository's model without asking for it."""
        return GitHubRepository(self._requester, {}, {"url": f"/repos/{slug}"}, completed=False)

    def _find(self, slug: str) -> GitHubRepository | None:
        try:
            headers, data = self._requester.requestJsonAndCheck("GET", f"/repos/{slug}")
        except Fault as fault:
            if fault.status == 404:
                return None
            raise
        return GitHubRepository(self._requester, headers, data, completed=True)

    def _pull(self, slug: str, request: Request) -> PullRequest:
        """Return a pull request's model without asking for it."""
        repo = self._repo(slug).url
        places = {"url": f"{repo}/pulls/{request.number}", "issue_url": f"{repo}/issues/{request.number}"}
        return PullRequest(self._requester, {}, places, completed=False)

    def _told_by_whom(self, slug: str, request: Request) -> Request:
        """Return a closed request with who closed it, which only the issue behind it tells, and not to everybody."""
        issue = Issue(self._requester, {}, {"url": f"{self._repo(slug).url}/issues/{request.number}"}, completed=False)
        try:
            closer: Any = issue.closed_by
        except Fault as fault:
            if fault.status not in (403, 404, 410):
                raise
            return request
        return replace(request, closed_by="" if closer is None else _text(closer.login))


def _pages(found: PaginatedList[T], limit: int) -> list[T]:
    """Return up to `limit` of a list, page by page, by numbers of pages that we count ourselves."""
    items: list[T] = []
    while len(items) < limit:
        page = found.get_page(len(items) // PAGE)
        items += page
        if len(page) < PAGE:
            break
    return items[:limit]


def _repository(found: GitHubRepository, *, asked: str = "") -> Repository:
    name = _text(found.full_name)
    slug = asked if asked.lower() == name.lower() else name  # GitHub does not mind how a name is capitalised
    rights: Any = found.permissions
    return Repository(slug, f"{slug}.git", may_push=rights is not None and rights.push is True)


def _is_fork_of(found: GitHubRepository, slug: str) -> bool:
    origins: tuple[Any, ...] = (found.parent, found.source)
    return any(one is not None and _text(one.full_name).lower() == slug.lower() for one in origins)


def _request(pull: PullRequest, slug: str) -> Request:
    holder: Any = pull.head.repo
    source = "" if holder is None else _text(holder.full_name)
    commit, number = _text(pull.head.sha), pull.number
    if number < 1 or not _COMMIT.fullmatch(commit):
        raise ValueError("no number of a pull request, or no commit")
    return Request(
        number=number,
        branch=clean(_text(pull.head.ref)),
        commit=commit,
        source=slug if source.lower() == slug.lower() else source,
        author=_login_of(pull),
        state=_state(pull),
        url=_page(pull.html_url),
        ref=f"refs/pull/{number}/head",
        title=clean(_text(pull.title)),
        body=pull.body or "",
    )


def _state(pull: PullRequest) -> State:
    merged: Any = pull.merged_at
    if merged is not None:
        return State.MERGED
    return State(_text(pull.state))


def _login_of(said: PullRequest | IssueComment) -> str:
    """Return who said it; empty where the account is gone."""
    user: Any = said.user
    return "" if user is None else _text(user.login)


def _page(url: str) -> str:
    if not url.startswith("https://") or not url.isprintable():
        raise ValueError("no address of a page")
    return url


def _verdict(said: CheckRun | CommitStatus) -> Checks:
    if isinstance(said, CommitStatus):
        return _SAID.get(_text(said.state), Checks.FAILED)
    return _SAID.get(_text(said.conclusion), Checks.FAILED) if said.status == "completed" else Checks.RUNNING


def _worst(said: Sequence[Checks]) -> Checks:
    return next((one for one in _WEIGHED if one in said), Checks.NONE)


def _text(value: object) -> str:
    """Return what must be a text; PyGithub lets through that an answer has none."""
    if not isinstance(value, str) or not value:
        raise TypeError("no text where one belongs")
    return value
