"""`doctor forge` at GitHub, GitLab, Forgejo and Pagure: small servers on this machine give the documented answers."""

import copy
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.house_forge import SETTINGS, examine_forge
from medperf_git.flows.house_rest import rest
from medperf_git.forge.host import Host, api_of
from tests.support.people import Human

URLS = {
    Host.GITHUB: "https://github.com/ana/heart",
    Host.GITLAB: "https://gitlab.com/clinic/eval/heart",
    Host.FORGEJO: "https://codeberg.org/ana/heart",
    Host.PAGURE: "https://pagure.io/clinic/heart",
}
# Answers as the interfaces' documentation shows them, cut to the fields around those that are read.
GOOD: dict[Host, dict[str, Any]] = {
    Host.GITHUB: {
        "/repos/ana/heart": {
            "id": 1296269,
            "full_name": "ana/heart",
            "permissions": {"admin": True, "push": True, "pull": True},
            "default_branch": "main",
            "allow_rebase_merge": False,
            "allow_squash_merge": True,
            "allow_merge_commit": True,
        },
        "/repos/ana/heart/rules/branches/main": [],
        "/repos/ana/heart/branches/main/protection": {
            "required_status_checks": {
                "strict": True,
                "contexts": ["judge"],
                "checks": [{"context": "judge", "app_id": 15368}],
            },
            "enforce_admins": {"enabled": True},
            "required_pull_request_reviews": {"required_approving_review_count": 0},
            "allow_force_pushes": {"enabled": False},
            "allow_deletions": {"enabled": False},
        },
        "/repos/ana/heart/actions/permissions/workflow": {
            "default_workflow_permissions": "read",
            "can_approve_pull_request_reviews": False,
        },
        "/repos/ana/heart/actions/permissions/fork-pr-contributor-approval": {
            "approval_policy": "all_external_contributors"
        },
    },
    Host.GITLAB: {
        "/projects/clinic%2Feval%2Fheart": {
            "id": 3,
            "path_with_namespace": "clinic/eval/heart",
            "default_branch": "main",
            "only_allow_merge_if_pipeline_succeeds": True,
            "allow_merge_on_skipped_pipeline": False,
            "merge_method": "rebase_merge",
            "merge_trains_enabled": False,
            "ci_allow_fork_pipelines_to_run_in_parent_project": False,
            "ci_push_repository_for_job_token_allowed": False,
        },
        "/projects/clinic%2Feval%2Fheart/protected_branches/main": {
            "id": 101,
            "name": "main",
            "push_access_levels": [{"id": 1001, "access_level": 0, "access_level_description": "No one"}],
            "merge_access_levels": [{"id": 2001, "access_level": 40, "access_level_description": "Maintainers"}],
            "allow_force_push": False,
        },
    },
    Host.FORGEJO: {
        "/repos/ana/heart": {
            "default_branch": "main",
            "allow_merge_commits": True,
            "allow_rebase": False,
            "allow_rebase_explicit": False,
            "allow_squash_merge": True,
            "allow_fast_forward_only_merge": False,
        },
        "/repos/ana/heart/branch_protections/main": {
            "rule_name": "main",
            "enable_push": False,
            "enable_status_check": True,
            "status_check_contexts": ["judge / *"],
            "block_on_outdated_branch": True,
            "apply_to_admins": True,
        },
    },
    Host.PAGURE: {
        "/clinic/heart": {"id": 1, "name": "heart", "namespace": "clinic", "fullname": "clinic/heart", "tags": []},
        "/clinic/heart/git/branches": {"total_branches": 1, "branches": ["main"], "default": "main"},
        "/clinic/heart/options": {
            "settings": {
                "Enforce_signed-off_commits_in_pull-request": False,
                "Minimum_score_to_merge_pull-request": -1,
                "Only_assignee_can_merge_pull-request": False,
                "Web-hooks": None,
                "always_merge": True,
                "disable_non_fast-forward_merges": False,
                "issue_tracker": True,
                "open_metadata_access_to_all": False,
                "pull_request_access_only": False,
                "pull_requests": True,
            },
            "status": "ok",
        },
    },
}
# What no interface tells.
UNTOLD = {
    (Host.FORGEJO, "outsiders' workflows wait for approval"),
    (Host.PAGURE, "the judge is asked before a merge"),
}
LOGIN = {
    Host.GITHUB: ("Authorization", "Bearer t0ken"),
    Host.GITLAB: ("Authorization", "Bearer t0ken"),
    Host.FORGEJO: ("Authorization", "token t0ken"),
    Host.PAGURE: ("Authorization", "token t0ken"),
}


