"""GitLab by its REST interface, version 4, through python-gitlab.

The library speaks through a session of `forge.http`: no redirect and no link to a next page is ever followed, since a
token in a header of GitLab's own would go along; nothing is retried here; every answer is capped. The token is said as
`Authorization: Bearer`, which GitLab takes from personal, project and group tokens and from `glab auth login` alike.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gitlab import Gitlab
from gitlab.exceptions import GitlabError

from medperf_git.forge.api import Cause, Comment, Fault, Repository
from medperf_git.forge.http import CONNECT_SECONDS, READ_SECONDS, Lent, check_address, open_session
from medperf_git.forge.port import Account, Checks, Request, State, Words

PAGE = 100
MOST_COMMENTS = 500
MOST_OPEN = 500
DEVELOPER = 30  # the least role that may push (docs.gitlab.com, "Project members API")
_STATES = {"opened": State.OPEN, "locked": State.OPEN, "merged": State.MERGED, "closed": State.CLOSED}
_RUNNING = ("created", "waiting_for_resource", "preparing", "pending", "running", "manual", "scheduled")
_SETTLING = ("preparing", "unchecked", "checking", "approvals_syncing", "mergeable")  # the last: by now it is


@dataclass
class GitLab:
    """Guards one login, and the projects that were looked up by it."""

    library: Gitlab
    _projects: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, address: str, token: str, environ: Mapping[str, str]) -> "GitLab":
        """Return the interface at `https://HOST/api/v4`; without a token what everybody sees."""
        place, _, version = check_address(address).rpartition("/api/v")
        session = open_session(environ, login={"Authorization": f"Bearer {token}"} if token else {})
        library = Gitlab(
            place,
            timeout=CONNECT_SECONDS + READ_SECONDS,
            api_version=version,
            user_agent="medperf-git",
            retry_transient_errors=False,
            session=Lent(session),
        )
        return cls(library)

    def me(self) -> Account:
        """See `Api.me`; what the token may do is told by another call, which old or narrow ones are not answered."""
        with _faults():
            name = str(self._get("/user")["username"])
            try:
                scopes = frozenset(self._get("/personal_access_tokens/self")["scopes"])
            except Fault as fault:
                if fault.status not in (400, 401, 403, 404):
                    raise
                return Account(name)
        return Account(name, scopes)

    def repository(self, slug: str) -> Repository | None:
        """See `Api.repository`."""
        with _faults():
            try:
                return _repository(self._project(slug, again=True))
            except Fault as fault:
                if fault.status == 404:
                    return None
                raise

    def find_fork(self, slug: str, owner: str) -> Repository | None:
        """See `Api.find_fork`; GitLab lists a person's own forks."""
        with _faults():
            forks = self._listed(self._lazy(slug).forks.list, PAGE, owned="true")
            own = [one for one in forks if one["namespace"]["full_path"].lower() == owner.lower()]
            return replace(_repository(own[0]), may_push=True) if own else None

    def fork(self, slug: str) -> Repository:
        """See `Api.fork`."""
        with _faults():
            return _repository(self._lazy(slug).forks.create({}).attributes)

    def open_requests(self, slug: str, limit: int) -> Sequence[Request]:
        """See `Api.open_requests`; in which forks they lie would be a call each and is not asked (`source`)."""
        with _faults():
            found = self._listed(
                self._lazy(slug).mergerequests.list,
                limit,
                state="opened",
                target_branch="main",
                order_by="created_at",
                sort="desc",
            )
            return [_request(one, slug if _is_own(one) else "") for one in found]

    def requests_of(self, slug: str, branch: str) -> Sequence[Request]:
        """See `Api.requests_of`; what is open is asked for apart: anybody may open and close as many as they like."""
        asked = {"source_branch": branch, "target_branch": "main", "order_by": "created_at", "sort": "desc"}
        with _faults():
            listed = self._lazy(slug).mergerequests.list
            lately = self._listed(listed, PAGE, state="all", **asked)
            still = self._listed(listed, MOST_OPEN, state="opened", **asked) if len(lately) == PAGE else []
            found = {int(one["iid"]): one for one in (*lately, *still)}
            return [_request(one, self._source(one, slug)) for _, one in sorted(found.items(), reverse=True)]

    def open_request(self, slug: str, source: Repository, branch: str, words: Words) -> Request:
        """See `Api.open_request`; GitLab opens it in the project that holds the branch."""
        with _faults():
            wanted = {
                "source_branch": branch,
                "target_branch": "main",
                "target_project_id": self._project(slug)["id"],
                "title": words.title,
                "description": _plain(words.body),
                "allow_collaboration": source.slug != slug,
                "remove_source_branch": False,
                "squash": False,
            }
            return _request(self._lazy(source.slug).mergerequests.create(wanted).attributes, source.slug)

    def edit_request(self, slug: str, request: Request, words: Words) -> None:
        """See `Api.edit_request`."""
        changed = {"title": words.title, "description": _plain(words.body)}
        with _faults():
            self._lazy(slug).mergerequests.update(request.number, changed)

    def close_request(self, slug: str, request: Request) -> None:
        """See `Api.close_request`."""
        with _faults():
            self._lazy(slug).mergerequests.update(request.number, {"state_event": "close"})

    def merge_request(self, slug: str, request: Request, commit: str, words: Words) -> None:
        """See `Api.merge_request`; one that GitLab is still looking at is a Fault of 425, to be tried again."""
        with _faults():
            if self._project(slug).get("merge_method", "merge") == "ff":
                raise Fault(Cause.STATUS, 405, said="its setting makes no merge commits: Settings, Merge requests")
            wanted = {
                "merge_commit_message": f"{words.title}\n\n{words.body}".strip(),
                "sha": commit,
                "should_remove_source_branch": False,
                "squash": False,
            }
            try:  # not by the library's `merge`, which says `sha` and `squash` in the address
                self.library.http_put(f"{self._lazy(slug).mergerequests.path}/{request.number}/merge", post_data=wanted)
            except Fault as fault:
                raise self._why_not(slug, request, fault) from fault

    def checks(self, slug: str, request: Request) -> Checks:
        """See `Api.checks`; a pipeline is the check here, whose only job on a proposal is `judge`."""
        with _faults():
            pipeline = self._lazy(slug).mergerequests.get(request.number).attributes.get("head_pipeline")
        status = str((pipeline or {}).get("status", ""))
        if status in _RUNNING:
            return Checks.RUNNING
        return {"success": Checks.PASSED, "failed": Checks.FAILED, "canceled": Checks.FAILED}.get(status, Checks.NONE)

    def comments(self, slug: str, request: Request) -> Sequence[Comment]:
        """See `Api.comments`; what GitLab itself notes is none."""
        with _faults():
            notes = self._listed(self._notes(slug, request).list, MOST_COMMENTS, order_by="created_at", sort="asc")
            return [
                Comment(str(one["id"]), one["author"]["username"], one["body"]) for one in notes if not one["system"]
            ]

    def add_comment(self, slug: str, request: Request, text: str) -> None:
        """See `Api.add_comment`."""
        with _faults():
            self._notes(slug, request).create({"body": _plain(text)})

    def edit_comment(self, slug: str, request: Request, comment: Comment, text: str) -> None:
        """See `Api.edit_comment`."""
        with _faults():
            self._notes(slug, request).update(int(comment.id), {"body": _plain(text)})

    def _get(self, path: str) -> Any:
        return self.library.http_get(path)

    def _lazy(self, slug: str) -> Any:
        return self.library.projects.get(slug, lazy=True)

    def _notes(self, slug: str, request: Request) -> Any:
        return self._lazy(slug).mergerequests.get(request.number, lazy=True).notes

    def _project(self, slug: str, *, again: bool = False) -> Any:
        if again or slug not in self._projects:
            self._projects[slug] = self.library.projects.get(slug).attributes
        return self._projects[slug]

    def _source(self, one: Any, slug: str) -> str:
        """Return the path of the project that holds the branch, empty where it is gone or hidden from us."""
        number = one["source_project_id"]
        if _is_own(one) or number is None:
            return slug if _is_own(one) else ""
        try:
            return str(self._project(str(number))["path_with_namespace"])
        except Fault as fault:
            if fault.status == 404:
                return ""
            raise

    def _listed(self, call: Callable[..., Any], limit: int, **asked: Any) -> list[Any]:
        """Return at most `limit` entries, page by page; by numbers, never by the links that a server names."""
        found: list[Any] = []
        for page in range(1, -(-limit // PAGE) + 1):
            part = [one.attributes for one in call(page=page, per_page=PAGE, get_all=False, **asked)]
            found += part
            if len(part) < PAGE:
                break
        return found[:limit]

    def _why_not(self, slug: str, request: Request, fault: Fault) -> Fault:
        """Return why a merge was refused: GitLab says 401 where our role is too low, and one word for the rest."""
        if fault.status == 401:
            return Fault(Cause.STATUS, 405, said="your role there may not merge into main", headers=fault.headers)
        if fault.status not in (405, 422):
            return fault
        now = str(self._lazy(slug).mergerequests.get(request.number).attributes.get("detailed_merge_status", ""))
        status = 425 if now in _SETTLING else fault.status
        return Fault(Cause.STATUS, status, said=f"its merge status is {now}" if now else fault.said)


@contextmanager
def _faults() -> Iterator[None]:
    """Turn an answer of another form than documented into a `Fault`."""
    try:
        yield
    except (GitlabError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Fault(Cause.GARBLED, said="the answer is of another form") from error


def _plain(text: str) -> str:
    """Return Markdown in which no line is a command to GitLab (its quick actions begin with a slash)."""
    return "\n".join(
        line.replace("/", "&#47;", 1) if line.lstrip().startswith("/") else line for line in text.split("\n")
    )


def _is_own(one: Any) -> bool:
    return bool(one["source_project_id"] == one["target_project_id"])


def _repository(project: Any) -> Repository:
    path = str(project["path_with_namespace"])
    if project.get("import_status") == "failed":
        raise Fault(Cause.STATUS, 422, said=f"GitLab could not fill {path}; delete it there, and run this again")
    permissions = project.get("permissions") or {}
    access = [permissions.get(kind) or {} for kind in ("project_access", "group_access")]
    may_push = any(one.get("access_level", 0) >= DEVELOPER for one in access)
    ready = project.get("import_status", "none") in ("none", "finished")
    return Repository(path, f"{path}.git", may_push, ready)


def _request(one: Any, source: str) -> Request:
    return Request(
        number=int(one["iid"]),
        branch=str(one["source_branch"]),
        commit=str(one.get("sha") or ""),
        source=source,
        author=str((one.get("author") or {}).get("username", "")),
        state=_STATES[one["state"]],
        url=str(one["web_url"]),
        ref=f"refs/merge-requests/{one['iid']}/head",
        title=str(one.get("title") or ""),
        body=str(one.get("description") or ""),
        closed_by=str((one.get("closed_by") or {}).get("username", "")),
    )
