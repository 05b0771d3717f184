"""Follow a started container to its end: stream its log, hold its deadline and its disk caps.

The caps that the kernel keeps (memory, processes, file size) are not repeated here. What is stopped is killed, not
asked: a container may ignore every signal but that one.

Folders are walked now and then, for a walk may take long. Between two walks the free bytes of their disks are asked,
which costs next to nothing: when these fall fast, the next walk comes at once, before a cap can be left far behind.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from medperf_git.errors import EnvironmentProblem, Interrupted
from medperf_git.runner.disk import MAKE_ROOM, DiskFull
from medperf_git.runner.engine import Cap, Ended, Profile, StepSpec
from medperf_git.runner.watch import removed_bytes, usage

_TICK = 0.02
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 0.5
_MEMORY_PAUSE = 0.06
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
        """Return bytes of memory in use; asked often."""
        ...

    def processes(self) -> Iterable[int]:
        """Return the numbers of its processes on this machine, as far as they are to be seen."""
        ...

    def layer_disk(self) -> Path | None:
        """Return a folder on the disk that holds its root file system; None when that is not to be seen from here."""
        ...

    def layer_bytes(self) -> int | None:
        """Return bytes written to its root file system; asking is slow."""
        ...


@dataclass(slots=True)
class Followed:
    """What was seen of a container: how it ended, which cap it broke, its exit code, seconds, peaks in bytes."""

    ended: Ended = Ended.EXITED
    exit_code: int = -1
    seconds: float = 0.0
    peak_memory: int | None = None
    peak_disk: int = 0
    broke: Cap | None = None


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
    if seen.ended is Ended.EXITED and _look_at_disk(container, spec, seen, slow=spec.profile is Profile.COMPAT)[0]:
        seen.ended = Ended.DISK_LIMIT
    return seen


def _watch(
    container: Started, spec: StepSpec, *, state: _Reader, seen: Followed, stop: threading.Event, started: float
) -> Ended | None:
    disks = _Disks(container, spec, seen)
    next_memory = started
    while not state.ended.wait(min(_TICK, max(0.0, started + spec.limits.wall_seconds - time.monotonic() + 0.001))):
        now = time.monotonic()
        if stop.is_set():
            return Ended.KILLED
        if now - started > spec.limits.wall_seconds:
            return Ended.DEADLINE
        if state.log_full.is_set():
            return Ended.LOG_LIMIT
        if disks.look():
            return Ended.DISK_LIMIT
        if now >= next_memory:
            memory = container.memory()
            seen.peak_memory = max(seen.peak_memory or 0, memory) if memory is not None else seen.peak_memory
            next_memory = time.monotonic() + max(_MEMORY_PAUSE, 20 * (time.monotonic() - now))
    return None


class _Disks:
    """When to walk the folders of a container again: often at first, seldom later, at once when a disk fills."""

    def __init__(self, container: Started, spec: StepSpec, seen: Followed) -> None:
        self._container = container
        self._spec = spec
        self._seen = seen
        self._writes_layer = spec.profile is Profile.COMPAT
        written = [spec.scratch, *(bind.host for bind in spec.binds if not bind.read_only)]
        layer = container.layer_disk() if self._writes_layer else None
        self._folders = tuple(dict.fromkeys(_one_of_each_disk(written)))
        self._layer = layer
        self._pause, self._room = _FIRST_PAUSE, min(spec.limits.tmp_bytes, spec.limits.output_bytes)
        self._free, self._layer_free = self._free_bytes()
        self._next = time.monotonic() + self._pause
        self._next_layer = time.monotonic() + 2
        self._earliest = self._earliest_layer = 0.0

    def look(self) -> bool:
        """Tell whether a cap is broken, walking the folders when it is time to."""
        now = time.monotonic()
        free, layer_free = self._free_bytes()
        layer = self._writes_layer and (
            now >= self._next_layer or (now >= self._earliest_layer and self._layer_free - layer_free > self._room // 4)
        )
        if now < self._next and not layer and (now < self._earliest or self._free - free <= self._room // 2):
            return False
        full, self._room = _look_at_disk(self._container, self._spec, self._seen, slow=layer)
        spent = time.monotonic() - now
        self._pause = min(10.0, max(min(self._pause * 1.5, _LAST_PAUSE), 4 * spent))
        self._earliest, self._next = time.monotonic() + spent, time.monotonic() + self._pause
        self._free, after = self._free_bytes()
        if layer:
            self._layer_free = after
            self._earliest_layer, self._next_layer = (time.monotonic() + wait for wait in (spent, max(2, 10 * spent)))
        return full

    def _free_bytes(self) -> tuple[int, int]:
        return sum(_free_at(folder) for folder in self._folders), _free_at(self._layer) if self._layer else 0


def _one_of_each_disk(folders: list[Path]) -> Iterator[Path]:
    disks = set()
    for folder in folders:
        with suppress(OSError):
            disk = folder.stat().st_dev
            if disk not in disks:
                disks.add(disk)
                yield folder


def _free_at(folder: Path) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bfree * found.f_frsize


def _look_at_disk(container: Started, spec: StepSpec, seen: Followed, *, slow: bool) -> tuple[bool, int]:
    """Return whether a cap is broken, and how many bytes may still be written before one is."""
    limits = spec.limits
    tmp, tmp_files = usage(spec.scratch)
    processes = list(container.processes())
    tmp += removed_bytes(processes, _devices_of(spec, processes))
    written = [usage(bind.host) for bind in spec.binds if not bind.read_only]
    outputs, files = sum(size for size, _ in written), sum(count for _, count in written)
    layer = (container.layer_bytes() or 0) if slow else 0
    seen.peak_disk = max(seen.peak_disk, min(tmp, 1 << 60) + min(outputs, 1 << 60) + layer)
    broken = {
        Cap.TMP: tmp > limits.tmp_bytes,
        Cap.OUTPUT: outputs > limits.output_bytes,
        Cap.LAYER: layer > limits.tmp_bytes,
        Cap.FILES: max(files, tmp_files) > limits.output_files,
    }
    seen.broke = seen.broke or next((cap for cap, is_broken in broken.items() if is_broken), None)
    room = min(limits.tmp_bytes - max(tmp, layer), limits.output_bytes - outputs)
    return seen.broke is not None, max(0, room)


def _devices_of(spec: StepSpec, processes: list[int]) -> set[int]:
    """Return the disks on which it may write, by the kernel's number; a writable root has one of its own."""
    places = [spec.scratch, *(bind.host for bind in spec.binds if not bind.read_only)]
    if not spec.profile.is_closed:
        places += [Path(f"/proc/{process}/root") for process in processes]
    devices = set()
    for place in places:
        with suppress(OSError):
            devices.add(place.stat().st_dev)
    return devices


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
