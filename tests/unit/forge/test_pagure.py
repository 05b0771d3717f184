"""What the adapter makes of Pagure's answers; a Pagure that runs is played in tests/pagure."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from medperf_git.forge.api import Cause, Fault, Repository
from medperf_git.forge.pagure import Pagure
from medperf_git.forge.port import Checks, Request, State, Words

HEAD, OTHER = "a" * 40, "b" * 40
OWN = {"url_path": "clinic/heart", "parent": None, "access_users": {"owner": ["ana"]}, "access_groups": {}}
FORK = {**OWN, "url_path": "fork/bob/clinic/heart", "parent": OWN, "access_users": {"owner": ["bob"]}}
OPEN = {
    "id": 7, "branch": "main", "branch_from": "submit/1", "commit_stop": OTHER, "repo_from": FORK, "status": "Open",
    "user": {"name": "bob"}, "title": "Add", "initial_comment": "it", "closed_by": None,
    "cached_merge_status": "unknown", "comments": [],
}  # fmt: skip
MISSING = {"error": "Invalid or expired token.", "error_code": "EINVALIDTOK", "errors": "Missing ACLs: pull_request_x"}


class Forge(ThreadingHTTPServer):
    """Answers what it was given by method and path, and keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {"POST -/whoami": (200, {"username": "bob"})}
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def pagure(self) -> Pagure:
        return Pagure.open(f"http://127.0.0.1:{self.server_port}/api/0", "t0ken", {})


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        what = f"{self.command} {self.path.partition('?')[0].removeprefix('/api/0/')}"
        self.server.asked.append((what, body))
        status, value = self.server.answers.get(what, (404, {"error": "Project not found", "error_code": "ENOPROJECT"}))
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()


@pytest.fixture
def forge() -> Iterator[Forge]:
    forge = Forge()
    thread = Thread(target=forge.serve_forever, daemon=True)
    thread.start()
    yield forge
    forge.shutdown()
    forge.server_close()
    thread.join()


@pytest.fixture
def request_(forge: Forge) -> Request:
    forge.answers["GET clinic/heart/pull-requests"] = (200, {"requests": [OPEN]})
    (found,) = forge.pagure().open_requests("clinic/heart", 10)
    return found


def test_a_request_is_read_as_pagure_tells_it(request_: Request) -> None:
    assert (request_.number, request_.branch, request_.commit) == (7, "submit/1", OTHER)
    assert (request_.source, request_.author, request_.state) == ("fork/bob/clinic/heart", "bob", State.OPEN)
    assert request_.url.endswith("/clinic/heart/pull-request/7")
    assert request_.ref == "refs/pull/7/head"


def test_what_a_branch_holds_now_counts_more_than_what_the_list_says(forge: Forge, request_: Request) -> None:
    forge.answers["GET fork/bob/clinic/heart/git/branches"] = (200, {"branches": {"submit/1": HEAD}})
    (found,) = forge.pagure().requests_of("clinic/heart", "submit/1")
    assert found.commit == HEAD
    assert forge.pagure().requests_of("clinic/heart", "submit/2") == []


def test_a_fork_has_another_place_for_git_and_none_of_something_else_counts(forge: Forge) -> None:
    pagure = forge.pagure()
    pagure.me()
    forge.answers["GET fork/bob/clinic/heart"] = (200, FORK)
    own = Repository("fork/bob/clinic/heart", "forks/bob/clinic/heart.git", may_push=True)
    assert pagure.find_fork("clinic/heart", "bob") == own
    forge.answers["GET fork/bob/clinic/heart"] = (200, {**FORK, "parent": None})
    assert pagure.find_fork("clinic/heart", "bob") is None
    assert pagure.repository("clinic/heart") is None


@pytest.mark.parametrize(
    ("people", "groups", "may"),
    [
        ({"owner": ["ana"], "commit": ["bob"]}, {}, True),
        ({"owner": ["ana"], "ticket": ["bob"], "collaborator": ["bob"]}, {}, False),
        ({"owner": ["ana"]}, {"commit": ["team"]}, True),
        ({"owner": ["ana"]}, {"ticket": ["team"]}, False),
    ],
)
def test_who_may_push_is_told_by_people_and_groups(forge: Forge, people: Any, groups: Any, may: bool) -> None:
    told = {**OWN, "access_users": people, "access_groups": groups, "group_details": {"team": ["bob"]}}
    forge.answers["GET clinic/heart"] = (200, told)
    pagure = forge.pagure()
    pagure.me()
    assert pagure.repository("clinic/heart") == Repository("clinic/heart", "clinic/heart.git", may_push=may)


