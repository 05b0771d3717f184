"""The face of Forgejo and Gitea for `described_forge`: version 1 of their interface, by the description they serve.

Each route bears its `operationId` there. Two things are not in that description and were read from the servers'
published source: a merge is answered 405 while the server still looks for conflicts, and `head.ref` names the head of
the pull request once its branch is gone, while `head.label` goes on naming the branch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.clock import TestClock
from tests.support.described_forge import Answer, Asked, Face, Forge, Project, Pull, Route, page_of

_REPOSITORY = r"/repos/(?P<owner>[^/]+)/(?P<name>[^/]+)"
_REQUEST = _REPOSITORY + r"/pulls/(?P<number>[0-9]+)"
_PAGES = {"page": int, "limit": int}
MISSING = Answer(404, {"message": "The target couldn't be found.", "url": "/api/swagger", "errors": []})


def forgejo(folder: Path, clock: TestClock) -> Face:
    """Return a forge with this face."""
    forge = Forge(folder, clock, head_ref="refs/pull/{number}/head")
    return Face(forge, "/api/v1", ROUTES, _login, Answer(401, {"message": "token is required"}), MISSING)


def _login(headers: Mapping[str, str]) -> str | None:
    """Read a token (securityDefinitions: AuthorizationHeaderToken); None for nobody."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    return secret if kind in ("token", "Bearer") else None


def _user(name: str) -> dict[str, Any]:
    return {"id": len(name), "login": name, "full_name": name.title(), "is_admin": False}


def _repository(forge: Forge, one: Project, user: str, *, deep: bool = True) -> dict[str, Any]:
    forge.look(one)
    push = user in one.pushers
    parent = forge.by_id(one.parent) if one.parent and deep else None
    return {
        "id": one.id,
        "owner": _user(one.owner),
        "name": one.path.partition("/")[2],
        "full_name": one.path,
        "html_url": f"{forge.url}/{one.path}",
        "clone_url": f"{forge.url}/{one.path}.git",
        "default_branch": "main",
        "empty": not forge.ref(one, "refs/heads/main"),
        "fork": one.parent is not None,
        "parent": _repository(forge, parent, user, deep=False) if parent else None,
        "permissions": {"admin": user == one.owner, "push": push, "pull": True},
    }


def _request(forge: Forge, one: Pull, user: str) -> dict[str, Any]:
    target, source = forge.by_id(one.target), forge.by_id(one.source)
    standing = bool(forge.ref(source, f"refs/heads/{one.branch}"))
    return {
        "id": 1000 + one.number,
        "number": one.number,
        "user": _user(one.author),
        "title": one.title,
        "body": one.body,
        "state": "open" if one.state == "open" else "closed",
        "merged": one.state == "merged",
        "mergeable": one.state == "open" and one.looks_until_settled <= 0,
        "html_url": f"{forge.url}/{target.path}/pulls/{one.number}",
        "base": {"label": "main", "ref": "main", "repo_id": target.id, "repo": _repository(forge, target, user)},
        "head": {
            "label": one.branch,
            "ref": one.branch if standing else forge.head_ref.format(number=one.number),
            "sha": one.commit,
            "repo_id": source.id,
            "repo": _repository(forge, source, user),
        },
    }


def _pull(forge: Forge, owner: str, name: str, number: str) -> Pull | None:
    target = forge.find(f"{owner}/{name}")
    found = (one for one in forge.pulls if target and (one.target, one.number) == (target.id, int(number)))
    return next(found, None)


def _me(_: Forge, asked: Asked) -> Answer:
    return Answer(200, _user(asked.user))


def _version(_: Forge, __: Asked) -> Answer:
    return Answer(200, {"version": "13.0.2+gitea-1.22.0"})


def _get_repository(forge: Forge, asked: Asked, owner: str, name: str) -> Answer:
    found = forge.find(f"{owner}/{name}")
    return Answer(200, _repository(forge, found, asked.user)) if found else MISSING


def _fork(forge: Forge, asked: Asked, owner: str, name: str) -> Answer:
    parent = forge.find(f"{owner}/{name}")
    if parent is None:
        return MISSING
    if forge.find(f"{asked.user}/{name}"):
        return Answer(409, {"message": f"repository is already forked by user [uname: {asked.user}]"})
    return Answer(202, _repository(forge, forge.fork(parent, asked.user), asked.user))


