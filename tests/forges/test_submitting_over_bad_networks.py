"""`medperf-git submit` as a person runs it, over TLS, with `git` and the interface both behind the bad server.

Every bad answer meets a call of the submission, each another; `test_bad_answers` has every one at every call.
"""

import re
import time
from pathlib import Path

import pytest

from medperf_git.forge import pulls
from medperf_git.forge.guard import Patience
from medperf_git.registry import transport
from medperf_git.registry.remotes import Transport
from medperf_git.registry.transport import AUTHORITIES
from tests.support.connect_proxy import proxying
from tests.support.far_registry import Far
from tests.support.faulty import BADS, Bad, Faulty
from tests.support.people import Town

API = ("who am I", "repository", "find fork", "fork", "find open", "open")
GIT = ("fetch refs", "fetch", "push refs", "push")
CALLS = (*API[:3], GIT[0], *API[3:], *GIT[1:])
SLOW = ("no answer", "slow drip", "silent from the start")
CELLS = [
    pytest.param(bad, call, bad.late and call in ("fork", "open", "push"), id=f"{bad.name}, {call}")
    for number, bad in enumerate(BADS)
    for call in [CALLS[number % len(CALLS)]]
]
PATIENT = Patience(attempts=2, sleep=lambda _: None, draw=lambda: 0.0)
SHORT = Patience(attempts=2, call=0.6, whole=0.5, least=0.3, sleep=lambda _: None, draw=lambda: 0.0)


@pytest.fixture
def far(signed: Town, secure_server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    monkeypatch.setattr(pulls, "FORK_SECONDS", 1.0)
    monkeypatch.setattr(transport, "SLOW_SECONDS", 1)
    monkeypatch.setitem(transport.SILENT_SECONDS, Transport.HTTPS, 3.0)
    return Far.of(signed, tmp_path / "far", secure_server)


@pytest.mark.parametrize(("bad", "call", "done"), CELLS)
def test_a_submission_that_meets_a_bad_answer_is_whole_when_it_is_run_again(
    far: Far, bad: Bad, call: str, done: bool
) -> None:
    far.bob.patience = SHORT if bad.name in SLOW else PATIENT
    far.server.plan(bad, call, done=done)
    began = time.monotonic()
    said = far.bob.try_to("submit", "--yes")
    assert time.monotonic() - began < 30
    told = bad.told if call in API else r"cannot (fetch|push to|use your fork)"
    assert not said.code or re.search(told, said.err), said.err
    assert not said.code or "do now: " in said.err
    far.check_kept()
    if not said.code:
        far.check_sent()
    far.server.heal()
    far.bob.patience = Patience()
    far.bob.run("submit", "--yes")
    far.check_sent()


def test_a_submission_that_is_sent_is_not_sent_again(far: Far) -> None:
    for _ in range(3):
        far.bob.run("submit", "--yes")
        far.check_sent()
    assert far.server.calls.count("open") == 1


def test_a_submission_goes_out_through_the_proxy_of_a_house_with_its_password(far: Far) -> None:
    with proxying() as proxy:
        proxy.password = "ward7:hidden-word"
        far.bob.more["HTTPS_PROXY"] = proxy.url.replace("://", "://ward7:hidden-word@")
        far.bob.run("submit", "--yes")
        far.check_sent()
        assert len(proxy.asked) == len(far.server.calls), "something went past the proxy"
        assert set(proxy.asked) == {(f"127.0.0.1:{far.server.port}", "ward7:hidden-word")}


def test_a_proxy_that_wants_another_password_is_named_and_the_password_is_not(far: Far) -> None:
    with proxying() as proxy:
        proxy.password = "ward7:hidden-word"
        far.bob.more["HTTPS_PROXY"] = proxy.url.replace("://", "://ward7:other-word@")
        said = far.bob.try_to("submit", "--yes")
        assert "407" in said.err
        assert "HTTPS_PROXY" in said.err
        assert "-word" not in said.err
        assert far.server.calls == []
        far.check_kept()
        far.bob.more["NO_PROXY"] = "127.0.0.1"
        far.bob.run("submit", "--yes")
        far.check_sent()


def test_a_house_with_its_own_authority_needs_its_file_for_git_and_for_the_interface(far: Far) -> None:
    named = far.bob.more.pop("SSL_CERT_FILE")
    with pytest.MonkeyPatch.context() as machine:
        for name in AUTHORITIES:
            machine.delenv(name, raising=False)
        said = far.bob.try_to("submit", "--yes")
        assert "certificate" in said.err
        assert "SSL_CERT_FILE" in said.err
        assert far.server.calls == []
        far.check_kept()
        far.bob.more["REQUESTS_CA_BUNDLE"] = named
        far.bob.run("submit", "--yes")
    far.check_sent()


def test_a_fork_that_takes_its_time_is_waited_for(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulls, "FORK_SECONDS", 20.0)
    far.bob.patience = Patience(sleep=lambda _: None)
    far.forge.looks_until_filled = 3
    far.bob.run("submit", "--yes")
    far.check_sent()
    assert far.server.calls.count("fork") == 1


def test_a_fork_that_takes_too_long_is_told_and_used_later(far: Far) -> None:
    far.forge.looks_until_filled = 10_000
    said = far.bob.try_to("submit", "--yes")
    assert "cannot use your fork bob/heart yet: it has no branch main" in said.err
    assert "run the same command again in some minutes" in said.err
    far.check_kept()
    far.forge.looks_until_filled = 1
    far.bob.run("submit", "--yes")
    far.check_sent()
