"""What a GitHub on loopback holds and does: an emulator's state and real Git, kept in step (`github_server` serves it).

What is whose. The **emulator**'s (npm `emulate`, Vercel Labs, Apache-2.0, unchanged, in Node): accounts,
repositories, forks, pull requests and their states, numbers, filters and pages, comments, check runs, and the form of
every answer and most refusals. **Ours**, because the emulator has no Git and lets everybody do everything:

- Git itself: bare repositories served by `git http-backend`; a fork is a clone; each account writes where it may.
- Tokens: a wrong one is 401. Rights: `permissions`, merging and closing are for the maintainer (and the author).
- Commits: after a push the emulator is told of a branch by a commit of its own making, whose id is exchanged for
  the real one in all that goes in and out. `refs/pull/N/head` is kept in the registry's repository.
- Merging: a real merge commit by "GitHub", 409 where the head is another than asked for, 405 on conflict.
- What GitHub does and the emulator does not: a second fork is the first one, a fork whose name is taken gets another,
  a second pull request of a branch or one without commits is refused (422), one whose commits main has got is
  merged, `parent` and `source` of a fork, the issue behind a pull request that tells who closed it, commit statuses
  (there are none), scopes of a token.

Every request is checked against GitHub's own OpenAPI description (`github/openapi.json`, made by
scripts/trim_github_openapi.py); what does not fit is noted in `violations` and refused with 400.
"""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.github_contract import Contract
from tests.support.people import git_environ

_FIXED = {"name": "sync", "email": "sync@example.invalid", "date": "2026-11-25T11:00:00Z"}


@dataclass(frozen=True)
class Answer:
    """Status, headers and value of an answer."""

    status: int
    headers: dict[str, str]
    value: Any


