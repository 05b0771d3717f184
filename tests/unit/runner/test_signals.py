"""Signals stop work in order; a second Ctrl-C leaves at once; what was to be ignored stays ignored."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

WORK = """
import sys, threading, time
from medperf_git.runner.signals import stoppable
stop = threading.Event()
with stoppable(stop):
    print("at work", flush=True)
    stop.wait(20)
    print("stopping", flush=True)
    if "stuck" in sys.argv:
        time.sleep(20)
print("in order", flush=True)
"""


@pytest.fixture
def started() -> "Iterator[type[Worker]]":
    yield Worker
    for worker in Worker.all:
        worker.process.kill()
        worker.process.communicate()
    Worker.all.clear()


class Worker:
    """A program that works until it is stopped."""

    all: "list[Worker]" = []  # noqa: RUF012

    def __init__(self, *words: str, before: "list[str] | None" = None) -> None:
        self.process = subprocess.Popen(
            [*(before or []), sys.executable, "-c", WORK, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.all.append(self)
        assert self.line() == "at work"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: int) -> None:
        os.kill(self.process.pid, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_lets_work_end_in_order_however_often_it_comes_at_once(started: type[Worker], number: int) -> None:
    worker = started()
    worker.send(number)
    worker.send(number)
    out, _ = worker.process.communicate(timeout=10)
    assert out.split("\n")[:2] == ["stopping", "in order"]
    assert worker.process.returncode == 0


def test_a_second_ctrl_c_leaves_at_once_and_says_what_becomes_of_containers(started: type[Worker]) -> None:
    worker = started("stuck")
    worker.send(signal.SIGINT)
    assert worker.line() == "stopping"
    time.sleep(0.7)
    began = time.monotonic()
    worker.send(signal.SIGINT)
    _, err = worker.process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert worker.process.returncode == 130
    assert "the next medperf-git command that runs containers removes it" in err
    assert "Traceback" not in err


def test_a_system_that_asks_twice_is_not_a_person_who_is_impatient(started: type[Worker]) -> None:
    worker = started("stuck")
    worker.send(signal.SIGTERM)
    assert worker.line() == "stopping"
    time.sleep(0.7)
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGHUP)
    time.sleep(0.5)
    assert worker.process.poll() is None


def test_under_nohup_a_closed_terminal_stops_nothing(started: type[Worker]) -> None:
    worker = started(before=["nohup"])
    worker.send(signal.SIGHUP)
    time.sleep(0.5)
    assert worker.process.poll() is None
    worker.send(signal.SIGTERM)
    out, _ = worker.process.communicate(timeout=10)
    assert "in order" in out