class Server(ThreadingHTTPServer):
    """Answers what it was given; 404 for all else, or what `statuses` says."""

    answers: dict[str, Any]
    statuses: dict[str, int]
    seen: list[tuple[str, dict[str, str]]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        found = self.path in self.server.answers
        status = self.server.statuses.get(self.path, 200 if found else 404)
        body = self.server.answers.get(self.path) if status == 200 else {"message": "no"}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.answers, made.statuses, made.seen = {}, {}, []
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def look(server: Server, host: Host, answers: dict[str, Any]) -> dict[str, Examined]:
    server.answers = answers
    api = f"http://127.0.0.1:{server.server_address[1]}"
    found = examine_forge(URLS[host], host, environ={"MEDPERF_GIT_TOKEN": "t0ken"}, api=api)
    return {one.what: one for one in found}


@pytest.mark.parametrize("host", list(GOOD))
def test_a_host_that_protects_main_lacks_nothing(server: Server, host: Host) -> None:
    found = look(server, host, GOOD[host])
    assert len(found) == len(SETTINGS[host])
    unknown = {what for what, one in found.items() if one.state == "unknown"}
    assert {(host, what) for what in unknown} == {pair for pair in UNTOLD if pair[0] is host}
    assert {one.state for one in found.values()} <= {"ok", "unknown"}
    name, value = LOGIN[host]
    assert all(
        {key.lower(): text for key, text in headers.items()}[name.lower()] == value for _, headers in server.seen
    )


def put(path: str, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def spoil(answers: dict[str, Any]) -> None:
        place = answers[path]
        *way, last = key.split(".")
        for step in way:
            place = place[step]
        place[last] = value

    return spoil


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    return lambda answers: answers.pop(path) and None


R, P = "/repos/ana/heart", "/repos/ana/heart/branches/main/protection"
L, LP = "/projects/clinic%2Feval%2Fheart", "/projects/clinic%2Feval%2Fheart/protected_branches/main"
JP = "/repos/ana/heart/branch_protections/main"
PB, PO = "/clinic/heart/git/branches", "/clinic/heart/options"
SPOILT = [
    (Host.GITHUB, put(R, "default_branch", "master"), "main is the default branch"),
    (Host.GITHUB, put(P, "required_status_checks.contexts", ["build"]), "judge is required"),
    (Host.GITHUB, put(P, "required_status_checks.strict", False), "up to date before merging"),
    (Host.GITHUB, put(P, "required_pull_request_reviews", None), "changes come by pull request"),
    (Host.GITHUB, put(P, "allow_force_pushes.enabled", True), "no force push"),
    (Host.GITHUB, put(P, "allow_deletions.enabled", True), "no deletion"),
    (Host.GITHUB, put(P, "enforce_admins.enabled", False), "the rules bind administrators"),
    (Host.GITHUB, put(R, "allow_rebase_merge", True), "no rebase merging"),
    (
        Host.GITHUB,
        put(R + "/actions/permissions/fork-pr-contributor-approval", "approval_policy", "first_time_contributors"),
        "outsiders' workflows wait for approval",
    ),
    (
        Host.GITHUB,
        put(R + "/actions/permissions/workflow", "default_workflow_permissions", "write"),
        "workflows may only read by default",
    ),
    (
        Host.GITHUB,
        put(R + "/actions/permissions/workflow", "can_approve_pull_request_reviews", True),
        "workflows approve nothing",
    ),
    (Host.GITLAB, put(L, "default_branch", "master"), "main is the default branch"),
    (Host.GITLAB, put(L, "only_allow_merge_if_pipeline_succeeds", False), "pipelines must succeed"),
    (Host.GITLAB, put(L, "allow_merge_on_skipped_pipeline", True), "a skipped pipeline is no success"),
    (Host.GITLAB, put(L, "merge_method", "merge"), "up to date before merging"),
    (Host.GITLAB, put(LP, "push_access_levels", [{"access_level": 40}]), "nobody pushes to main"),
    (Host.GITLAB, put(LP, "allow_force_push", True), "no force push"),
    (
        Host.GITLAB,
        put(L, "ci_allow_fork_pipelines_to_run_in_parent_project", True),
        "outsiders' pipelines run with their own means",
    ),
    (Host.GITLAB, put(L, "ci_push_repository_for_job_token_allowed", True), "a job's token may not push"),
    (Host.FORGEJO, put(R, "default_branch", "master"), "main is the default branch"),
    (Host.FORGEJO, put(JP, "status_check_contexts", ["build / *"]), "judge is required"),
    (Host.FORGEJO, put(JP, "enable_status_check", False), "judge is required"),
    (Host.FORGEJO, put(JP, "block_on_outdated_branch", False), "up to date before merging"),
    (Host.FORGEJO, put(JP, "enable_push", True), "nobody pushes to main"),
    (Host.FORGEJO, put(JP, "apply_to_admins", False), "the rules bind administrators"),
    (Host.FORGEJO, put(R, "allow_rebase", True), "no rewriting at the merge"),
    (Host.PAGURE, put(PB, "default", "master"), "main is the default branch"),
    (Host.PAGURE, put(PO, "settings.pull_requests", False), "proposals are possible"),
    (Host.PAGURE, put(PO, "settings.pull_request_access_only", True), "maintainers push their own branches"),
    (Host.PAGURE, put(PO, "settings.always_merge", False), "no rewriting at the merge"),
    (
        Host.PAGURE,
        put(PO, "settings.disable_non_fast-forward_merges", True),
        "a proposal is merged when main went on meanwhile",
    ),
    (Host.PAGURE, put(PO, "settings.open_metadata_access_to_all", True), "strangers change no proposal's labels"),
    (Host.PAGURE, put(PO, "settings.Minimum_score_to_merge_pull-request", 2), "votes stand in for no signature"),
    (
        Host.PAGURE,
        put(PO, "settings.Only_assignee_can_merge_pull-request", True),
        "who merges need not be assigned first",
    ),
    (
        Host.PAGURE,
        put(PO, "settings.Enforce_signed-off_commits_in_pull-request", True),
        "commits need no line Signed-off-by",
    ),
]


@pytest.mark.parametrize(("host", "spoil", "what"), SPOILT, ids=[f"{host}: {what}" for host, _, what in SPOILT])
def test_each_missing_setting_is_named_with_the_place_to_set_it(
    server: Server, host: Host, spoil: Callable[[dict[str, Any]], None], what: str
) -> None:
    answers = copy.deepcopy(GOOD[host])
    spoil(answers)
    failed = {name: one for name, one in look(server, host, answers).items() if one.state == "fail"}
    assert set(failed) == {what}
    assert failed[what].remedy.startswith(URLS[host])
    assert failed[what].found.startswith("missing: ")


def test_every_setting_has_an_answer_that_fails_it() -> None:
    covered = {(host, what) for host, _, what in SPOILT}
    every = {(host, one.what) for host, listed in SETTINGS.items() for one in listed}
    assert every - covered == UNTOLD | {(Host.GITLAB, "no rewriting at the merge")}


def test_a_fast_forward_of_gitlab_is_no_step_that_readers_accept(server: Server) -> None:
    answers = copy.deepcopy(GOOD[Host.GITLAB])
    answers[L]["merge_method"] = "ff"
    failed = {name for name, one in look(server, Host.GITLAB, answers).items() if one.state == "fail"}
    assert failed == {"up to date before merging", "no rewriting at the merge"}


def test_merge_trains_keep_gitlab_up_to_date(server: Server) -> None:
    answers = copy.deepcopy(GOOD[Host.GITLAB])
    answers[L] |= {"merge_method": "merge", "merge_trains_enabled": True}
    assert {one.state for one in look(server, Host.GITLAB, answers).values()} == {"ok"}


def test_rulesets_protect_as_well_as_classic_protection(server: Server) -> None:
    answers = copy.deepcopy(GOOD[Host.GITHUB])
    del answers[P]
    answers[R + "/rules/branches/main"] = [
        {"type": "deletion", "ruleset_id": 42},
        {"type": "non_fast_forward", "ruleset_id": 42},
        {"type": "pull_request", "ruleset_id": 42, "parameters": {"allowed_merge_methods": ["merge", "squash"]}},
        {
            "type": "required_status_checks",
            "ruleset_id": 42,
            "parameters": {
                "required_status_checks": [{"context": "judge", "integration_id": 15368}],
                "strict_required_status_checks_policy": False,
            },
        },
        {"type": "merge_queue", "ruleset_id": 42, "parameters": {"merge_method": "MERGE"}},
    ]
    found = look(server, Host.GITHUB, answers)
    assert {name for name, one in found.items() if one.state != "ok"} == {"the rules bind administrators"}
    assert found["the rules bind administrators"].state == "unknown"


@pytest.mark.parametrize(("host", "path"), [(Host.GITHUB, P), (Host.GITLAB, LP), (Host.FORGEJO, JP)])
def test_an_unprotected_main_fails_and_an_unseen_one_is_unknown(server: Server, host: Host, path: str) -> None:
    answers = {name: value for name, value in GOOD[host].items() if name != path}
    assert any(one.state == "fail" for one in look(server, host, answers).values())
    server.statuses[path] = 403
    found = look(server, host, GOOD[host])
    assert not any(one.state == "fail" for one in found.values())
    assert any(one.found == "this token may not see it" for one in found.values())


def test_github_hides_protection_from_all_but_administrators_and_so_it_is_unknown(server: Server) -> None:
    answers = copy.deepcopy(GOOD[Host.GITHUB])
    del answers[P]
    answers[R]["permissions"]["admin"] = False
    states = {one.state for one in look(server, Host.GITHUB, answers).values()}
    assert states == {"ok", "unknown"}


def test_options_of_pagure_that_a_token_may_not_see_are_unknown(server: Server) -> None:
    server.statuses[PO] = 401
    states = {what: one.state for what, one in look(server, Host.PAGURE, GOOD[Host.PAGURE]).items()}
    assert states.pop("main is the default branch") == "ok"
    assert set(states.values()) == {"unknown"}


def test_a_pagure_that_does_not_tell_its_default_branch_leaves_it_unknown(server: Server) -> None:
    answers = copy.deepcopy(GOOD[Host.PAGURE])
    del answers[PB]["default"]
    states = {what: one.state for what, one in look(server, Host.PAGURE, answers).items()}
    assert states["main is the default branch"] == "unknown"


@pytest.mark.parametrize("host", list(GOOD))
def test_without_a_token_it_is_a_checklist_and_says_that_it_did_not_look(host: Host) -> None:
    def ask(*_: object, **__: object) -> tuple[int, Any]:
        raise AssertionError("nothing may be asked")

    found = examine_forge(URLS[host], host, environ={}, ask=ask)
    assert [one.what for one in found] == [one.what for one in SETTINGS[host]]
    assert {one.state for one in found} == {"unknown"}
    assert all(one.remedy.startswith(URLS[host]) and "not looked at" in one.found for one in found)


def test_the_command_says_it_too_and_nothing_looked_at_is_no_success(tmp_path: Any) -> None:
    human = Human("ana", tmp_path)
    said = human.run("doctor", "forge", URLS[Host.GITHUB], code=3)
    assert "this is a list to go through by hand; nothing was looked at" in said.out
    assert "https://github.com/ana/heart/settings/rules" in said.out
    human.run("doctor", "forge", "https://git.example.org/ana/heart", code=2)
    human.run("doctor", "forge", "https://git.example.org/ana/heart", "--host", "forgejo", code=3)
    said = human.run("doctor", "forge", "https://git.example.org/heart", "--host", "pagure", code=3)
    assert "https://git.example.org/heart/settings: project options, `always_merge`, on" in said.out
    human.run("doctor", "--host", "forgejo", code=2)


@pytest.mark.parametrize(
    ("host", "url", "environ"),
    [
        (Host.GITHUB, "https://github.evil.example/a/b", {"GH_TOKEN": "x", "GITHUB_TOKEN": "x"}),
        (Host.GITLAB, "https://gitlab.evil.example/a/b", {"GITLAB_TOKEN": "x"}),
        (Host.FORGEJO, "https://forgejo.evil.example/a/b", {"FORGEJO_TOKEN": "x", "FORGEJO_HOST": "git.example"}),
        (Host.PAGURE, "https://pagure.evil.example/b", {"PAGURE_TOKEN": "x"}),
    ],
)
def test_the_token_of_one_host_is_never_sent_to_another(host: Host, url: str, environ: dict[str, str]) -> None:
    def ask(*_: object, **__: object) -> tuple[int, Any]:
        raise AssertionError("nothing may be asked")

    assert {one.state for one in examine_forge(url, host, environ=environ, ask=ask)} == {"unknown"}


def test_a_host_of_ones_own_is_named_by_its_variable() -> None:
    asked = []

    def ask(url: str, *, host: Host, token: str) -> tuple[int, Any]:
        asked.append((url, token))
        return (200, {"default_branch": "main"})

    environ = {"GITLAB_TOKEN": "x", "GITLAB_HOST": "git.clinic.example"}
    examine_forge("https://git.clinic.example/a/b", Host.GITLAB, environ=environ, ask=ask)
    assert asked[0] == ("https://git.clinic.example/api/v4/projects/a%2Fb", "x")


@pytest.mark.parametrize(
    ("host", "page", "api"),
    [
        (Host.GITHUB, "https://github.com/a/b", "https://api.github.com"),
        (Host.GITHUB, "https://ghe.example/a/b", "https://ghe.example/api/v3"),
        (Host.GITLAB, "https://gitlab.com/a/b", "https://gitlab.com/api/v4"),
        (Host.FORGEJO, "https://codeberg.org/a/b", "https://codeberg.org/api/v1"),
        (Host.PAGURE, "https://pagure.io/b", "https://pagure.io/api/0"),
    ],
)
def test_where_an_interface_lies(host: Host, page: str, api: str) -> None:
    assert api_of(host, page) == api


def test_a_redirection_is_not_followed_with_the_token(server: Server) -> None:
    server.statuses["/repos/ana/heart"] = 302
    with pytest.raises(UsageProblem, match="shows no repository"):
        look(server, Host.GITHUB, {})


def test_a_token_is_not_sent_without_encryption() -> None:
    with pytest.raises(EnvironmentProblem, match="https only"):
        rest("http://example.org/repos", host=Host.GITHUB, token="t")


def test_what_does_not_answer_or_answers_nonsense_is_our_trouble(server: Server) -> None:
    with pytest.raises(EnvironmentProblem, match="broken or no answer of such a forge"):
        look(server, Host.GITHUB, {"/repos/ana/heart": b"<html>"})
    with pytest.raises(EnvironmentProblem, match="cannot be reached"):
        rest("http://127.0.0.1:1/x", host=Host.GITHUB, token="t")


def test_a_server_that_speaks_something_else_is_no_forge() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 this is a mail server\r\n\r\n")

        speaker = threading.Thread(target=answer, daemon=True)
        speaker.start()
        with pytest.raises(EnvironmentProblem, match="no answer of such a forge"):
            rest(f"http://127.0.0.1:{server.getsockname()[1]}/api", host=Host.GITHUB, token="t")
        speaker.join()
