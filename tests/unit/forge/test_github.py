"""What the adapter asks of GitHub and makes of its answers, good and bad, from a server on loopback that says anything.

That the requests are those that GitHub describes, and that a whole story goes through, is in `tests/story`.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from medperf_git.forge.api import Cause, Comment, Fault, Repository
from medperf_git.forge.faults import Surroundings, problem_of
from medperf_git.forge.github import GitHub
from medperf_git.forge.host import Host
from medperf_git.forge.port import Account, Checks, Request, State, Words

TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
SLUG, ID = "ana/heart", "0123456789abcdef0123456789abcdef"
BRANCH, HEAD = f"submit/{ID}", "a1" * 20
PLACE = Repository("bob/heart", "bob/heart.git", may_push=True)
WORDS = Words("Title", "Body")
REQUEST = Request(
    7, BRANCH, HEAD, "bob/heart", "bob", State.OPEN, "https://github.com/ana/heart/pull/7", "refs/pull/7/head"
)


@dataclass
class Scripted:
    """A server that answers as it is told, one answer after another, the last one for ever."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def say(self, value: Any, status: int = 200, **headers: str) -> "Scripted":
        """Answer the next request with this."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.answers.append((status, {name.replace("_", "-"): text for name, text in headers.items()}, data))
        return self

    def next(self) -> tuple[int, dict[str, str], bytes]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def api(self) -> GitHub:
        """The adapter, pointed here."""
        return GitHub.open(f"{self.url}/api/v3", TOKEN, {})

    @property
    def paths(self) -> list[str]:
        """What was asked, without the beginning that all have."""
        return [f"{verb} {path.removeprefix('/api/v3')}" for verb, path, _ in self.asked]


@contextmanager
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            script.bodies.append(json.loads(body) if body else None)
            status, headers, data = script.next()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def do_PATCH(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield script
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def github() -> Iterator[Scripted]:
    with scripted() as script:
        yield script


def repository(name: str = SLUG, *, push: bool = False, parent: str = "") -> dict[str, Any]:
    origin = {"full_name": parent} if parent else None
    owner = {"login": name.partition("/")[0]}
    rights = {"admin": False, "push": push, "pull": True}
    return {"full_name": name, "owner": owner, "permissions": rights, "parent": origin, "source": origin}


def pull(number: int = 7, **more: Any) -> dict[str, Any]:
    value = {
        "number": number,
        "state": "open",
        "title": "Title",
        "body": "Body",
        "html_url": f"https://github.com/ana/heart/pull/{number}",
        "user": {"login": "bob"},
        "merged_at": None,
        "head": {"ref": BRANCH, "sha": HEAD, "repo": repository("bob/heart")},
    }
    return {**value, **more}


def test_who_we_are_comes_with_the_scopes_that_a_classic_token_tells(github: Scripted) -> None:
    github.say({"login": "bob"}, X_OAuth_Scopes="repo, workflow")
    assert github.api.me() == Account("bob", frozenset({"repo", "workflow"}))
    assert github.asked == [("GET", "/api/v3/user", f"Bearer {TOKEN}")]


def test_a_classic_token_without_any_scope_has_none_and_a_fine_grained_one_does_not_tell(github: Scripted) -> None:
    assert github.say({"login": "bob"}, X_OAuth_Scopes="").api.me().scopes == frozenset()
    github.answers.clear()
    assert github.say({"login": "bob"}).api.me().scopes is None


def test_without_a_token_nothing_is_said_of_who_we_are(github: Scripted) -> None:
    github.say([pull()])
    nobody = GitHub.open(f"{github.url}/api/v3", "", {})
    assert [one.number for one in nobody.requests_of(SLUG, BRANCH)] == [7]
    assert {said for _, _, said in github.asked} == {""}
    assert not any(path.startswith("GET /user") for path in github.paths)


def test_a_repository_is_called_as_the_registry_calls_it_however_it_is_capitalised(github: Scripted) -> None:
    github.say(repository("Ana/Heart", push=True))
    assert github.api.repository(SLUG) == Repository(SLUG, "ana/heart.git", may_push=True)


def test_a_repository_that_is_not_shown_is_none(github: Scripted) -> None:
    assert github.say({"message": "Not Found"}, 404).api.repository(SLUG) is None


def test_a_repository_of_the_same_name_that_is_no_fork_is_passed_over_for_the_fork(github: Scripted) -> None:
    github.say(repository("bob/heart", push=True))
    github.say([repository("eve/heart"), repository("bob/heart-1")])
    github.say(repository("bob/heart-1", push=True, parent="Ana/Heart"))
    assert github.api.find_fork(SLUG, "bob") == Repository("bob/heart-1", "bob/heart-1.git", may_push=True)
    assert github.paths == ["GET /repos/bob/heart", "GET /repos/ana/heart/forks?per_page=100", "GET /repos/bob/heart-1"]


def test_a_fork_that_was_renamed_is_found_under_its_new_name(github: Scripted) -> None:
    github.say({}, 301, Location=f"{github.url}/api/v3/repositories/5")
    github.say([repository("bob/mirror")]).say(repository("bob/mirror", push=True, parent=SLUG))
    found = github.api.find_fork(SLUG, "bob")
    assert found is not None
    assert found.slug == "bob/mirror"


def test_a_list_of_forks_is_not_believed_without_the_forks_own_word(github: Scripted) -> None:
    github.say({"message": "Not Found"}, 404).say([repository("bob/trap")]).say(repository("bob/trap", push=True))
    assert github.api.find_fork(SLUG, "bob") is None


def test_nobody_is_asked_for_a_fork_of_their_own_repository(github: Scripted) -> None:
    assert github.api.find_fork(SLUG, "Ana") is None
    assert github.asked == []


def test_requests_of_a_branch_are_looked_for_in_three_lists_and_each_counts_once(github: Scripted) -> None:
    other = pull(9, head={"ref": "submit/other", "sha": HEAD, "repo": None})
    github.say({"login": "bob"}).say([pull(8), other]).say([]).say(
        [pull(8), pull(5, merged_at="2026-11-25T11:00:00Z", state="closed")]
    )
    found = github.api.requests_of(SLUG, BRANCH)
    assert [(one.number, one.state) for one in found] == [(8, State.OPEN), (5, State.MERGED)]
    assert [path.partition("?")[0] for path in github.paths] == ["GET /user"] + 3 * ["GET /repos/ana/heart/pulls"]
    assert [path.partition("head=")[2].partition("%3A")[0] for path in github.paths[2:]] == ["ana", "bob"]


def test_who_closed_a_request_is_asked_only_of_what_was_closed_unmerged(github: Scripted) -> None:
    github.say({"login": "ana"}).say([]).say([pull(7, state="closed")]).say({"closed_by": {"login": "ana"}})
    (found,) = github.api.requests_of(SLUG, BRANCH)
    assert (found.state, found.closed_by) == (State.CLOSED, "ana")
    assert github.paths[-1] == "GET /repos/ana/heart/issues/7"


def test_a_token_that_may_not_see_who_closed_a_request_still_sees_the_request(github: Scripted) -> None:
    github.say({"login": "ana"}).say([]).say([pull(7, state="closed")]).say({"message": "Not accessible"}, 403)
    (found,) = github.api.requests_of(SLUG, BRANCH)
    assert (found.state, found.closed_by) == (State.CLOSED, "")


def test_accounts_and_forks_that_are_gone_leave_a_request_that_is_read(github: Scripted) -> None:
    gone = pull(user=None, body=None, head={"ref": BRANCH, "sha": HEAD, "repo": None})
    (found,) = github.say([gone]).api.open_requests(SLUG, 500)
    assert (found.author, found.source, found.body, found.proposal) == ("", "", "", ID)
    assert len(github.asked) == 1


def test_five_hundred_requests_are_five_pages_of_addresses_that_we_make(github: Scripted) -> None:
    for page in range(6):
        away = 'Link="<https://evil.example/repos?page=2>; rel=\\"next\\""'
        github.say([pull(1000 - 100 * page - one) for one in range(100)], Link=away)
    found = github.api.open_requests(SLUG, 500)
    assert [one.number for one in found] == list(range(1000, 500, -1))
    assert [path.partition("&page=")[2].partition("&")[0] for path in github.paths] == ["", "2", "3", "4", "5"]


def test_a_request_from_a_fork_lets_maintainers_push_and_one_from_the_registry_names_its_branch(
    github: Scripted,
) -> None:
    github.say(pull(), 201)
    assert github.api.open_request(SLUG, PLACE, BRANCH, WORDS).number == 7
    github.api.open_request(SLUG, Repository(SLUG, "", may_push=True), BRANCH, WORDS)
    common = {"base": "main", "title": "Title", "body": "Body"}
    assert github.bodies == [
        {**common, "head": f"bob:{BRANCH}", "maintainer_can_modify": True},
        {**common, "head": BRANCH},
    ]


def test_what_is_written_goes_to_the_requests_own_addresses(github: Scripted) -> None:
    github.say(pull())
    github.api.edit_request(SLUG, REQUEST, WORDS)
    github.api.close_request(SLUG, REQUEST)
    github.answers.clear()
    github.say({"id": 5, "body": "Hello", "user": {"login": "bob"}})
    github.api.add_comment(SLUG, REQUEST, "Hello")
    github.api.edit_comment(SLUG, REQUEST, Comment("5", "bob", "Hello"), "Hello again")
    assert github.paths == [
        "PATCH /repos/ana/heart/pulls/7",
        "PATCH /repos/ana/heart/pulls/7",
        "POST /repos/ana/heart/issues/7/comments",
        "PATCH /repos/ana/heart/issues/comments/5",
    ]
    told = [{"title": "Title", "body": "Body"}, {"state": "closed"}, {"body": "Hello"}, {"body": "Hello again"}]
    assert github.bodies == told


def test_merging_names_the_judged_commit_and_asks_for_a_merge_commit(github: Scripted) -> None:
    github.say({"merged": True, "sha": HEAD, "message": "done"})
    github.api.merge_request(SLUG, REQUEST, HEAD, WORDS)
    assert github.paths == ["PUT /repos/ana/heart/pulls/7/merge"]
    said = {"commit_title": "Title", "commit_message": "Body", "merge_method": "merge", "sha": HEAD}
    assert github.bodies == [said]


def test_an_answer_that_says_not_merged_is_a_refusal(github: Scripted) -> None:
    github.say({"merged": False, "message": "Base branch was modified"})
    with pytest.raises(Fault) as caught:
        github.api.merge_request(SLUG, REQUEST, HEAD, WORDS)
    assert (caught.value.cause, caught.value.status, caught.value.said) == (
        Cause.STATUS,
        405,
        "Base branch was modified",
    )


def run(conclusion: str | None, name: str = "judge") -> dict[str, Any]:
    return {"name": name, "status": "completed" if conclusion else "in_progress", "conclusion": conclusion}


def status(state: str, context: str = "judge") -> dict[str, Any]:
    return {"context": context, "state": state}


@pytest.mark.parametrize(
    ("runs", "statuses", "said"),
    [
        ([run("success")], None, Checks.PASSED),
        ([run("failure")], None, Checks.FAILED),
        ([run("cancelled")], None, Checks.FAILED),
        ([run("action_required")], None, Checks.FAILED),
        ([run("neutral")], None, Checks.PASSED),
        ([run(None)], None, Checks.RUNNING),
        ([run("success"), run(None)], None, Checks.RUNNING),
        ([run("success"), run("failure", "lint")], None, Checks.PASSED),
        ([run("failure", "lint")], [status("success")], Checks.PASSED),
        ([run("failure", "lint")], [status("success", "other")], Checks.FAILED),
        ([run("success", "lint")], [], Checks.PASSED),
        ([run("skipped")], None, Checks.NONE),
        ([], [status("pending")], Checks.RUNNING),
        ([], [status("error")], Checks.FAILED),
        ([], [], Checks.NONE),
    ],
)
def test_the_check_called_judge_speaks_and_where_there_is_none_all_do(
    github: Scripted, runs: list[Any], statuses: list[Any] | None, said: Checks
) -> None:
    github.say({"total_count": len(runs), "check_runs": runs}).say({"state": "pending", "statuses": statuses})
    assert github.api.checks(SLUG, REQUEST) is said
    assert len(github.asked) == (1 if statuses is None else 2)


FORBIDDEN = {
    "single sign-on": (
        {"X_GitHub_SSO": "required; url=https://github.com/orgs/o/sso?a=b"},
        "Resource protected by SSO",
    ),
    "fine-grained": ({}, "Resource not accessible by personal access token"),
    "had too many requests": ({"Retry_After": "60"}, "You have exceeded a secondary rate limit"),
    "lacks a scope": ({"X_OAuth_Scopes": "gist", "X_Accepted_OAuth_Scopes": "repo"}, "Not Found"),
}


@pytest.mark.parametrize("meant", FORBIDDEN)
def test_what_github_says_beside_a_refusal_reaches_the_sentence_for_people(github: Scripted, meant: str) -> None:
    headers, message = FORBIDDEN[meant]
    github.say({"message": message}, 403, **headers)
    with pytest.raises(Fault) as caught:
        github.api.open_request(SLUG, PLACE, BRANCH, WORDS)
    assert (caught.value.status, caught.value.said) == (403, message)
    assert {name.lower().replace("_", "-") for name in headers} <= set(caught.value.headers)
    problem = problem_of(caught.value, "open the pull request", Surroundings(Host.GITHUB, "github.com"))
    assert meant in f"{problem.message} {problem.hint}"


def test_every_error_of_a_refused_request_is_told(github: Scripted) -> None:
    errors = [
        {"resource": "PullRequest", "code": "custom", "message": f"A pull request already exists for bob:{BRANCH}."}
    ]
    github.say({"message": "Validation Failed", "errors": errors}, 422)
    with pytest.raises(Fault, match="already exists for bob"):
        github.api.open_request(SLUG, PLACE, BRANCH, WORDS)


CALLS: dict[str, Callable[[GitHub], object]] = {
    "me": lambda api: api.me(),
    "repository": lambda api: api.repository(SLUG),
    "find_fork": lambda api: api.find_fork(SLUG, "bob"),
    "fork": lambda api: api.fork(SLUG),
    "open_requests": lambda api: api.open_requests(SLUG, 500),
    "requests_of": lambda api: api.requests_of(SLUG, BRANCH),
    "open_request": lambda api: api.open_request(SLUG, PLACE, BRANCH, WORDS),
    "edit_request": lambda api: api.edit_request(SLUG, REQUEST, WORDS),
    "close_request": lambda api: api.close_request(SLUG, REQUEST),
    "merge_request": lambda api: api.merge_request(SLUG, REQUEST, HEAD, WORDS),
    "checks": lambda api: api.checks(SLUG, REQUEST),
    "comments": lambda api: api.comments(SLUG, REQUEST),
    "add_comment": lambda api: api.add_comment(SLUG, REQUEST, "Hello"),
    "edit_comment": lambda api: api.edit_comment(SLUG, REQUEST, Comment("5", "bob", ""), "Hello"),
}
ELSEWHERE = {"url": "https://evil.example/api/v3/x"}
ODD: list[Any] = [
    *(None, [], {}, "text", 5, True, [[]], [None], ["text"], [{}], [5]),
    *({"login": 5}, {"full_name": None}, {"full_name": "x", "permissions": []}, {"number": "seven"}, [pull(0)]),
    *(
        [pull(head=None)],
        [pull(head={})],
        [pull(head={"ref": BRANCH, "sha": "short", "repo": None})],
        [pull(title=None)],
    ),
    *([pull(state="odd")], [pull(html_url="javascript:alert(1)")], [pull(merged_at="yesterday")], [{**ELSEWHERE}]),
    *({**ELSEWHERE}, {"check_runs": None}, {"check_runs": [{}], "statuses": 5}, {"merged": "yes"}, {"message": None}),
    dict.fromkeys(("head", "user", "owner", "parent", "source", "permissions"), ELSEWHERE),
]


def cause_of(call: Callable[[GitHub], object], api: GitHub) -> Cause | None:
    try:
        call(api)
    except Fault as fault:
        return fault.cause
    return None


@pytest.mark.parametrize("name", CALLS)
def test_no_answer_in_another_form_is_more_than_a_fault(github: Scripted, name: str) -> None:
    for odd in ODD:
        github.answers, github.asked = [], []
        github.say(odd)
        assert cause_of(CALLS[name], github.api) in (None, Cause.GARBLED, Cause.STATUS), odd
        assert len(github.asked) <= 4, odd
        assert all(said == f"Bearer {TOKEN}" for _, _, said in github.asked)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("broken", [b'{"login": "bo', b"<html>Log in</html>", b"[" * 100_000, b"\xff\xfe"])
def test_no_broken_answer_is_more_than_a_fault(github: Scripted, name: str, broken: bytes) -> None:
    github.say(broken)
    with pytest.raises(Fault) as caught:
        CALLS[name](github.api)
    assert caught.value.cause is Cause.GARBLED
    assert len(github.asked) == 1


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("me", {"login": 5}),
        ("me", {"login": ""}),
        ("repository", {"full_name": "x", "permissions": []}),
        ("open_requests", {"message": "no list"}),
        ("open_requests", [pull(0)]),
        ("open_requests", [pull(html_url="javascript:alert(1)")]),
        ("open_requests", [pull(head={"ref": BRANCH, "sha": "short", "repo": None})]),
        ("open_requests", [pull(merged_at="yesterday")]),
        ("comments", [{"id": "five"}]),
        ("checks", {"check_runs": [{}]}),
        ("merge_request", {"merged": "yes"}),
    ],
)
def test_what_is_read_of_an_answer_is_of_the_form_that_belongs_there(github: Scripted, name: str, odd: Any) -> None:
    github.say(odd)
    assert cause_of(CALLS[name], github.api) is Cause.GARBLED


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("code", [500, 502, 503, 429, 401])
def test_nothing_is_tried_again_here(github: Scripted, name: str, code: int) -> None:
    github.say({"message": "no"}, code, Retry_After="1")
    with pytest.raises(Fault) as caught:
        CALLS[name](github.api)
    assert (caught.value.cause, caught.value.status) == (Cause.STATUS, code)
    assert len(github.asked) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "find_fork"])
def test_no_redirection_is_followed_with_the_token_or_without(github: Scripted, name: str, code: int) -> None:
    with scripted() as elsewhere:
        elsewhere.say({"login": "mallory"})
        for place in (elsewhere.url, github.url):
            github.answers, github.asked = [], []
            github.say({}, code, Location=f"{place}/api/v3/user")
            with pytest.raises(Fault) as caught:
                CALLS[name](github.api)
            assert (caught.value.cause, caught.value.status) == (Cause.REDIRECT, code)
            assert len(github.asked) == 1
        assert elsewhere.asked == []


def test_a_list_whose_entries_lack_something_is_no_reason_to_ask_again(github: Scripted) -> None:
    lacking = {**pull(), "url": f"{github.url}/api/v3/repos/ana/heart/pulls/7"}
    del lacking["merged_at"]
    with pytest.raises(Fault, match="lacks"):
        github.say([lacking]).api.open_requests(SLUG, 500)
    assert len(github.asked) == 1


def test_the_token_is_in_no_log_no_text_and_no_fault(
    github: Scripted, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 0)
    api = github.say({"message": "Bad credentials"}, 401).api
    said = [repr(api), repr(vars(api)), str(vars(api._requester))]
    for call in CALLS.values():
        with pytest.raises(Fault) as caught:
            call(api)
        said += [repr(caught.value), str(caught.value), repr(caught.value.__cause__)]
    said += [record.getMessage() for record in caplog.records]
    assert any("401" in text for text in said)
    assert not [text for text in said if TOKEN in text]


def test_a_token_travels_by_https_only() -> None:
    with pytest.raises(Fault) as caught:
        GitHub.open("http://github.example/api/v3", TOKEN, {})
    assert caught.value.cause is Cause.REDIRECT
