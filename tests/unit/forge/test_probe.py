"""What kind of host it is, by what its interface answers."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from medperf_git.forge import guard, probe
from medperf_git.forge.host import Host
from medperf_git.forge.probe import find_host
from tests.support.faulty import BADS, Bad, Faulty, standing
from tests.support.small_forge import Answered, Asked

MISSING = Answered(404, (), b"404 page not found")


def says(status: int, value: object, **headers: str) -> Answered:
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Answered(status, named, json.dumps(value).encode())


class Some:
    """A host of some kind: a table of what it answers."""

    def __init__(self) -> None:
        self.answers: Mapping[str, Answered] = {}
        self.asked: list[Asked] = []

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        return self.answers.get(asked.target, MISSING)


@pytest.fixture
def some() -> Some:
    return Some()


@pytest.fixture
def server(some: Some, tmp_path: Path) -> Iterator[Faulty]:
    with standing(some, tmp_path) as found:
        yield found


def host_at(server: Faulty) -> Host:
    environ = {"SSL_CERT_FILE": str(server.certificate), "MEDPERF_GIT_TOKEN": "s3cret"}
    return find_host(f"{server.url}/ana/heart", environ)


VERSION = says(200, {"version": "1.22.0"})
KINDS = {
    "forgejo": ({"/api/v1/version": VERSION}, Host.FORGEJO),
    "pagure": ({"/api/0/version": VERSION}, Host.PAGURE),
    "gitlab for members": ({"/api/v4/version": says(401, {}, X_Gitlab_Meta="{}")}, Host.GITLAB),
    "gitlab for all": ({"/api/v4/version": VERSION}, Host.GITLAB),
    "github": ({"/api/v3/meta": says(200, {"verifiable_password_authentication": True})}, Host.GITHUB),
    "github for members": ({"/api/v3/meta": says(401, {}, X_GitHub_Request_Id="1")}, Host.GITHUB),
    "nothing of all this": ({}, Host.PLAIN),
    "refuses everybody": ({"/api/v4/version": says(401, {})}, Host.PLAIN),
    "another version": ({"/api/v1/version": says(200, {"version": 7})}, Host.PLAIN),
    "a list": ({"/api/v1/version": says(200, ["version"])}, Host.PLAIN),
}


@pytest.mark.parametrize(("answers", "host"), KINDS.values(), ids=KINDS)
def test_a_host_is_what_its_interface_answers(
    server: Faulty, some: Some, answers: Mapping[str, Answered], host: Host
) -> None:
    some.answers = answers
    assert host_at(server) is host
    assert not [one for one in some.asked if "authorization" in one.headers], "nobody is told a token"


def test_a_name_that_says_it_is_not_asked() -> None:
    assert find_host("https://github.com/org/r", {}) is Host.GITHUB
    assert find_host("git@forge.example:org/r", {}) is Host.PLAIN
    assert find_host("/srv/registry.git", {}) is Host.PLAIN


@pytest.mark.parametrize("bad", [one for one in BADS if one.connect], ids=lambda bad: bad.name)
def test_a_host_that_cannot_be_spoken_to_is_plain_git_after_one_attempt(
    server: Faulty, bad: Bad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.5)
    server.plan(bad, "fetch", gone=True)
    assert host_at(server) is Host.PLAIN
    assert server.given <= 1


@pytest.mark.parametrize("bad", [one for one in BADS if one.act], ids=lambda bad: bad.name)
def test_a_host_that_answers_badly_is_plain_git(server: Faulty, bad: Bad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.5)
    server.plan(bad, "repository")
    assert host_at(server) is Host.PLAIN


def test_asking_takes_no_longer_than_one_call() -> None:
    assert guard.Patience().call >= probe.SECONDS
