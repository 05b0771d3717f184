"""Forgejo's workflow that speaks runs from main, on its own judgement; a small server gives the documented answers.

The server answers Forgejo's interface for pull requests and comments below `/api/v1`, and serves the repository itself
as files, which Git reads over http.
"""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from medperf_git.forge.host import Host
from tests.ci.conftest import Hosted, proposal_of
from tests.ci.runner import Ran, forge_environ, holds, load, run_job
from tests.support.people import git_environ

pytestmark = pytest.mark.parametrize("hosted", [Host.FORGEJO], indirect=True)
API = "/api/v1/repos/owner/heart"
TOKEN = "t0ken"


class Forgejo(ThreadingHTTPServer):
    """A forge with open pull requests and comments."""

    hosted: Hosted
    pulls: list[dict[str, Any]]
    comments: dict[int, list[dict[str, Any]]]
    calls: list[tuple[str, str]]
    folder: Path

    def open(self, commit: str) -> int:
        number = self.hosted.pull(commit)
        self.pulls.append({"number": number, "head": {"sha": commit}, "base": {"ref": "main"}, "title": "@all\n::x"})
        return number

    def run(self) -> Ran:
        job = load(self.hosted.git("show", "main:.forgejo/workflows/comment.yml"))["jobs"]["comment"]
        server = f"http://127.0.0.1:{self.server_address[1]}"
        github = {"server_url": server, "repository": "owner/heart", "token": TOKEN, "ref": "refs/heads/main"}
        assert holds(job["if"], {"github": github})
        folder = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        ran = run_job(job, folder, context={"github": github}, environ=forge_environ(self.folder))
        assert ran.code == 0, ran.said
        return ran

    def said(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.comments.get(number, [])]

    @property
    def written(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]


class Handler(SimpleHTTPRequestHandler):
    server: Forgejo

    def do_GET(self) -> None:
        self.server.calls.append(("GET", self.path))
        if self.path.startswith(f"{API}/pulls?state=open"):
            page = int(re.search(r"page=(\d+)", self.path).group(1))  # type: ignore[union-attr]
            self.answer(self.server.pulls if page == 1 else [])
        elif found := re.fullmatch(rf"{API}/issues/(\d+)/comments", self.path):
            self.answer(self.server.comments.get(int(found.group(1)), []))
        elif self.path.startswith("/api/"):
            self.answer({"message": "not found"}, status=404)
        else:
            self.path = self.path.replace("?service=git-upload-pack", "")  # files only: the dumb protocol
            if self.path.endswith("/info/refs"):
                git = ["git", f"--git-dir={self.server.hosted.repository}", "update-server-info"]
                subprocess.run(git, check=True, env=git_environ())
            super().do_GET()

    def do_POST(self) -> None:
        self.server.calls.append(("POST", self.path))
        number = int(re.fullmatch(rf"{API}/issues/(\d+)/comments", self.path).group(1))  # type: ignore[union-attr]
        there = self.server.comments.setdefault(number, [])
        made = {"id": 100 + len(self.server.written), "user": {"login": "forgejo-actions"}, "body": self.body()}
        there.append(made)
        self.answer(made, status=201)

    def do_PATCH(self) -> None:
        self.server.calls.append(("PATCH", self.path))
        wanted = int(re.fullmatch(rf"{API}/issues/comments/(\d+)", self.path).group(1))  # type: ignore[union-attr]
        found = next(one for each in self.server.comments.values() for one in each if one["id"] == wanted)
        found["body"] = self.body()
        self.answer(found)

    def body(self) -> str:
        assert self.headers["Authorization"] == f"token {TOKEN}"
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def answer(self, value: object, *, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def forge(hosted: Hosted, tmp_path: Path) -> Iterator[Forgejo]:
    def handler(*words: Any) -> Handler:
        return Handler(*words, directory=str(hosted.repository.parents[1]))

    with Forgejo(("127.0.0.1", 0), handler) as made:
        made.hosted, made.pulls, made.comments, made.calls = hosted, [], {}, []
        made.folder = tmp_path / "forgejo"
        made.folder.mkdir()
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def test_each_proposal_gets_one_comment_that_is_kept_up_to_date(forge: Forgejo) -> None:
    good = forge.open(proposal_of(forge.hosted, "lab-x"))
    bad = forge.open(forge.hosted.commit({"@everyone <img src=x>.txt": b"x"}))
    waiting = forge.open(proposal_of(forge.hosted, "waiting"))
    forge.run()
    (said,) = forge.said(good)
    assert said.startswith("<!-- medperf-git -->\n### pass: it would be accepted")
    (said,) = forge.said(bad)
    assert "`@everyone <img src=x>.txt`" in said
    (said,) = forge.said(waiting)
    assert "waits for a maintainer: ana" in said
    written = len(forge.written)
    forge.run()
    assert len(forge.written) == written == 3
    forge.hosted.merge(forge.hosted.main, proposal_of(forge.hosted, "labx"), ref="refs/heads/main")
    forge.run()
    (said,) = forge.said(good)
    assert "### fail: it would be refused" in said
    assert "PATCH" in {method for method, _ in forge.written}


def test_nobody_elses_comment_is_touched(forge: Forgejo) -> None:
    number = forge.open(proposal_of(forge.hosted, "lab-x"))
    fake = {"id": 99, "user": {"login": "mallory"}, "body": "<!-- medperf-git -->\n### pass"}
    forge.comments[number] = [dict(fake)]
    forge.run()
    assert forge.comments[number][0] == fake
    assert len(forge.said(number)) == 2


def test_t43_what_a_list_says_besides_numbers_and_commits_is_dropped(forge: Forgejo) -> None:
    forge.pulls = [
        {"number": 1, "head": {"sha": "$(touch /tmp/pwned)"}, "base": {"ref": "main"}},
        {"number": "1\n2 " + "a" * 40 + " x", "head": {"sha": "b"}, "base": {"ref": "main"}},
        {"number": 3, "head": {"sha": forge.hosted.main}, "base": {"ref": "other"}},
    ]
    forge.run()
    assert forge.written == []


def test_no_step_that_runs_the_validator_has_the_token(forge: Forgejo) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    job = load(forge.hosted.git("show", "main:.forgejo/workflows/comment.yml"))["jobs"]["comment"]
    runs = [step for step in job["steps"] if "validator/" in step["run"]]
    assert len(runs) == 2
    assert not [step for step in runs if "env" in step]