@dataclass
class GitHubWorld:
    """Guards both sides of one registry at a GitHub: the emulator's state and the bare repositories."""

    folder: Path
    owner: str
    name: str
    tokens: dict[str, str]
    clock: Callable[[], datetime]
    contract: Contract
    url: str = ""
    certificate: Path = Path()
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)  # the emulator's → the real one's
    closers: dict[int, str] = field(default_factory=dict)
    failing: list[Answer] = field(default_factory=list)  # the next answers, whatever is asked
    losing: list[str] = field(default_factory=list)  # what is done, and its answer lost: endings of addresses
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def slug(self) -> str:
        """The registry's name."""
        return f"{self.owner}/{self.name}"

    @property
    def address(self) -> str:
        """The registry's address."""
        return f"{self.url}/{self.slug}"

    def repository(self, slug: str) -> Path:
        """Return where a repository lies."""
        return self.folder / f"{slug}.git"

    def who(self, token: str) -> str | None:
        """Return whose token this is, None for nobody's."""
        return next((login for login, known in self.tokens.items() if known == token), None)

    def may_push(self, login: str, slug: str) -> bool:
        """Tell whether somebody may write to a repository: everybody to their own, nobody to another's."""
        return bool(login) and slug.partition("/")[0] == login

    def git(self, slug: str, *argv: str, check: bool = True, env: Mapping[str, str] | None = None) -> str:
        """Run git in a repository."""
        command = ["git", f"--git-dir={self.repository(slug)}", *argv]
        environment = {**git_environ(), **(env or {})}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0 or not check, f"{argv}\n{done.stdout}{done.stderr}"
        return done.stdout.strip() if done.returncode == 0 else ""

    def heads(self, slug: str) -> dict[str, str]:
        """Return the branches of a repository."""
        lines = self.git(slug, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return {name: commit for name, _, commit in (line.rpartition(" ") for line in lines)}

    def pull(self, number: int) -> str:
        """Return the head of a pull request."""
        return self.git(self.slug, "rev-parse", f"refs/pull/{number}/head")

    def pulls(self, state: str = "open") -> list[Any]:
        """Return the pull requests as the emulator has them, the newest first, heads as they are."""
        listed = self.emulator("GET", f"/repos/{self.slug}/pulls?state={state}&per_page=100", self.owner).value
        assert isinstance(listed, list)
        return [self.real(one) for one in listed]

    def comments(self, number: int) -> list[Any]:
        """Return the comments under a pull request."""
        listed = self.emulator("GET", f"/repos/{self.slug}/issues/{number}/comments?per_page=100", self.owner).value
        assert isinstance(listed, list)
        return listed

    def judge(self, number: int, conclusion: str | None) -> None:
        """Let a check run called `judge` say something of a pull request; None for one that runs."""
        head = self.known(self.pull(number))
        body = {"name": "judge", "head_sha": head, "status": "completed" if conclusion else "in_progress"}
        more = {"conclusion": conclusion} if conclusion else {}
        assert self.emulator("POST", f"/repos/{self.slug}/check-runs", self.owner, body | more).status == 201

    def close(self, number: int) -> None:
        """Close a pull request as its maintainer does on the page."""
        assert self.answer("PATCH", f"/repos/{self.slug}/pulls/{number}", self.owner, {"state": "closed"}).status == 200

    def make(self, slug: str) -> None:
        """Make an empty repository; its branch main is begun by a push."""
        path = self.repository(slug)
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True, env=git_environ())
        self.git(slug, "config", "http.receivepack", "true")
        self.git(slug, "config", "uploadpack.allowAnySHA1InWant", "true")

    def forget(self, slug: str) -> None:
        """Delete a fork; GitHub closes its pull requests then."""
        owner = slug.partition("/")[0]
        for one in self.pulls():
            if one["head"]["repo"]["full_name"] == slug:
                self.closers[one["number"]] = owner
                self.emulator("PATCH", f"/repos/{self.slug}/pulls/{one['number']}", owner, {"state": "closed"})
        assert self.emulator("DELETE", f"/repos/{slug}", owner).status == 204
        shutil.rmtree(self.repository(slug))

    def emulator(self, verb: str, path: str, login: str, body: Any = None) -> Answer:
        """Ask the emulator itself."""
        headers = {"Authorization": f"Bearer {self.tokens[login]}"} if login else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(verb, path, data, headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            return Answer(answer.status, dict(answer.getheaders()), json.loads(text) if text else None)
        finally:
            connection.close()

    def follow(self, slug: str, before: Mapping[str, str]) -> None:
        """Tell the emulator what a push has changed, and move the heads of pull requests."""
        after, owner = self.heads(slug), slug.partition("/")[0]
        for branch in {*before, *after}:
            if before.get(branch) == after.get(branch):
                continue
            at = f"/repos/{slug}/git/refs/heads/{branch}"
            if branch not in after:
                self.emulator("DELETE", at, owner)
                continue
            known = self.known(after[branch], slug)
            moved = self.emulator("PATCH", at, owner, {"sha": known, "force": True})
            if moved.status == 404:
                moved = self.emulator(
                    "POST", f"/repos/{slug}/git/refs", owner, {"ref": at[at.index("refs/") :], "sha": known}
                )
            assert moved.status in (200, 201), moved
        for one in self.pulls():
            if one["head"]["repo"]["full_name"] == slug and one["head"]["ref"] in after:
                self._show(one["number"], slug, one["head"]["ref"])

    def _show(self, number: int, slug: str, branch: str) -> None:
        source = str(self.repository(slug))
        self.git(self.slug, "fetch", "-q", source, f"+refs/heads/{branch}:refs/pull/{number}/head")

    def known(self, commit: str, *slugs: str) -> str:
        """Return the emulator's id for a commit, made in the registry and in these repositories."""
        ids = set()
        for slug in {self.slug, *slugs}:
            owner = slug.partition("/")[0]
            entry = {"path": "head", "mode": "100644", "type": "blob", "content": commit}
            tree = self.emulator("POST", f"/repos/{slug}/git/trees", owner, {"tree": [entry]}).value["sha"]
            body = {"message": commit, "tree": tree, "parents": [], "author": _FIXED, "committer": _FIXED}
            ids.add(self.emulator("POST", f"/repos/{slug}/git/commits", owner, body).value["sha"])
        (made,) = ids
        self.commits[made] = commit
        return str(made)

    def answer(self, verb: str, target: str, login: str, body: Any) -> Answer:
        """Answer one request as GitHub would."""
        path = urlsplit(target).path
        parts = [unquote(part) for part in path.strip("/").split("/")]
        rules: tuple[tuple[bool, Callable[[], Answer | None]], ...] = (
            (verb == "POST" and parts[3:] == ["forks"], lambda: self._fork(parts, login)),
            (verb == "POST" and parts[3:] == ["pulls"], lambda: self._open(login, body)),
            (verb == "PATCH" and parts[3:4] == ["pulls"], lambda: self._edit(int(parts[4]), login, body)),
            (verb == "GET" and parts[3:4] == ["issues"] and len(parts) == 5, lambda: self._issue(int(parts[4]))),
            (verb == "PUT" and parts[5:] == ["merge"], lambda: self._merge(int(parts[4]), login, body)),
            (parts[3:4] == ["commits"] and parts[5:] == ["status"], lambda: _no_statuses(parts[4])),
        )
        for applies, rule in rules:
            if applies and (answer := rule()) is not None:
                return answer
        answer = self.emulator(verb, self._imagined(target), login, body)
        if verb == "POST" and parts[3:] == ["pulls"] and answer.status == 201:
            head = answer.value["head"]
            self._show(answer.value["number"], head["repo"]["full_name"], head["ref"])
        return answer

    def _fork(self, parts: list[str], login: str) -> Answer | None:
        upstream = f"{parts[1]}/{parts[2]}"
        forks = self.emulator("GET", f"/repos/{upstream}/forks?per_page=100", self.owner).value
        mine = [one for one in forks if one["owner"]["login"] == login]
        if mine:
            return Answer(202, {}, mine[0])
        free = parts[2]
        while f"{login}/{free}" in self._all():
            free = f"{parts[2]}-{free.removeprefix(parts[2]).count('-') + 1}"
        answer = self.emulator("POST", f"/repos/{upstream}/forks", login, {"name": free})
        if answer.status == 202:
            slug = answer.value["full_name"]
            self.make(slug)
            self.git(slug, "fetch", "-q", str(self.repository(upstream)), "refs/heads/main:refs/heads/main")
            self.follow(slug, {})
        return answer

    def _open(self, login: str, body: Any) -> Answer | None:
        head = body["head"] if ":" in body["head"] else f"{self.owner}:{body['head']}"
        owner, _, branch = head.partition(":")
        if any(one["head"]["label"] == head for one in self.pulls()):
            return _invalid(f"A pull request already exists for {head}.")
        slug = next((one for one in self._all() if one.partition("/")[0] == owner), "")
        commit = self.heads(slug).get(branch) if slug else None
        if commit is None:
            return _invalid("head is invalid")
        main = self.heads(self.slug)["main"]
        contained = subprocess.run(
            ["git", f"--git-dir={self.repository(slug)}", "merge-base", "--is-ancestor", commit, main],
            env={**git_environ(), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self.repository(self.slug) / "objects")},
            check=False,
        )
        return _invalid(f"No commits between {self.owner}:main and {head}") if contained.returncode == 0 else None

    def _all(self) -> list[str]:
        return [f"{path.parent.name}/{path.stem}" for path in self.folder.glob("*/*.git")]

    def _issue(self, number: int) -> Answer:
        (pull,) = [one for one in self.pulls("all") if one["number"] == number]
        closer = self.closers.get(number)
        return Answer(200, {}, {**pull, "closed_by": {"login": closer} if closer else None})

    def _edit(self, number: int, login: str, body: Any) -> Answer | None:
        (pull,) = [one for one in self.pulls("all") if one["number"] == number]
        allowed = self.may_push(login, self.slug) or pull["user"]["login"] == login
        if allowed and body.get("state") == "closed":
            self.closers[number] = login
        return None if allowed else Answer(403, {}, {"message": "Must have write access to do that."})

    def _merge(self, number: int, login: str, body: Any) -> Answer:
        if not self.may_push(login, self.slug):
            return Answer(403, {}, {"message": "Must have push access to merge."})
        head, main = self.pull(number), self.heads(self.slug)["main"]
        (pull,) = [one for one in self.pulls("all") if one["number"] == number]
        if body.get("sha", head) != head:
            return Answer(409, {}, {"message": "Head branch was modified. Review and try the merge again."})
        tree = self.git(self.slug, "merge-tree", "--write-tree", main, head, check=False)
        if pull["state"] != "open" or not tree:
            return Answer(405, {}, {"message": "Pull Request is not mergeable"})
        answer = self.emulator(
            "PUT", f"/repos/{self.slug}/pulls/{number}/merge", login, {**body, "sha": self._imagined_head(number)}
        )
        assert answer.status == 200, answer
        since = int(self.git(self.slug, "show", "-s", "--format=%ct", main))
        at = max(since, int(self.clock().timestamp()))
        who = {"GIT_AUTHOR_NAME": login, "GIT_AUTHOR_EMAIL": f"{login}@example.org"}
        who |= {"GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com"}
        who |= {"GIT_AUTHOR_DATE": f"@{at} +0000", "GIT_COMMITTER_DATE": f"@{at} +0000"}
        message = f"{body.get('commit_title', '')}\n\n{body.get('commit_message', '')}\n"
        commit = self.git(self.slug, "commit-tree", tree, "-p", main, "-p", head, "-m", message, env=who)
        self.git(self.slug, "update-ref", "refs/heads/main", commit, main)
        self.commits[answer.value["sha"]] = commit
        self._merged_along(login, commit)
        return answer

    def _merged_along(self, login: str, main: str) -> None:
        """Let other requests whose commits main has now be merged, as GitHub does."""
        for one in self.pulls():
            contained = self.git(self.slug, "merge-base", one["head"]["sha"], main) == one["head"]["sha"]
            if contained:
                body = {"merge_method": "merge", "sha": self._imagined_head(one["number"])}
                self.emulator("PUT", f"/repos/{self.slug}/pulls/{one['number']}/merge", login, body)

    def _imagined_head(self, number: int) -> str:
        """Return the head that the emulator believes a pull request to have."""
        return str(self.emulator("GET", f"/repos/{self.slug}/pulls/{number}", self.owner).value["head"]["sha"])

    def _imagined(self, target: str) -> str:
        """Return an address with the emulator's ids of commits."""
        for imagined, commit in self.commits.items():
            target = target.replace(commit, imagined)
        return target

    def real(self, value: Any, login: str | None = None) -> Any:
        """Return what the emulator says with real commits, and with the rights that somebody has."""
        if isinstance(value, list):
            return [self.real(one, login) for one in value]
        if isinstance(value, str):
            return self.commits.get(value, value)
        if not isinstance(value, dict):
            return value
        told = {key: self.real(one, login) for key, one in value.items()}
        if "permissions" in told and "full_name" in told:
            told["permissions"] = {
                **told["permissions"],
                "admin": False,
                "push": self.may_push(login or "", told["full_name"]),
            }
            if not login:
                del told["permissions"]
        if "head" in told and "base" in told and "number" in told:
            told["head"]["sha"] = self.pull(told["number"])
        return told

    def described(self, value: Any) -> Any:
        """Return a repository with what it is a fork of, as GitHub says where one repository is asked for."""
        if not (isinstance(value, dict) and value.get("fork") and "full_name" in value):
            return value
        origin = self.emulator("GET", f"/repos/{self.slug}", self.owner).value
        return {**value, "parent": origin, "source": origin}


def _invalid(message: str) -> Answer:
    told = {"resource": "PullRequest", "code": "custom", "message": message}
    return Answer(422, {}, {"message": "Validation Failed", "errors": [told]})


def _no_statuses(commit: str) -> Answer:
    return Answer(200, {}, {"state": "pending", "statuses": [], "total_count": 0, "sha": commit})
