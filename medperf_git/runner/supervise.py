"""Follow a started container to its end: stream its log, hold its deadline and its disk caps.

The caps that the kernel keeps (memory, processes, file size) are not repeated here. What is stopped is killed, not
asked: a container may ignore every signal but that one.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from medperf_git.errors import EnvironmentProblem, Interrupted
from medperf_git.runner.disk import MAKE_ROOM, DiskFull
from medperf_git.runner.engine import Ended, Profile, StepSpec
from medperf_git.runner.watch import usage

_FIRST_PAUSE, _LAST_PAUSE = 0.05, 0.5
_KILL_SECONDS = 30
_CUT = b"\n[medperf-git: the log was cut here, at its cap]\n"


class Started(Protocol):
    """A started container."""

    def output(self) -> Iterator[bytes]:
        """Yield what it prints until it ends."""
        ...

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        ...

    def kill(self) -> None:
        """Stop it at once."""
        ...

    def memory(self) -> int | None:
        """Return bytes of memory in use."""
        ...

    def layer_bytes(self) -> int | None:
        """Return bytes written to its root file system; asking is slow."""
        ...


@dataclass(slots=True)
class Followed:
    """What was seen of a container: how it ended, its exit code, seconds, peaks in bytes."""

    ended: Ended = Ended.EXITED
    exit_code: int = -1
    seconds: float = 0.0
    peak_memory: int | None = None
    peak_disk: int = 0


@dataclass(slots=True)
class _Reader:
    """State that the two helper threads leave for the loop."""

    log_full: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    exit_code: int = -1
    trouble: BaseException | None = None
    refused: OSError | None = None


def follow(container: Started, spec: StepSpec, *, log: Path, stop: threading.Event) -> Followed:
    """Watch a container until it ends or breaks a cap; Interrupted once `stop` is set."""
    started = time.monotonic()
    state = _Reader()
    threads = [
        threading.Thread(target=_write_log, args=(container, log, spec.limits.log_bytes, state), daemon=True),
        threading.Thread(target=_await_end, args=(container, state), daemon=True),
    ]
    for thread in threads:
        thread.start()
    seen = Followed()
    verdict = _watch(container, spec, state=state, seen=seen, stop=stop, started=started)
    if verdict is not None:
        seen.ended = verdict
        container.kill()
        if not state.ended.wait(_KILL_SECONDS):
            raise EnvironmentProblem("a container does not stop when it is killed", hint="restart the container engine")
    threads[0].join(_KILL_SECONDS)
    seen.seconds = time.monotonic() - started
    if state.trouble is not None:
        raise state.trouble
    if state.refused is not None:
        said = state.refused.strerror or str(state.refused)
        raise DiskFull(f"the log {log} cannot be written: {said}", hint=MAKE_ROOM) from state.refused
    if stop.is_set() and verdict is Ended.KILLED:
        raise Interrupted("the run was stopped", hint="the same command continues it; nothing finished is done again")
    seen.exit_code = state.exit_code
    if seen.ended is Ended.EXITED and state.log_full.is_set():
        seen.ended = Ended.LOG_LIMIT
    if seen.ended is Ended.EXITED and _disk_is_full(container, spec, seen, slow=spec.profile is Profile.COMPAT):
        seen.ended = Ended.DISK_LIMIT
    return seen


def _watch(
    container: Started, spec: StepSpec, *, state: _Reader, seen: Followed, stop: threading.Event, started: float
) -> Ended | None:
    pause, next_slow = _FIRST_PAUSE, started + 2
    while not state.ended.wait(pause):
        now = time.monotonic()
        if stop.is_set():
            return Ended.KILLED
        if now - started > spec.limits.wall_seconds:
            return Ended.DEADLINE
        if state.log_full.is_set():
            return Ended.LOG_LIMIT
        slow = spec.profile is Profile.COMPAT and now > next_slow
        if _disk_is_full(container, spec, seen, slow=slow):
            return Ended.DISK_LIMIT
        memory = container.memory()
        seen.peak_memory = max(seen.peak_memory or 0, memory) if memory is not None else seen.peak_memory
        spent = time.monotonic() - now
        next_slow = time.monotonic() + max(2, 10 * spent) if slow else next_slow
        remaining = spec.limits.wall_seconds - (time.monotonic() - started)
        pause = max(0.0, min(max(pause * 1.5, 4 * spent), max(_LAST_PAUSE, 4 * spent), remaining + 0.01))
        pause = min(pause, 10.0)
    return None


def _disk_is_full(container: Started, spec: StepSpec, seen: Followed, *, slow: bool) -> bool:
    limits = spec.limits
    tmp, tmp_files = usage(spec.scratch)
    written = [usage(bind.host) for bind in spec.binds if not bind.read_only]
    outputs, files = sum(size for size, _ in written), sum(count for _, count in written)
    layer = (container.layer_bytes() or 0) if slow else 0
    seen.peak_disk = max(seen.peak_disk, min(tmp, 1 << 60) + min(outputs, 1 << 60) + layer)
    too_many = max(files, tmp_files) > limits.output_files
    return tmp > limits.tmp_bytes or outputs > limits.output_bytes or layer > limits.tmp_bytes or too_many


def _write_log(container: Started, path: Path, cap: int, state: _Reader) -> None:
    with suppress(Exception):  # the stream ends in many ways when its container is gone
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            state.refused = error
            state.log_full.set()
            return
        with os.fdopen(handle, "wb", buffering=0) as log:
            _copy_log(container, log, cap, state)


def _copy_log(container: Started, log: IO[bytes], cap: int, state: _Reader) -> None:
    room = cap
    for piece in container.output():
        if state.log_full.is_set():
            continue  # what it still prints until it is stopped
        try:
            _write(log, piece[:room])
            room -= len(piece)
            if room < 0:
                _write(log, _CUT)
        except OSError as error:
            state.refused = error
        if room < 0 or state.refused is not None:
            state.log_full.set()


def _write(log: IO[bytes], piece: bytes) -> None:
    """Write all of a piece; a disk that fills up takes a part of it first, and says so the next time."""
    while piece:
        piece = piece[log.write(piece) :]


def _await_end(container: Started, state: _Reader) -> None:
    try:
        state.exit_code = container.wait()
    except BaseException as error:  # noqa: BLE001  (handed to the following thread, which raises it)
        state.trouble = error
    finally:
        state.ended.set()
