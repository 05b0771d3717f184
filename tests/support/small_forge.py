"""A forge in memory with Git repositories on disk: the few calls of Forgejo that proposals need, quick and lenient.

It opens a second pull request for the same branch without a word, as a forge may: that there is only one is then our
doing. `described_forge` is the strict one.
"""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.people import git_environ


class Asked(NamedTuple):
    """One call as it arrived; names of headers in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Answered(NamedTuple):
    """A whole answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass
class SmallForge:
    """Guards accounts, pull requests and comments; repositories lie in `folder` as `OWNER/NAME.git`.

    `looks_until_filled`: a new fork is empty until it was looked at so often.
    """

    folder: Path
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    looks_until_filled: int = 0
    lock: Any = field(default_factory=RLock)

    def answer(self, asked: Asked) -> Answered:
        """Answer one call, of the interface or of Git."""
        path, query = unquote(urlsplit(asked.target).path), urlsplit(asked.target).query
        if not path.startswith("/api/v1/"):
            return self._git(asked, path, query)
        with self.lock:
            user = self.tokens.get(asked.headers.get("authorization", "").removeprefix("token "), "")
            if not user:
                return _json(401, {"message": "token is required"})
            body = json.loads(asked.body) if asked.body else {}
            words = {name: values[-1] for name, values in parse_qs(query).items()}
            for method, pattern, act in _ROUTES:
                if method == asked.method and (match := re.fullmatch(pattern, path.removeprefix("/api/v1"))):
                    return act(self, user, words | body, *match.groups())
        return _json(404, {"message": "no such call"})

    def open_pulls(self) -> list[dict[str, Any]]:
        """Return the open pull requests."""
        return [one for one in self.pulls if one["state"] == "open"]

    def ref(self, slug: str, name: str) -> str:
        """Return the commit of a ref, empty for none."""
        place = self.folder / f"{slug}.git"
        loose = place / name
        if loose.is_file():
            return loose.read_text(encoding="ascii").strip()
        packed = place / "packed-refs"
        lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
        return next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")

    def git(self, slug: str, *argv: str) -> str:
        """Run git in a repository."""
        who = {f"GIT_{role}_{what}": "forge" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", f"--git-dir={self.folder / slug}.git", *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=git_environ() | who)
        return done.stdout.strip()

    def settle(self) -> None:
        """Bring the heads of open pull requests into the repository they go to."""
        for one in self.open_pulls():
            now = self.ref(one["source"], f"refs/heads/{one['branch']}")
            if now and now != one["sha"]:
                place = str(self.folder / f"{one['source']}.git")
                self.git(one["target"], "fetch", "-q", place, f"+{now}:refs/pull/{one['number']}/head")
                one["sha"] = now

    def _git(self, asked: Asked, path: str, query: str) -> Answered:
        kind, _, said = asked.headers.get("authorization", "").partition(" ")
        secret = base64.b64decode(said).decode().partition(":")[2] if kind == "Basic" else ""
        user, slug = self.tokens.get(secret, ""), path.lstrip("/").partition(".git/")[0]
        if "git-receive-pack" in asked.target:
            if not user:
                return Answered(401, (("WWW-Authenticate", 'Basic realm="git"'),))
            if not self._may_push(user, slug):
                return Answered(403)
        asks = {
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": asked.method,
            "CONTENT_TYPE": asked.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(asked.body)),
            "HTTP_CONTENT_ENCODING": asked.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": asked.headers.get("git-protocol", ""),
            "REMOTE_USER": user,
        }
        done = subprocess.run(
            ["git", "http-backend"], input=asked.body, stdout=subprocess.PIPE, env=dict(os.environ) | asks, check=False
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = tuple(line.partition(": ")[::2] for line in head.decode().split("\r\n"))
        return Answered(int(dict(fields).get("Status", "200").split()[0]), fields, rest)

    def _may_push(self, user: str, slug: str) -> bool:
        return slug.partition("/")[0] == user

    def repository(self, slug: str, user: str) -> dict[str, Any] | None:
        """Return what the interface tells of a repository."""
        place = self.folder / f"{slug}.git"
        if not place.is_dir():
            return None
        parent = (place / "parent").read_text(encoding="utf-8") if (place / "parent").exists() else ""
        if parent and not self.ref(slug, "refs/heads/main"):
            self.looks_until_filled -= 1
            if self.looks_until_filled <= 0:
                self.git(slug, "fetch", "-q", str(self.folder / f"{parent}.git"), "+main:main")
        return {
            "full_name": slug,
            "owner": {"login": slug.partition("/")[0]},
            "clone_url": f"{self.url}/{slug}.git",
            "fork": bool(parent),
            "empty": False,
            "parent": {"full_name": parent} if parent else None,
            "permissions": {"push": self._may_push(user, slug), "pull": True},
        }

    def pull(self, one: dict[str, Any], user: str) -> dict[str, Any]:
        """Return what the interface tells of a pull request."""
        self.settle()
        return {
            "number": one["number"],
            "user": {"login": one["author"]},
            "title": one["title"],
            "body": one["body"],
            "state": "open" if one["state"] == "open" else "closed",
            "merged": one["state"] == "merged",
            "mergeable": one["state"] == "open",
            "html_url": f"{self.url}/{one['target']}/pulls/{one['number']}",
            "base": {"ref": "main", "repo": self.repository(one["target"], user)},
            "head": {
                "label": one["branch"],
                "ref": one["branch"],
                "sha": one["sha"],
                "repo": self.repository(one["source"], user),
            },
        }

    def find(self, slug: str, number: str) -> dict[str, Any] | None:
        """Return a pull request."""
        return next((one for one in self.pulls if (one["target"], one["number"]) == (slug, int(number))), None)


def _json(status: int, value: Any, *headers: tuple[str, str]) -> Answered:
    return Answered(status, (("Content-Type", "application/json"), *headers), json.dumps(value).encode())


_MISSING = _json(404, {"message": "The target couldn't be found."})


def _me(_: SmallForge, user: str, __: Any) -> Answered:
    return _json(200, {"login": user})


def _repository(forge: SmallForge, user: str, _: Any, slug: str) -> Answered:
    found = forge.repository(slug, user)
    return _json(200, found) if found else _MISSING


def _forks(forge: SmallForge, user: str, words: Any, slug: str) -> Answered:
    places = sorted(forge.folder.glob("*/*.git/parent"))
    slugs = [f"{one.parent.parent.name}/{one.parent.stem}" for one in places if one.read_text() == slug]
    found = [forge.repository(one, user) for one in slugs] if words.get("page", "1") == "1" else []
    return _json(200, found, ("X-Total-Count", str(len(slugs))))


def _fork(forge: SmallForge, user: str, _: Any, slug: str) -> Answered:
    own = f"{user}/{slug.partition('/')[2]}"
    place = forge.folder / f"{own}.git"
    if place.exists():
        return _json(409, {"message": f"repository is already forked by user [uname: {user}]"})
    shutil.copytree(forge.folder / f"{slug}.git", place)
    if forge.looks_until_filled > 0:
        forge.git(own, "update-ref", "-d", "refs/heads/main")
    (place / "parent").write_text(slug, encoding="utf-8")
    return _json(202, forge.repository(own, user))


def _list(forge: SmallForge, user: str, words: Any, slug: str) -> Answered:
    wanted = [one for one in forge.pulls if one["target"] == slug]
    state = words.get("state", "open")
    chosen = [one for one in wanted if state == "all" or (one["state"] == "open") == (state == "open")]
    found = [forge.pull(one, user) for one in reversed(chosen)] if words.get("page", "1") == "1" else []
    return _json(200, found, ("X-Total-Count", str(len(chosen))))


def _by_branches(forge: SmallForge, user: str, _: Any, slug: str, head: str) -> Answered:
    owner, _, branch = head.rpartition(":")
    source = f"{owner}/{slug.partition('/')[2]}" if owner else slug
    wanted = (slug, source, branch)
    found = next((one for one in forge.pulls if (one["target"], one["source"], one["branch"]) == wanted), None)
    return _json(200, forge.pull(found, user)) if found else _MISSING


def _open(forge: SmallForge, user: str, words: Any, slug: str) -> Answered:
    owner, _, branch = words["head"].rpartition(":")
    source = f"{owner}/{slug.partition('/')[2]}" if owner else slug
    if not forge.ref(source, f"refs/heads/{branch}"):
        return _MISSING
    made = {
        "number": len(forge.pulls) + 1,
        "target": slug,
        "source": source,
        "branch": branch,
        "title": words["title"],
        "body": words["body"],
        "author": user,
        "state": "open",
        "sha": "",
    }
    forge.pulls.append(made)
    return _json(201, forge.pull(made, user))


def _get(forge: SmallForge, user: str, _: Any, slug: str, number: str) -> Answered:
    found = forge.find(slug, number)
    return _json(200, forge.pull(found, user)) if found else _MISSING


def _edit(forge: SmallForge, user: str, words: Any, slug: str, number: str) -> Answered:
    found = forge.find(slug, number)
    if found is None:
        return _MISSING
    found.update({name: words[name] for name in ("title", "body", "state") if name in words})
    return _json(201, forge.pull(found, user))


def _merge(forge: SmallForge, user: str, words: Any, slug: str, number: str) -> Answered:
    found = forge.find(slug, number)
    if found is None:
        return _MISSING
    forge.settle()
    if not forge._may_push(user, slug) or found["state"] != "open":
        return _json(405, {"message": "Please try again later"})
    if words.get("head_commit_id", found["sha"]) != found["sha"]:
        return _json(409, {"message": "head out of date"})
    before = forge.ref(slug, "refs/heads/main")
    tree = forge.git(slug, "merge-tree", "--write-tree", before, found["sha"]).splitlines()[0]
    commit = forge.git(slug, "commit-tree", tree, "-p", before, "-p", found["sha"], "-m", words["MergeTitleField"])
    forge.git(slug, "update-ref", "refs/heads/main", commit, before)
    found["state"] = "merged"
    return Answered(200)


def _status(_: SmallForge, __: str, ___: Any, ____: str, _____: str) -> Answered:
    return _json(200, {"statuses": [{"context": "judge", "status": "success"}]})


def _comments(forge: SmallForge, _: str, __: Any, slug: str, number: str) -> Answered:
    return _json(200, [one for one in forge.notes if one["at"] == f"{slug}#{number}"])


def _comment(forge: SmallForge, user: str, words: Any, slug: str, number: str) -> Answered:
    made = {"id": len(forge.notes) + 1, "at": f"{slug}#{number}", "user": {"login": user}, "body": words["body"]}
    forge.notes.append(made)
    return _json(201, made)


def _recomment(forge: SmallForge, _: str, words: Any, __: str, number: str) -> Answered:
    forge.notes[int(number) - 1]["body"] = words["body"]
    return _json(200, forge.notes[int(number) - 1])


_R, _N = r"/repos/([^/]+/[^/]+)", r"/([0-9]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., Answered]], ...] = (
    ("GET", "/user", _me),
    ("GET", _R, _repository),
    ("GET", _R + "/forks", _forks),
    ("POST", _R + "/forks", _fork),
    ("GET", _R + "/pulls", _list),
    ("POST", _R + "/pulls", _open),
    ("GET", _R + "/pulls/main/(.+)", _by_branches),
    ("GET", _R + "/pulls" + _N, _get),
    ("PATCH", _R + "/pulls" + _N, _edit),
    ("POST", _R + "/pulls" + _N + "/merge", _merge),
    ("GET", _R + "/commits/([0-9a-f]+)/status", _status),
    ("GET", _R + "/issues" + _N + "/comments", _comments),
    ("POST", _R + "/issues" + _N + "/comments", _comment),
    ("PATCH", _R + "/issues/comments" + _N, _recomment),
)