def _forks(forge: Forge, asked: Asked, owner: str, name: str) -> Answer:
    parent = forge.find(f"{owner}/{name}")
    if parent is None:
        return MISSING
    found = [_repository(forge, one, asked.user) for one in forge.projects if one.parent == parent.id]
    return _listing(found, asked)


def _listing(found: list[Any], asked: Asked) -> Answer:
    part, total = page_of(found, asked, "limit")
    return Answer(200, part, {"X-Total-Count": str(total)})


def _list(forge: Forge, asked: Asked, owner: str, name: str) -> Answer:
    target = forge.find(f"{owner}/{name}")
    if target is None:
        return MISSING
    state = asked.query.get("state", "open")
    found = [_request(forge, one, asked.user) for one in reversed(forge.pulls) if one.target == target.id]
    return _listing([one for one in found if state in ("all", one["state"])], asked)


def _by_branches(forge: Forge, asked: Asked, owner: str, name: str, base: str, head: str) -> Answer:
    whose, _, branch = head.rpartition(":")
    target = forge.find(f"{owner}/{name}")
    source = forge.find(whose if "/" in whose else f"{whose or owner}/{name}")
    if target is None or source is None or base != "main":
        return MISSING
    wanted = (target.id, source.id, branch)
    found = [one for one in forge.pulls if (one.target, one.source, one.branch) == wanted]
    return Answer(200, _request(forge, found[0], asked.user)) if found else MISSING


def _open(forge: Forge, asked: Asked, owner: str, name: str) -> Answer:
    target = forge.find(f"{owner}/{name}")
    whose, _, branch = str(asked.body.get("head", "")).rpartition(":")
    if target is None or asked.body.get("base") != "main":
        return MISSING
    source = next((one for one in forge.projects if one.parent == target.id and one.owner == whose), None)
    source = source or (target if whose in ("", target.owner) else None)
    if source is None or not forge.ref(source, f"refs/heads/{branch}"):
        return MISSING
    for one in forge.pulls:
        if (one.source, one.target, one.branch, one.state) == (source.id, target.id, branch, "open"):
            return Answer(409, {"message": f"pull request already exists for these targets [id: {one.number}]"})
    title, body = str(asked.body.get("title", "")), str(asked.body.get("body", ""))
    made = forge.open(target, source, branch=branch, title=title, body=body, author=asked.user)
    return Answer(201, _request(forge, made, asked.user))


def _get(forge: Forge, asked: Asked, owner: str, name: str, number: str) -> Answer:
    found = _pull(forge, owner, name, number)
    return Answer(200, _request(forge, found, asked.user)) if found else MISSING


def _edit(forge: Forge, asked: Asked, owner: str, name: str, number: str) -> Answer:
    found = _pull(forge, owner, name, number)
    if found is None:
        return MISSING
    if asked.user != found.author and asked.user not in forge.by_id(found.target).pushers:
        return Answer(403)
    found.title = asked.body.get("title", found.title)
    found.body = asked.body.get("body", found.body)
    if "state" in asked.body:
        if found.state == "merged":
            return Answer(412, {"message": "cannot change state of this pull request, it was already merged"})
        forge.close(found, by=asked.user)
    return Answer(201, _request(forge, found, asked.user))


def _merge(forge: Forge, asked: Asked, owner: str, name: str, number: str) -> Answer:
    found = _pull(forge, owner, name, number)
    if found is None:
        return MISSING
    if asked.user not in (forge.merge_role or forge.by_id(found.target).pushers):
        return Answer(405, {"message": "User not allowed to merge PR"})
    if found.state != "open" or found.looks_until_settled > 0:
        found.looks_until_settled -= 1
        return Answer(405, {"message": "Please try again later"})
    if asked.body.get("head_commit_id", found.commit) != found.commit:
        return Answer(409, {"message": "head out of date"})
    message = f"{asked.body.get('MergeTitleField', 'Merge')}\n\n{asked.body.get('MergeMessageField', '')}".strip()
    return Answer(200) if forge.merge(found, message) else Answer(409, {"message": "merge conflict"})


