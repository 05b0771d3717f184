"""Who holds a run, and how it is stopped: never by a number that may be another process's by now."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.runner.durable import kernel_names
from medperf_git.runner.holder import Stopped, stop_holder
from medperf_git.runner.owners import process_token
from medperf_git.runner.store import RunFolder

HOLD = """
import signal, sys, time
from pathlib import Path
from medperf_git.runner.store import RunFolder
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with RunFolder(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(30)
"""
Program = subprocess.Popen[str]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "0123456789abcdef").mkdir()
    return RunFolder(tmp_path / "0123456789abcdef")


@pytest.fixture
def hold(run: RunFolder) -> Iterator[Callable[..., Program]]:
    """Hold the run in another process."""
    started: list[Program] = []

    def start(*words: str) -> Program:
        program = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(run.path), *words], stdout=subprocess.PIPE, text=True
        )
        started.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def test_a_holder_that_listens_is_asked(run: RunFolder, hold: Callable[..., Program]) -> None:
    program = hold()
    assert run.holder() == program.pid
    assert stop_holder(run, wait_seconds=10, kill=False) is Stopped.STOPPED
    assert program.wait(5) == -signal.SIGTERM
    assert run.holder() is None
    assert stop_holder(run, wait_seconds=1, kill=True) is Stopped.NOT_RUNNING


def test_one_that_does_not_listen_is_killed_only_when_that_is_wished(
    run: RunFolder, hold: Callable[..., Program]
) -> None:
    program = hold("deaf")
    assert stop_holder(run, wait_seconds=0.3, kill=False) is Stopped.STILL_RUNNING
    assert program.poll() is None
    assert stop_holder(run, wait_seconds=0.3, kill=True) is Stopped.KILLED
    assert program.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("noted", ["0@1", "1@1", "", "nonsense", "{pid}", "{pid}@12"])
def test_a_number_that_has_come_to_mean_another_process_is_never_signalled(
    run: RunFolder, hold: Callable[..., Program], noted: str
) -> None:
    program = hold()
    (run.path / "lock").write_text(noted.format(pid=os.getpid()))
    assert run.holder() is None
    assert stop_holder(run, wait_seconds=0.1, kill=True) is Stopped.UNKNOWN
    assert program.poll() is None


def test_a_living_process_that_once_held_it_is_not_its_holder(run: RunFolder, hold: Callable[..., Program]) -> None:
    program = hold()
    (run.path / "lock").write_text(process_token(os.getpid()))
    assert kernel_names(run.path / "lock", program.pid)
    assert not kernel_names(run.path / "lock", os.getpid())
    assert stop_holder(run, wait_seconds=0.1, kill=True) is Stopped.UNKNOWN


def test_who_holds_it_and_what_to_do_is_told(run: RunFolder, hold: Callable[..., Program]) -> None:
    program = hold()
    with pytest.raises(Refused) as refused, run.held():
        pass
    assert refused.value.hint.startswith(f"process {program.pid} holds it; watch it: medperf-git runs show")
    program.kill()
    program.wait()
    with run.held():
        assert run.holder() == os.getpid()


def test_a_process_that_has_ended_is_none_though_nobody_asked_how() -> None:
    with subprocess.Popen(["true"]) as program:
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        assert process_token(program.pid) == ""
