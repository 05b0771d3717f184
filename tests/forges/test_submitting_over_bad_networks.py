"""`medperf-git submit` as a person runs it, over TLS, with `git` and the interface both behind the bad server.

Every bad answer meets a call of the submission, each another; `test_bad_answers` has every one at every call.
"""

import time
from pathlib import Path

import pytest

from medperf_git.forge import pulls
from medperf_git.forge.guard import Patience
from medperf_git.registry import transport
from medperf_git.registry.remotes import Transport
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
    if said.code:
        assert "error: cannot " in said.err or "shows no repository" in said.err, said.err
        assert "do now: " in said.err
    elif "working with what was verified before" not in said.err and "note: cannot" not in said.err:
        far.check_sent()
    far.check_kept()
    far.server.heal()
    far.bob.patience = Patience()
    far.bob.run("submit", "--yes")
    far.check_sent()


def test_a_submission_that_is_sent_is_not_sent_again(far: Far) -> None:
    for _ in range(3):
        far.bob.run("submit", "--yes")
        far.check_sent()
    assert far.server.calls.count("open") == 1
