"""The face of GitLab for `described_forge`: version 4 of its REST interface as docs.gitlab.com describes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clock import TestClock
from tests.support.described_forge import Answer, Asked, Face, Forge, Project, Pull, Route, page_of

_PROJECT = r"/projects/(?P<project>[^/]+)"
_REQUEST = _PROJECT + r"/merge_requests/(?P<number>[0-9]+)"
_PAGES = {"page": int, "per_page": int}
MISSING = Answer(404, {"message": "404 Not Found"})


def gitlab(folder: Path, clock: TestClock) -> Face:
    """Return a forge with this face."""
    forge = Forge(folder, clock, head_ref="refs/merge-requests/{number}/head")
    denied = Answer(401, {"message": "401 Unauthorized"}, {"X-Gitlab-Meta": '{"correlation_id":"1","version":"1"}'})
    return Face(forge, "/api/v4", ROUTES, _login, denied, MISSING)


def _login(headers: Mapping[str, str]) -> str | None:
    """Read a token (REST API authentication: a header of GitLab's own, or as OAuth does); None for nobody."""
    if "private-token" in headers:
        return headers["private-token"]
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret if kind == "Bearer" else None


def _user(name: str) -> dict[str, Any]:
    return {"id": len(name), "username": name, "name": name.title(), "state": "active"}


def _find(forge: Forge, text: str) -> Project | None:
    if text.isdigit():
        return next((one for one in forge.projects if one.id == int(text)), None)
    return forge.find(text)


def _project(forge: Forge, one: Project, asked: Asked) -> dict[str, Any]:
    filled = forge.look(one)
    level = 40 if asked.user == one.owner else 30
    access = {"access_level": level, "notification_level": 3} if asked.user in one.pushers else None
    told: dict[str, Any] = {
        "id": one.id,
        "path_with_namespace": one.path,
        "namespace": {"full_path": one.owner, "kind": "user"},
        "web_url": f"{forge.url}/{one.path}",
        "http_url_to_repo": f"{forge.url}/{one.path}.git",
        "default_branch": "main",
        "merge_method": "merge",
        "import_status": ("finished" if filled else "started") if one.parent else "none",
    }
    if asked.user:
        told["permissions"] = {"project_access": access, "group_access": None}
    if one.parent:
        parent = forge.by_id(one.parent)
        told["forked_from_project"] = {"id": parent.id, "path_with_namespace": parent.path}
    return told


def _request(forge: Forge, one: Pull, *, whole: bool = False) -> dict[str, Any]:
    target = forge.by_id(one.target)
    told = {
        "id": 1000 + one.number,
        "iid": one.number,
        "project_id": one.target,
        "source_project_id": one.source,
        "target_project_id": one.target,
        "source_branch": one.branch,
        "target_branch": "main",
        "title": one.title,
        "description": one.body,
        "state": "opened" if one.state == "open" else one.state,
        "author": _user(one.author),
        "closed_by": _user(one.closed_by) if one.closed_by else None,
        "sha": one.commit,
        "web_url": f"{forge.url}/{target.path}/-/merge_requests/{one.number}",
        "detailed_merge_status": "checking" if one.looks_until_settled > 0 else "mergeable",
    }
    return {**told, "head_pipeline": {"id": 1, "status": one.check} if one.check else None} if whole else told


def _pull(forge: Forge, project: str, number: str) -> Pull | None:
    target = _find(forge, project)
    found = (one for one in forge.pulls if target and (one.target, one.number) == (target.id, int(number)))
    return next(found, None)


def _me(_: Forge, asked: Asked) -> Answer:
    return Answer(200, _user(asked.user))


def _token(_: Forge, asked: Asked) -> Answer:
    return Answer(200, {"id": 1, "name": asked.user, "scopes": ["api"], "active": True, "revoked": False})


def _version(_: Forge, __: Asked) -> Answer:
    return Answer(200, {"version": "18.5.0", "revision": "0123abcd"})


def _get_project(forge: Forge, asked: Asked, project: str) -> Answer:
    found = _find(forge, project)
    return Answer(200, _project(forge, found, asked)) if found else MISSING


def _fork(forge: Forge, asked: Asked, project: str) -> Answer:
    parent = _find(forge, project)
    if parent is None:
        return MISSING
    if forge.find(f"{asked.user}/{parent.path.partition('/')[2]}"):
        return Answer(409, {"message": {"name": ["has already been taken"], "path": ["has already been taken"]}})
    return Answer(201, _project(forge, forge.fork(parent, asked.user), asked))


def _forks(forge: Forge, asked: Asked, project: str) -> Answer:
    parent = _find(forge, project)
    if parent is None:
        return MISSING
    found = [one for one in forge.projects if one.parent == parent.id]
    if asked.query.get("owned") == "true":
        found = [one for one in found if one.owner == asked.user]
    return Answer(200, [_project(forge, one, asked) for one in page_of(found, asked, "per_page")[0]])


def _list(forge: Forge, asked: Asked, project: str) -> Answer:
    target = _find(forge, project)
    if target is None:
        return MISSING
    state = asked.query.get("state", "all")
    found = [one for one in forge.pulls if one.target == target.id]
    told = [_request(forge, one) for one in sorted(found, key=lambda one: -one.number)]
    told = [one for one in told if state in ("all", one["state"])]
    told = [one for one in told if asked.query.get("source_branch", one["source_branch"]) == one["source_branch"]]
    return Answer(200, page_of(told, asked, "per_page")[0])


def _open(forge: Forge, asked: Asked, project: str) -> Answer:
    source = _find(forge, project)
    target = _find(forge, str(asked.body.get("target_project_id", project)))
    if source is None or target is None:
        return MISSING
    branch = str(asked.body["source_branch"])
    if asked.user not in source.pushers:
        return Answer(403, {"message": "403 Forbidden"})
    if source.id != target.id and source.parent != target.id:
        return Answer(422, {"error": "source_project_id is not a fork of the target"})
    for one in forge.pulls:
        if (one.source, one.target, one.branch, one.state) == (source.id, target.id, branch, "open"):
            told = [f"Another open merge request already exists for this source branch: !{one.number}"]
            return Answer(409, {"message": told})
    if not forge.ref(source, f"refs/heads/{branch}"):
        return Answer(409, {"message": ["Source branch does not exist"]})
    title, body = str(asked.body["title"]), str(asked.body.get("description", ""))
    made = forge.open(target, source, branch=branch, title=title, body=body, author=asked.user)
    return Answer(201, _request(forge, made, whole=True))


def _get(forge: Forge, _: Asked, project: str, number: str) -> Answer:
    found = _pull(forge, project, number)
    return Answer(200, _request(forge, found, whole=True)) if found else MISSING


def _edit(forge: Forge, asked: Asked, project: str, number: str) -> Answer:
    found = _pull(forge, project, number)
    if found is None:
        return MISSING
    if asked.user != found.author and asked.user not in forge.by_id(found.target).pushers:
        return Answer(403, {"message": "403 Forbidden"})
    found.title = asked.body.get("title", found.title)
    found.body = asked.body.get("description", found.body)
    if asked.body.get("state_event") == "close":
        forge.close(found, by=asked.user)
    return Answer(200, _request(forge, found, whole=True))


def _merge(forge: Forge, asked: Asked, project: str, number: str) -> Answer:
    found = _pull(forge, project, number)
    if found is None:
        return MISSING
    if asked.user not in (forge.merge_role or forge.by_id(found.target).pushers):
        return Answer(401, {"message": "401 Unauthorized"})
    if found.state != "open" or found.looks_until_settled > 0:
        found.looks_until_settled -= 1
        return Answer(405, {"message": "405 Method Not Allowed"})
    if asked.body.get("sha", found.commit) != found.commit:
        return Answer(409, {"message": f"SHA does not match HEAD of source branch: {found.commit}"})
    message = str(asked.body.get("merge_commit_message", f"Merge branch {found.branch}"))
    if not forge.merge(found, message):
        return Answer(422, {"message": "Branch cannot be merged"})
    return Answer(200, _request(forge, found, whole=True))


def _notes(forge: Forge, asked: Asked, project: str, number: str) -> Answer:
    found = _pull(forge, project, number)
    if found is None:
        return MISSING
    opened = {"id": 1, "body": "added 1 commit", "author": _user(found.author), "system": True}
    return Answer(200, page_of([opened, *found.comments], asked, "per_page")[0])


def _note(forge: Forge, asked: Asked, project: str, number: str) -> Answer:
    found = _pull(forge, project, number)
    if found is None:
        return MISSING
    made = {"id": 2 + len(found.comments), "body": asked.body["body"], "author": _user(asked.user), "system": False}
    found.comments.append(made)
    return Answer(201, made)


def _renote(forge: Forge, asked: Asked, project: str, number: str, note: str) -> Answer:
    found = _pull(forge, project, number)
    own = [one for one in found.comments if one["id"] == int(note)] if found else []
    if not own:
        return MISSING
    if own[0]["author"]["username"] != asked.user:
        return Answer(403, {"message": "403 Forbidden"})
    own[0]["body"] = asked.body["body"]
    return Answer(200, own[0])


_CREATE = {
    "source_branch*": str,
    "target_branch*": str,
    "title*": str,
    "allow_collaboration": bool,
    "description": str,
    "remove_source_branch": bool,
    "squash": bool,
    "target_project_id": int,
}
_UPDATE = {"title": str, "description": str, "state_event": str, "allow_collaboration": bool, "squash": bool}
_ACCEPT = {
    "auto_merge": bool,
    "merge_commit_message": str,
    "sha": str,
    "should_remove_source_branch": bool,
    "squash": bool,
    "squash_commit_message": str,
}
_FILTER = {
    **_PAGES,
    "order_by": str,
    "sort": str,
    "source_branch": str,
    "state": str,
    "target_branch": str,
}
_ORDER = {**_PAGES, "order_by": str, "sort": str}
ROUTES = (
    Route("Users API: Retrieve the current user", "GET", "/user", _me),
    Route("Personal access tokens API: self-inform", "GET", "/personal_access_tokens/self", _token),
    Route("Version API", "GET", "/version", _version),
    Route("Projects API: Retrieve a project", "GET", _PROJECT, _get_project, anonymous=True),
    Route("Project forks API: Fork a project", "POST", _PROJECT + "/fork", _fork, body={"name": str, "path": str}),
    Route("Project forks API: List all forks", "GET", _PROJECT + "/forks", _forks, query={**_ORDER, "owned": bool}),
    Route(
        "Merge requests API: List project merge requests",
        "GET",
        _PROJECT + "/merge_requests",
        _list,
        query=_FILTER,
        anonymous=True,
    ),
    Route("Merge requests API: Create a merge request", "POST", _PROJECT + "/merge_requests", _open, body=_CREATE),
    Route("Merge requests API: Retrieve a merge request", "GET", _REQUEST, _get, anonymous=True),
    Route("Merge requests API: Update a merge request", "PUT", _REQUEST, _edit, body=_UPDATE),
    Route("Merge requests API: Merge a merge request", "PUT", _REQUEST + "/merge", _merge, body=_ACCEPT),
    Route("Notes API: List all merge request notes", "GET", _REQUEST + "/notes", _notes, query=_ORDER),
    Route("Notes API: Create a merge request note", "POST", _REQUEST + "/notes", _note, body={"body*": str}),
    Route(
        "Notes API: Update a merge request note",
        "PUT",
        _REQUEST + r"/notes/(?P<note>[0-9]+)",
        _renote,
        body={"body*": str},
    ),
)
