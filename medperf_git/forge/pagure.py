"""Pagure by its interface (`/api/0`), over plain requests: there is no library for it that is kept.

A project is called `name` or `namespace/name`, a fork `fork/user/name`; Git reaches that under `forks/user/name.git`.
A person's own API key may fork, open and describe; merging, closing and commenting take a key of the project itself,
which its maintainers make. What a key may not do is answered with 401, as if it were none: that is told as 403 here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from medperf_git.forge.api import Cause, Comment, Fault, Repository, as_documented
from medperf_git.forge.http import Session, check_address, open_session
from medperf_git.forge.port import Account, Checks, Request, State, Words
from medperf_git.registry.transport import clean

_PAGE: Final = 50
_MOST: Final = 500
_JUDGE: Final = "judge"
_STATES: Final = {"Open": State.OPEN, "Merged": State.MERGED}
_VERDICTS: Final = {"success": Checks.PASSED, "pending": Checks.RUNNING}
_FORWARD: Final = (
    "it would move main to every commit of the proposal, one by one, and no judge passes that: "
    "its setting `Always merge` must be on, and a key of the project with `modify_project` must be able to see it"
)


class Pagure:
    """Guards one session with a Pagure, and whose key it uses."""

    def __init__(self, address: str, session: Session) -> None:
        self._address = address
        self._session = session
        self._account: Account | None = None

    @classmethod
    def open(cls, address: str, token: str, environ: Mapping[str, str]) -> "Pagure":
        """Return the interface at `https://host/api/0`; an empty token sees what everybody sees."""
        login = {"Authorization": f"token {token}"} if token else {}
        return cls(check_address(address), open_session(environ, login=login))

    def me(self) -> Account:
        """See `Api.me`; Pagure does not tell what a key may do."""
        if self._account is None:
            with as_documented():
                self._account = Account(str(self._ask("POST", "-/whoami")["username"]))
        return self._account

    def repository(self, slug: str) -> Repository | None:
        """See `Api.repository`."""
        value = self._project(slug)
        return None if value is None else self._repository(value)

    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """See `Api.find_fork`; a fork of the same name of something else is none."""
        value = self._project(_fork_slug(slug, owner))
        with as_documented():
            if value is None or (value["parent"] or {}).get("url_path") != slug:
                return None
        return self._repository(value)

    def fork(self, slug: str) -> Repository:
        """See `Api.fork`; it is made in the background."""
        user, namespace, name = _parts(slug)
        fields = {"repo": name, "namespace": namespace, "username": user, "wait": ""}
        self._ask("POST", "fork", data=fields)
        owner = self.me().name
        own = _fork_slug(slug, owner)
        return self.find_fork(slug, owner) or Repository(own, _git_path(own), may_push=True, ready=False)

    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """See `Api.open_requests`."""
        return self._listed(slug, limit, status="Open")

    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """See `Api.requests_of`; Pagure cannot be asked for a branch, so beyond the newest 500 only ours are found."""
        found = {one.number: one for one in self._listed(slug, _MOST, status="All")}
        if len(found) == _MOST:
            more = [*self._listed(slug, _MOST, status="Open")]
            if self._account is not None:
                more += self._listed(slug, _MOST, status="All", author=self._account.name)
            found |= {one.number: one for one in more}
        named = [one for one in found.values() if one.branch == branch]
        return [self._with_head(one) for one in sorted(named, key=lambda one: -one.number)]

    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """See `Api.open_request`."""
        user, namespace, name = _parts(source.slug)
        fields = {
            "title": words.title,
            "initial_comment": words.body,
            "branch_from": branch,
            "branch_to": "main",
            "repo_from": name,
            "repo_from_username": user,
            "repo_from_namespace": namespace,
        }
        told = {key: value for key, value in fields.items() if value}  # an empty namespace would be one
        return self._request(slug, self._ask("POST", f"{slug}/pull-request/new", data=told))

    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """See `Api.edit_request`."""
        fields = {"title": words.title, "initial_comment": words.body}
        self._ask("POST", f"{slug}/pull-request/{request.number}", data=fields)

    def close_request(self, slug: str, request: Request) -> None:
        """See `Api.close_request`."""
        self._ask("POST", f"{slug}/pull-request/{request.number}/close")

    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:  # noqa: ARG002
        """See `Api.merge_request`; Pagure writes its own message.

        It cannot be told which commit is meant: the head is read right before, and the caller verifies the step that
        main gained. Where it can, Pagure moves main forward instead of merging; that is refused here (405).
        """
        value = self._ask("GET", f"{slug}/pull-request/{request.number}")
        now = self._with_head(self._request(slug, value))
        if now.state is not State.OPEN or now.commit != commit:
            raise Fault(Cause.STATUS, 409, said=f"the pull request is {now.state} and its head is {now.commit[:12]}")
        with as_documented():
            forked = value["cached_merge_status"] == "MERGE"  # main went on meanwhile, so there must be a merge
        if not forked and not self._always_merges(slug):
            raise Fault(Cause.STATUS, 405, said=_FORWARD)
        self._ask("POST", f"{slug}/pull-request/{request.number}/merge")

    def checks(self, slug: str, request: Request) -> Checks:
        """See `Api.checks`; on Pagure a check is a flag."""
        value = self._ask("GET", f"{slug}/pull-request/{request.number}/flag")
        with as_documented():
            flags = sorted(value["flags"], key=lambda flag: float(flag["date_updated"]))
            latest = {str(flag["username"]): str(flag["status"]) for flag in flags}
        said = {_VERDICTS.get(status, Checks.FAILED) for status in _judged(latest)}
        return next((one for one in (Checks.FAILED, Checks.RUNNING, Checks.PASSED) if one in said), Checks.NONE)

    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """See `Api.comments`; what Pagure itself notes there is left out."""
        value = self._ask("GET", f"{slug}/pull-request/{request.number}")
        with as_documented():
            written = [one for one in value["comments"] if not one["notification"]]
            return [Comment(str(one["id"]), str(one["user"]["name"]), str(one["comment"])) for one in written]

    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """See `Api.add_comment`."""
        self._ask("POST", f"{slug}/pull-request/{request.number}/comment", data={"comment": text})

    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:  # noqa: ARG002
        """See `Api.edit_comment`; Pagure changes a comment only on its page, so it is written anew."""
        self.add_comment(slug, request, text)

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            return self._session.ask(method, f"{self._address}/{path}", **more)
        except Fault as fault:
            if fault.status == 401 and self._account is not None:
                said = fault.said.rpartition("; ")[2]
                raise Fault(Cause.STATUS, 403, said=said, headers=fault.headers) from fault
            raise

    def _project(self, slug: str) -> Any:
        try:
            return self._ask("GET", slug, params={"expand_group": "1"})
        except Fault as fault:
            if fault.status == 404:
                return None
            raise

    def _repository(self, value: Any) -> Repository:
        with as_documented():
            slug = str(value["url_path"])
            people, groups = value["access_users"], value["access_groups"]
            may = {str(name) for role in ("owner", "admin", "commit") for name in people.get(role, ())}
            for group in (name for role in ("admin", "commit") for name in groups.get(role, ())):
                may |= {str(name) for name in value.get("group_details", {}).get(group, ())}
        return Repository(slug, _git_path(slug), may_push=self._account is not None and self._account.name in may)

    def _listed(self, slug: str, limit: int, **wanted: str) -> list[Request]:
        found: list[Request] = []
        for page in range(1, -(-limit // _PAGE) + 1):
            fields = {"per_page": str(_PAGE), "page": str(page), **wanted}
            value = self._ask("GET", f"{slug}/pull-requests", params=fields)
            with as_documented():
                some = [one for one in value["requests"] if one["branch"] == "main"]
                last = len(value["requests"]) < _PAGE
            found += [self._request(slug, one) for one in some]
            if last:
                break
        return found[:limit]

    def _request(self, slug: str, value: Any) -> Request:
        with as_documented():
            number = int(value["id"])
            page = f"{self._address.removesuffix('/api/0')}/{slug}/pull-request/{number}"
            return Request(
                number,
                branch=clean(str(value["branch_from"])),
                commit=str(value["commit_stop"] or ""),
                source=str(value["repo_from"]["url_path"]) if value["repo_from"] else "",
                author=clean(str(value["user"]["name"])),
                state=_STATES.get(value["status"], State.CLOSED),
                url=page,
                ref=f"refs/pull/{number}/head",
                title=clean(str(value["title"])),
                body=str(value["initial_comment"] or ""),
                closed_by=clean(str(value["closed_by"]["name"])) if value["closed_by"] else "",
            )

    def _with_head(self, request: Request) -> Request:
        """Return an open request with what its branch holds now; what the list says of it comes some seconds later."""
        if request.state is not State.OPEN or not request.source:
            return request
        try:
            value = self._ask("GET", f"{request.source}/git/branches", params={"with_commits": "1"})
        except Fault as fault:
            if fault.status == 404:
                return request
            raise
        with as_documented():
            head = value["branches"].get(request.branch)
        return replace(request, commit=str(head)) if head else request

    def _always_merges(self, slug: str) -> bool:
        try:
            value = self._ask("GET", f"{slug}/options")
        except Fault as fault:
            if fault.status in (401, 403):
                return False
            raise
        with as_documented():
            return value["settings"].get("always_merge") is True


def _judged(latest: Mapping[str, str]) -> list[str]:
    return [latest[_JUDGE]] if _JUDGE in latest else list(latest.values())


def _parts(slug: str) -> tuple[str, str, str]:
    """Return user, namespace and name of a project; empty where it has none."""
    words = slug.split("/")
    user = words[1] if words[0] == "fork" and len(words) > 2 else ""
    *namespace, name = words[2:] if user else words
    return user, "/".join(namespace), name


def _fork_slug(slug: str, owner: str) -> str:
    _, namespace, name = _parts(slug)
    return "/".join(["fork", owner, *([namespace] if namespace else []), name])


def _git_path(slug: str) -> str:
    return f"forks/{slug.removeprefix('fork/')}.git" if slug.startswith("fork/") else f"{slug}.git"