def _status(forge: Forge, asked: Asked, owner: str, name: str, commit: str) -> Answer:
    target = forge.find(f"{owner}/{name}")
    if target is None:
        return MISSING
    told = [one.check for one in forge.pulls if one.target == target.id and one.commit == commit and one.check]
    statuses = [{"id": 1, "context": "judge / judge (pull_request)", "status": one} for one in told]
    statuses += [{"id": 2, "context": "somebody else's", "status": "pending"}] if told else []
    return Answer(200, {"sha": commit, "state": told[0] if told else "", "statuses": statuses or None})


def _comments(forge: Forge, _: Asked, owner: str, name: str, number: str) -> Answer:
    found = _pull(forge, owner, name, number)
    return Answer(200, found.comments) if found else MISSING


def _comment(forge: Forge, asked: Asked, owner: str, name: str, number: str) -> Answer:
    found = _pull(forge, owner, name, number)
    if found is None:
        return MISSING
    made = {"id": 100 * found.number + len(found.comments), "body": asked.body["body"], "user": _user(asked.user)}
    found.comments.append(made)
    return Answer(201, made)


def _recomment(forge: Forge, asked: Asked, owner: str, name: str, comment: str) -> Answer:
    target = forge.find(f"{owner}/{name}")
    there = [one for pull in forge.pulls if target and pull.target == target.id for one in pull.comments]
    own = next((one for one in there if one["id"] == int(comment)), None)
    if own is None:
        return MISSING
    if own["user"]["login"] != asked.user:
        return Answer(403)
    own["body"] = asked.body["body"]
    return Answer(200, own)


_CREATE = {"base": str, "body": str, "head": str, "title": str}
_UPDATE = {"allow_maintainer_edit": bool, "base": str, "body": str, "state": str, "title": str}
_ACCEPT = {
    "Do*": str,
    "MergeMessageField": str,
    "MergeTitleField": str,
    "delete_branch_after_merge": bool,
    "head_commit_id": str,
    "merge_when_checks_succeed": bool,
}
ROUTES = (
    Route("userGetCurrent", "GET", "/user", _me),
    Route("getVersion", "GET", "/version", _version, anonymous=True),
    Route("repoGet", "GET", _REPOSITORY, _get_repository, anonymous=True),
    Route("createFork", "POST", _REPOSITORY + "/forks", _fork, body={"name": str, "organization": str}),
    Route("listForks", "GET", _REPOSITORY + "/forks", _forks, query=_PAGES, anonymous=True),
    Route(
        "repoListPullRequests",
        "GET",
        _REPOSITORY + "/pulls",
        _list,
        query={**_PAGES, "state": str, "sort": str},
        anonymous=True,
    ),
    Route("repoCreatePullRequest", "POST", _REPOSITORY + "/pulls", _open, body=_CREATE),
    Route("repoGetPullRequest", "GET", _REQUEST, _get, anonymous=True),
    Route("repoEditPullRequest", "PATCH", _REQUEST, _edit, body=_UPDATE),
    Route("repoMergePullRequest", "POST", _REQUEST + "/merge", _merge, body=_ACCEPT),
    Route(
        "repoGetPullRequestByBaseHead",
        "GET",
        _REPOSITORY + "/pulls/(?P<base>[^/0-9]+)/(?P<head>.+)",
        _by_branches,
        anonymous=True,
    ),
    Route(
        "repoGetCombinedStatusByRef",
        "GET",
        _REPOSITORY + "/commits/(?P<commit>[^/]+)/status",
        _status,
        query=_PAGES,
        anonymous=True,
    ),
    Route(
        "issueGetComments",
        "GET",
        _REPOSITORY + "/issues/(?P<number>[0-9]+)/comments",
        _comments,
        query={"before": str, "since": str},
        anonymous=True,
    ),
    Route(
        "issueCreateComment",
        "POST",
        _REPOSITORY + "/issues/(?P<number>[0-9]+)/comments",
        _comment,
        body={"body*": str},
    ),
    Route(
        "issueEditComment",
        "PATCH",
        _REPOSITORY + "/issues/comments/(?P<comment>[0-9]+)",
        _recomment,
        body={"body*": str},
    ),
)
