"""A forge that is described, not real: accounts, repositories, forks and pull requests behind one of two faces.

No GitLab or Forgejo can be had from the package registries that tests may use, so this server stands in. Its Git half
is real (smart HTTP over TLS on loopback by git's own program, real forks, real merge commits). Its REST half follows
what both publish: docs.gitlab.com for GitLab (`described_gitlab`), the OpenAPI description that Forgejo and Gitea
serve for Forgejo (`described_forgejo`); each route names its section there. Whatever a client sends beyond or beside
that description, an unknown route, field or type, is answered 400 and remembered in `Forge.wrong`, and the fixture
fails the test. What it cannot show is how the real ones differ from their own words.
"""

import base64
import json
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from tests.support.clock import TestClock
from tests.support.https_git import GitHandler, make_certificate
from tests.support.people import git_environ


@dataclass
class Project:
    """A repository: its number, its path (`owner/name`), where it lies, who may push, and what it was made from."""

    id: int
    path: str
    folder: Path
    pushers: set[str]
    parent: int | None = None
    looks_until_filled: int = 0

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.path.partition("/")[0]


@dataclass
class Pull:
    """A pull request to the main of `target`."""

    number: int
    target: int
    source: int
    branch: str
    title: str
    body: str
    author: str
    state: str = "open"
    commit: str = ""
    closed_by: str = ""
    check: str = ""
    looks_until_settled: int = 0
    comments: list[dict[str, Any]] = field(default_factory=list)


class Asked(NamedTuple):
    """One call as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    user: str
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What is answered: status, JSON value (None for nothing), headers."""

    status: int
    value: Any = None
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class Route:
    """One documented operation: where it stands, what it takes; `body` and `query` say the type of each field.

    A name that ends with `*` is required.
    """

    section: str
    method: str
    path: str
    answer: Callable[..., Answer]
    query: Mapping[str, type] = field(default_factory=dict)
    body: Mapping[str, type] = field(default_factory=dict)
    anonymous: bool = False


@dataclass
class Forge:
    """Guards everything that the server knows; `face` is its REST half."""

    folder: Path
    clock: TestClock
    tokens: dict[str, str] = field(default_factory=dict)
    projects: list[Project] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slow_fork: int = 0
    slow_check: int = 0
    merge_role: set[str] = field(default_factory=set)
    override: Callable[[Asked], Answer | None] = lambda _: None
    head_ref: str = ""
    url: str = ""
    certificate: Path = Path()

    def sign_up(self, name: str) -> str:
        """Make an account; return its token."""
        self.tokens[f"token-of-{name}"] = name
        return f"token-of-{name}"

    def create(self, path: str, *, parent: int | None = None) -> Project:
        """Make an empty repository that its owner may push to."""
        folder = self.folder / f"{path}.git"
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.git(folder, "init", "-q", "--bare", "--initial-branch=main", str(folder), at=False)
        self.git(folder, "config", "http.receivepack", "true")
        self.git(folder, "config", "gc.auto", "0")
        made = Project(len(self.projects) + 1, path, folder, {path.partition("/")[0]}, parent)
        self.projects.append(made)
        return made

    def fork(self, parent: Project, owner: str) -> Project:
        """Make a fork; it is filled after `slow_fork` looks at it."""
        made = self.create(f"{owner}/{parent.path.partition('/')[2]}", parent=parent.id)
        made.looks_until_filled = self.slow_fork
        self.look(made, count=0)
        return made

    def look(self, project: Project, *, count: int = 1) -> bool:
        """Tell whether a repository is filled; a look brings that nearer."""
        if project.parent and not self.ref(project, "refs/heads/main"):
            project.looks_until_filled -= count
            if project.looks_until_filled <= 0:
                self.git(project.folder, "fetch", "-q", str(self.by_id(project.parent).folder), "+main:main")
        return project.looks_until_filled <= 0

    def by_id(self, number: int) -> Project:
        """Return a repository by its number."""
        return next(one for one in self.projects if one.id == number)

    def find(self, path: str) -> Project | None:
        """Return a repository by its path, in any case."""
        return next((one for one in self.projects if one.path.lower() == path.lower()), None)

    def open(self, target: Project, source: Project, *, branch: str, title: str, body: str, author: str) -> Pull:
        """Open a pull request."""
        number = 1 + sum(one.target == target.id for one in self.pulls)
        pull = Pull(number, target.id, source.id, branch, title, body, author, looks_until_settled=self.slow_check)
        self.pulls.append(pull)
        self.settle()
        return pull

    def close(self, pull: Pull, *, by: str) -> None:
        """Close a pull request, as a person does on its page."""
        pull.state, pull.closed_by = "closed", by

    def settle(self) -> None:
        """Bring the heads of open pull requests into the repositories they go to, as forges do after a push."""
        for pull in self.pulls:
            source, target = self.by_id(pull.source), self.by_id(pull.target)
            now = self.ref(source, f"refs/heads/{pull.branch}")
            if pull.state == "open" and now and now != pull.commit:
                spec = f"+refs/heads/{pull.branch}:{self.head_ref.format(number=pull.number)}"
                self.git(target.folder, "fetch", "-q", str(source.folder), spec)
                pull.commit = now

    def merge(self, pull: Pull, message: str) -> bool:
        """Merge by a merge commit; tell whether that went without a conflict."""
        folder, before = self.by_id(pull.target).folder, self.ref(self.by_id(pull.target), "refs/heads/main")
        merged = self.git(folder, "merge-tree", "--write-tree", before, pull.commit, check=False).split()
        if len(merged) != 1:
            return False
        commit = self.git(folder, "commit-tree", merged[0], "-p", before, "-p", pull.commit, "-m", message)
        self.git(folder, "update-ref", "refs/heads/main", commit, before)
        pull.state = "merged"
        return True

    def ref(self, project: Project, name: str) -> str:
        """Return the commit of a ref, empty for none; nothing here ever packs refs."""
        place = project.folder / name
        return place.read_text().strip() if place.is_file() else ""

    def git(self, folder: Path, *argv: str, check: bool = True, at: bool = True) -> str:
        """Run git in a repository."""
        when = {"GIT_AUTHOR_DATE": self.clock().isoformat(), "GIT_COMMITTER_DATE": self.clock().isoformat()}
        command = ["git", *([f"--git-dir={folder}"] if at else []), *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=check, env=git_environ() | when)
        return done.stdout.strip()

    def may_push(self, user: str, path: str) -> bool:
        """Tell whether somebody may push to a repository."""
        project = self.find(path)
        return project is not None and user in project.pushers

    def called(self, method: str, pattern: str) -> list[Asked]:
        """Return the calls of a method to a path that holds a pattern."""
        return [one for one in self.asked if one.method == method and re.search(pattern, one.path)]


