"""Stop the process that holds a run: asked by a signal, and killed only when it does not answer.

A process is never named by its number alone, which may belong to another by now: the number is taken from the lock
that the kernel keeps, compared with when that process began, and, where the system has it, held by a descriptor.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from medperf_git.runner.store import RunFolder

_LOOK_SECONDS = 0.1


class Stopped(StrEnum):
    """What came of asking."""

    NOT_RUNNING = "not running"
    UNKNOWN = "held by a process that this machine does not show"
    STOPPED = "stopped"
    KILLED = "killed"
    STILL_RUNNING = "still running"


def stop_holder(run: RunFolder, *, wait_seconds: float, kill: bool) -> Stopped:
    """Ask the holder of a run to stop, wait, and with `kill` end it when it is still there after `wait_seconds`."""
    if not run.is_running():
        return Stopped.NOT_RUNNING
    pid = run.holder()
    if pid is None:
        return Stopped.UNKNOWN if run.is_running() else Stopped.NOT_RUNNING
    with _grip(pid) as grip:
        if run.holder() != pid:  # what was gripped may be a later process of that number
            return Stopped.UNKNOWN if run.is_running() else Stopped.STOPPED
        _send(grip, pid, signal.SIGTERM)
        if _has_let_go(run, wait_seconds):
            return Stopped.STOPPED
        if not kill:
            return Stopped.STILL_RUNNING
        _send(grip, pid, signal.SIGKILL)
        return Stopped.KILLED if _has_let_go(run, 30) else Stopped.STILL_RUNNING


def _has_let_go(run: RunFolder, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while run.is_running():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


@contextmanager
def _grip(pid: int) -> Iterator[int | None]:
    """Yield a descriptor that means this process and no later one; None where the system has none."""
    handle: int | None = None
    with suppress(AttributeError, OSError):
        handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def _send(grip: int | None, pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        if grip is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(grip, number)