def test_what_a_key_may_not_do_is_no_wrong_key(forge: Forge, request_: Request) -> None:
    forge.answers["POST clinic/heart/pull-request/7/close"] = (401, MISSING)
    pagure = forge.pagure()
    pagure.me()
    with pytest.raises(Fault) as fault:
        pagure.close_request("clinic/heart", request_)
    assert (fault.value.status, fault.value.said) == (403, "Missing ACLs: pull_request_x")
    forge.answers["POST -/whoami"] = (401, {"error": "Invalid or expired token."})
    with pytest.raises(Fault) as wrong:
        forge.pagure().me()
    assert wrong.value.status == 401


@pytest.mark.parametrize(
    ("head", "status", "options", "refused"),
    [
        (HEAD, "unknown", (200, {"settings": {"always_merge": True}}), 0),
        (HEAD, "MERGE", (401, MISSING), 0),
        (HEAD, "FFORWARD", (200, {"settings": {"always_merge": False}}), 405),
        (HEAD, "unknown", (401, MISSING), 405),
        (OTHER, "MERGE", (200, {"settings": {"always_merge": True}}), 409),
    ],
)
def test_only_the_judged_head_is_merged_and_only_by_a_merge(
    forge: Forge, request_: Request, head: str, status: str, options: Any, refused: int
) -> None:
    forge.answers["GET clinic/heart/pull-request/7"] = (200, {**OPEN, "cached_merge_status": status})
    forge.answers["GET fork/bob/clinic/heart/git/branches"] = (200, {"branches": {"submit/1": head}})
    forge.answers["GET clinic/heart/options"] = options
    forge.answers["POST clinic/heart/pull-request/7/merge"] = (200, {"message": "Changes merged!"})
    pagure = forge.pagure()
    if refused:
        with pytest.raises(Fault) as fault:
            pagure.merge_request("clinic/heart", request_, HEAD, Words("it"))
        assert fault.value.status == refused
    else:
        pagure.merge_request("clinic/heart", request_, HEAD, Words("it"))
    merged = [what for what, _ in forge.asked if what.endswith("/merge")]
    assert bool(merged) != bool(refused)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], Checks.NONE),
        ([("other", "failure", 1), ("judge", "success", 2)], Checks.PASSED),
        ([("judge", "success", 2), ("judge", "failure", 1)], Checks.PASSED),
        ([("judge", "pending", 1)], Checks.RUNNING),
        ([("one", "success", 1), ("two", "error", 1)], Checks.FAILED),
        ([("one", "success", 1), ("two", "pending", 1)], Checks.RUNNING),
    ],
)
def test_flags_are_checks(forge: Forge, request_: Request, flags: Any, said: Checks) -> None:
    listed = [{"username": name, "status": status, "date_updated": str(at)} for name, status, at in flags]
    forge.answers["GET clinic/heart/pull-request/7/flag"] = (200, {"flags": listed})
    assert forge.pagure().checks("clinic/heart", request_) is said


def test_comments_are_what_people_wrote(forge: Forge, request_: Request) -> None:
    told = [
        {"id": 1, "user": {"name": "bob"}, "comment": "hello", "notification": False},
        {"id": 2, "user": {"name": "bob"}, "comment": "1 new commit", "notification": True},
    ]
    forge.answers["GET clinic/heart/pull-request/7"] = (200, {**OPEN, "comments": told})
    (comment,) = forge.pagure().comments("clinic/heart", request_)
    assert (comment.id, comment.author, comment.text) == ("1", "bob", "hello")
    forge.answers["POST clinic/heart/pull-request/7/comment"] = (200, {"message": "Comment added"})
    forge.pagure().edit_comment("clinic/heart", request_, comment, "again")
    assert forge.asked[-1] == ("POST clinic/heart/pull-request/7/comment", "comment=again")


@pytest.mark.parametrize("value", [[], {}, {"requests": None}, {"requests": [{}]}, {"requests": [{**OPEN, "id": "x"}]}])
def test_an_answer_of_another_form_is_garbled(forge: Forge, value: Any) -> None:
    forge.answers["GET clinic/heart/pull-requests"] = (200, value)
    with pytest.raises(Fault) as fault:
        forge.pagure().open_requests("clinic/heart", 10)
    assert fault.value.cause is Cause.GARBLED


def test_a_key_goes_to_https_alone() -> None:
    with pytest.raises(Fault):
        Pagure.open("http://forge.example/api/0", "t0ken", {})