@dataclass
class Face:
    """The REST half: where it begins, its routes, how a login is read, what a refusal looks like."""

    forge: Forge
    prefix: str
    routes: Sequence[Route]
    login: Callable[[Mapping[str, str]], str | None]
    denied: Answer
    missing: Answer

    def answer(self, asked: Asked) -> Answer:
        """Answer one call, or refuse what is not described."""
        self.forge.asked.append(asked)
        if not asked.path.startswith(self.prefix + "/"):
            return self.missing  # somebody asks what kind of forge this is
        if (planned := self.forge.override(asked)) is not None:
            return planned
        secret = self.login(asked.headers)
        user = self.forge.tokens.get(secret) if secret is not None else ""
        if user is None:
            return self.denied
        for route in self.routes:
            if route.method == asked.method and (match := re.fullmatch(self.prefix + route.path, asked.path)):
                if not user and not route.anonymous:
                    return self.denied
                if fault := _fault(route, asked):
                    return self._refuse(f"{fault} ({route.section})")
                names = {name: unquote(text) for name, text in match.groupdict().items()}
                return route.answer(self.forge, asked._replace(user=user), **names)
        return self._refuse(f"no such operation: {asked.method} {asked.path}")

    def _refuse(self, fault: str) -> Answer:
        self.forge.wrong.append(fault)
        return Answer(400, {"error": fault, "message": fault})


def _fault(route: Route, asked: Asked) -> str:
    """Return in which way a call is none that is described, empty for none."""
    query: dict[str, Any] = dict(asked.query)
    for name, text in asked.query.items():
        if route.query.get(name) is int and text.isdigit():
            query[name] = int(text)
        if route.query.get(name) is bool and text in ("true", "false"):
            query[name] = text == "true"
    for given, described, place in ((query, route.query, "query"), (asked.body, route.body, "body")):
        known = {name.rstrip("*"): kind for name, kind in described.items()}
        for name, value in given.items():
            if name not in known:
                return f"{place} has {name!r}, which is not described"
            if type(value) is not known[name]:
                return f"{place}: {name} is {value!r}, no {known[name].__name__}"
        if lacking := [name for name in described if name.endswith("*") and name.rstrip("*") not in given]:
            return f"{place} lacks {', '.join(lacking)}"
    return ""


@contextmanager
def serving(forge: Forge, face: Face, keep: Path) -> Iterator[Forge]:
    """Serve a forge; at the end AssertionError when anybody sent what is not described."""
    forge.certificate, key = make_certificate(keep)
    handler = type("Handler", (_Handler,), {"folder": forge.folder, "asked": [], "face": face, "lock": RLock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(forge.certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    forge.url = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        yield forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert not forge.wrong, forge.wrong


class _Handler(GitHandler):
    face: Face
    lock: Any

    def do_GET(self) -> None:
        """Answer the interface here, Git by its own program."""
        path, _, query = self.path.partition("?")
        forge = self.face.forge
        if path.startswith("/api/"):
            return self._api(path, query)
        user = self.user()
        wants_push = "git-receive-pack" in self.path
        repository = path.lstrip("/").partition(".git/")[0]
        if wants_push and user and not forge.may_push(user, repository):
            return self._send(Answer(403))
        super().do_GET()
        if wants_push and self.command == "POST":
            with self.lock:
                forge.settle()
        return None

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time of the people of this forge, as every answer says it."""
        return formatdate(self.face.forge.clock().timestamp() if timestamp is None else timestamp, usegmt=True)

    def do_PUT(self) -> None:
        """Answer the interface."""
        self.do_GET()

    def do_PATCH(self) -> None:
        """Answer the interface."""
        self.do_GET()

    def _api(self, path: str, query: str) -> None:
        body = self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(
            self.command,
            path,
            {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()},
            json.loads(body) if body else {},
            "",
            headers,
        )
        with self.lock:
            self._send(self.face.answer(asked))

    def _send(self, answer: Answer) -> None:
        data = b"" if answer.value is None else json.dumps(answer.value).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def user(self) -> str:
        """Return whose token is said, empty for nobody in particular."""
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        secret = base64.b64decode(said).decode().partition(":")[2] if kind == "Basic" else ""
        return self.face.forge.tokens.get(secret, "")


def page_of(found: Sequence[Any], asked: Asked, size: str) -> tuple[list[Any], int]:
    """Return one page of a listing, and how many entries it has in all."""
    number, most = int(asked.query.get("page", 1)), int(asked.query.get(size, 20))
    return list(found)[(number - 1) * most : number * most], len(found)
