"""A GitHub on loopback: an emulator's REST interface and real Git behind one https address.

with running_github(folder, {"ana": "…", "bob": "…"}, owner="ana", name="heart", clock=clock) as world:
    world.url, world.certificate            # https://127.0.0.1:PORT, reached as a GitHub Enterprise Server
"""

import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tests.ci.tools import NODE, modules
from tests.support.github_contract import Contract
from tests.support.github_world import Answer, GitHubWorld
from tests.support.https_git import GitHandler, running

API = "/api/v3"


class _Handler(GitHandler):
    world: GitHubWorld
    before: dict[str, str]

    def user(self) -> str:
        """Return whose token came; a wrong one is refused before."""
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        token = base64.b64decode(said).decode().partition(":")[2] if kind == "Basic" else said
        return (self.world.who(token) or "?") if said else ""

    def do_GET(self) -> None:
        """Answer Git or the interface."""
        with self.world.lock:
            if self.path.startswith(f"{API}/"):
                self._api()
                return
            slug = "/".join(self.path.split("?")[0].strip("/").split("/")[:2]).removesuffix(".git")
            user = self.user()
            writes = "git-receive-pack" in self.path
            if user == "?" or not self.world.repository(slug).is_dir():
                self.reply(Answer(401 if user == "?" else 404, {}, {"message": "Bad credentials"}))
            elif writes and user and not self.world.may_push(user, slug):
                self.reply(Answer(403, {}, {"message": f"Permission to {slug}.git denied to {user}."}))
            else:
                self.before = self.world.heads(slug)
                self.path = self.path.replace(f"/{slug}/", f"/{slug}.git/", 1)
                super().do_GET()

    def do_PUT(self) -> None:
        """See `do_GET`."""
        self.do_GET()

    def do_PATCH(self) -> None:
        """See `do_GET`."""
        self.do_GET()

    def served(self, path: str) -> None:
        """Tell the emulator what was pushed."""
        if self.command == "POST" and path.endswith("git-receive-pack"):
            self.world.follow("/".join(path.strip("/").split("/")[:2]).removesuffix(".git"), self.before)

    def _api(self) -> None:
        world, target, login = self.world, self.path.removeprefix(API), self.user()
        data = self.body()
        world.asked.append((self.command, target, login))
        faults = world.contract.faults(self.command, world.url + self.path, dict(self.headers), data)
        world.violations += faults
        if world.failing:
            self.reply(world.failing.pop(0))
        elif login == "?":
            self.reply(Answer(401, {}, {"message": "Bad credentials", "status": "401"}))
        elif faults:
            self.reply(Answer(400, {}, {"message": "; ".join(faults)}))
        else:
            answer = world.answer(self.command, target, login, json.loads(data) if data else None)
            told = world.real(answer.value, login)
            if self.command != "GET" and (lost := [one for one in world.losing if target.endswith(one)]):
                world.losing.remove(lost[0])
                self.reply(Answer(502, {}, {"message": "Bad Gateway"}))
                return
            scopes = {"X-OAuth-Scopes": "repo, workflow"} if login else {}
            scopes["X-GitHub-Request-Id"] = f"0000:{len(world.asked)}"
            self.reply(Answer(answer.status, scopes, world.described(told)))

    def reply(self, answer: Answer) -> None:
        """Send an answer."""
        text = b"" if answer.value is None else json.dumps(answer.value).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def running_github(
    folder: Path, tokens: Mapping[str, str], *, owner: str, name: str, clock: Callable[[], datetime]
) -> Iterator[GitHubWorld]:
    """Run a GitHub in which `owner` has an empty repository `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    world = GitHubWorld(folder / "repositories", owner, name, dict(tokens), clock, Contract.load())
    own: dict[str, object] = {"world": world, "folder": world.folder, "asked": []}
    own["clock"] = staticmethod(lambda: world.clock())  # noqa: PLW0108  (a test may set another clock later)
    with running(type("Handler", (_Handler,), own), folder) as place:
        world.url, world.certificate = place
        with _emulating(folder, world):
            world.make(world.slug)
            yield world
    assert not world.violations, world.violations


@contextmanager
def _emulating(folder: Path, world: GitHubWorld) -> Iterator[None]:
    seed = {
        "tokens": {token: {"login": login, "scopes": ["repo"]} for login, token in world.tokens.items()},
        "github": {
            "users": [{"login": login, "name": login} for login in world.tokens],
            "repos": [{"owner": world.owner, "name": world.name, "default_branch": "main", "auto_init": True}],
        },
    }
    (folder / "seed.json").write_text(json.dumps(seed), encoding="utf-8")
    script = modules() / "emulate" / "dist" / "index.js"
    log = folder / "emulator.log"
    for _ in range(5):  # the emulator is told its port; somebody may take it first
        world.port = _free_port()
        command = [str(NODE), str(script), "start", "-s", "github", "-p", str(world.port), "--base-url", world.url]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--seed", str(folder / "seed.json")],
                stdout=output,
                stderr=output,
                cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            )
        try:
            if _answers(world, process):
                yield
                return
        finally:
            process.terminate()
            process.wait(10)
    raise AssertionError(log.read_text(encoding="utf-8"))


def _answers(world: GitHubWorld, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return world.emulator("GET", f"/repos/{world.slug}", "").status == 200
        except OSError:
            time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
