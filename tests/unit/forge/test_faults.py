"""What people read when a forge does not do what was asked: every fault at every kind of forge, word for word.

The sentences lie in `faults.txt`. After a change that is meant: `python tests/unit/forge/test_faults.py`, and read it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.faults import ForgeProblem, Surroundings, problem_of
from medperf_git.forge.host import Host
from medperf_git.records.text import is_refused

GOLDEN = Path(__file__).with_name("faults.txt")
SECRET = "ghp_0123456789"
NAMES = {
    Host.GITHUB: "github.com",
    Host.GITLAB: "gitlab.com",
    Host.FORGEJO: "codeberg.org",
    Host.PAGURE: "pagure.io",
    Host.OTHER: "forge.example",
    Host.PLAIN: "git.example",
}
RESET = "1700000000"  # 22:13 UTC


def status(code: int, said: str = "", **headers: str) -> Fault:
    return Fault(Cause.STATUS, code, said, {name.replace("_", "-"): value for name, value in headers.items()})


FAULTS = {
    **{cause.value: Fault(cause) for cause in Cause if cause is not Cause.STATUS},
    "redirect to elsewhere": Fault(Cause.REDIRECT, 301, "elsewhere.example"),
    "tls expired": Fault(Cause.TLS, said="certificate has expired"),
    "proxy 407": Fault(Cause.PROXY, said="it wants a name and a password: 407"),
    "400": status(400, "bad request"),
    "401": status(401, "Bad credentials"),
    "403": status(403, "Forbidden"),
    "403 sso": status(403, "Resource protected", x_github_sso="required; url=https://github.com/orgs/o/sso?a=b"),
    "403 sso of another host": status(403, x_github_sso="required; url=https://evil.example/sso"),
    "403 fine-grained": status(403, "Resource not accessible by personal access token"),
    "403 scope": status(
        403, "Not Found", x_oauth_scopes="read:user, gist", x_accepted_oauth_scopes="public_repo, repo"
    ),
    "403 no scope": status(403, "Not Found", x_oauth_scopes="", x_accepted_oauth_scopes="repo"),
    "403 insufficient_scope": status(403, www_authenticate='Bearer error="insufficient_scope"'),
    "403 secondary limit": status(403, "You have exceeded a secondary rate limit", retry_after="60"),
    "403 primary limit": status(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset=RESET),
    "404": status(404, "Not Found"),
    "405": status(405),
    "409": status(409),
    "410": status(410),
    "418": status(418),
    "422": status(422, "Validation Failed"),
    "423": status(423),
    "425": status(425),
    "429": status(429),
    "429 with a time": status(429, retry_after="17"),
    "429 of gitlab": status(429, ratelimit_remaining="0", ratelimit_reset=RESET),
    "500": status(500),
    "502": status(502),
    "503 with a time": status(503, "Down for maintenance", retry_after="600"),
    "504": status(504),
}


def where(host: Host) -> Surroundings:
    name = NAMES[host]
    return Surroundings(host, name, "GH_TOKEN", f"https://{name}/org/registry", SECRET)


def sentences() -> Iterator[str]:
    for name, fault in FAULTS.items():
        for host in Host:
            problem = problem_of(fault, "open the pull request", where(host))
            yield f"{name} @ {host}\n  {problem.message}\n  do now: {problem.hint}\n"


def test_every_fault_at_every_forge_says_what_happened_where_and_what_to_do() -> None:
    assert "".join(sentences()) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("host", Host)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_sentence_has_its_parts(fault: Fault, host: Host) -> None:
    problem = problem_of(fault, "open the pull request", where(host))
    assert problem.message.startswith(f"cannot open the pull request: {NAMES[host]} ")
    assert problem.hint
    assert isinstance(problem, EnvironmentProblem)
    assert problem.status == fault.status
    assert len(problem.message) + len(problem.hint) < 600


def test_without_a_page_or_a_token_none_is_named() -> None:
    for fault in FAULTS.values():
        problem = problem_of(fault, "ask", Surroundings(Host.GITHUB, "github.com"))
        assert "by hand" not in problem.hint
        assert " from ," not in problem.message + problem.hint


HOSTILE = (
    "a\x1b[2Jb\x07c\x85d\u202ee\u2066f\u200fg\nh\ti\x00j" + SECRET,
    f"your token {SECRET} is bad",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "fault",
    [
        lambda text: Fault(Cause.GARBLED, 200, text),
        lambda text: Fault(Cause.REDIRECT, 302, text),
        lambda text: status(401, text),
        lambda text: status(403, x_oauth_scopes=text, x_accepted_oauth_scopes=text),
        lambda text: status(403, x_github_sso=f"required; url=https://github.com/{text}"),
        lambda text: status(422, text),
        lambda text: status(429, text, retry_after=text),
        lambda text: status(500, text, x_ratelimit_remaining="0", x_ratelimit_reset=text),
    ],
)
def test_nothing_that_a_forge_says_reaches_a_terminal_raw_or_repeats_the_token(text: str, fault: object) -> None:
    problem = problem_of(fault(text), "ask", where(Host.GITHUB))  # type: ignore[operator]
    told = problem.message + problem.hint
    assert SECRET not in told
    assert "\n" not in told
    assert not [char for char in told if is_refused(char)]


def test_the_token_is_in_no_representation() -> None:
    assert SECRET not in repr(where(Host.GITHUB))
    problem = problem_of(status(500, SECRET), "ask", where(Host.GITHUB))
    assert isinstance(problem, ForgeProblem)
    assert SECRET not in repr(problem) + str(problem)


@pytest.mark.parametrize("reset", ["99999999999", "0", "999999999999999"])
def test_a_time_that_is_no_time_breaks_nothing(reset: str) -> None:
    problem = problem_of(status(429, x_ratelimit_remaining="0", x_ratelimit_reset=reset), "ask", where(Host.GITHUB))
    assert "nothing is lost" in problem.hint


if __name__ == "__main__":
    GOLDEN.write_text("".join(sentences()), encoding="utf-8")
