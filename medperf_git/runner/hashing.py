"""SHA-256 of many files by two processes: this one, and a helper that is told paths through a pipe.

The helper is this file, run by the bare interpreter; it imports nothing but the standard library. Whatever it cannot
do (a file it cannot open, its own end) this process does again itself, so that there is one place that complains.
"""

import contextlib
import hashlib
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

Told = Callable[[int], object]
Hashed = tuple[int, bytes]

_PIECE = 1 << 18  # bytes; what is read is still in the processor's cache when it is hashed
_TELL = 1 << 26  # bytes between two words of progress about one file
_FEW_FILES, _FEW_BYTES = 256, 1 << 26
_BATCH_FILES, _BATCH_BYTES = 128, 1 << 26
_OPEN = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
_LENGTH, _DONE = struct.Struct(">Q"), struct.Struct(">Q32s")
_FAILED = (1 << 64) - 1


class NoFile(OSError):
    """What was to be hashed is no regular file."""


def hash_file(path: str | bytes, told: Told | None = None, buffer: bytearray | None = None) -> Hashed:
    """Return bytes and SHA-256 of one regular file; `told` hears of bytes read; NoFile, OSError."""
    room = memoryview(buffer if buffer is not None else bytearray(_PIECE))
    digest, size, heard = hashlib.sha256(), 0, 0
    handle = os.open(path, _OPEN)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NoFile(f"{os.fsdecode(path)} is no regular file")
        file = os.fdopen(handle, "rb", buffering=0, closefd=False)
        while count := file.readinto(room):
            digest.update(room[:count])
            size += count
            if told is not None and size - heard >= _TELL:
                told(size - heard)
                heard = size
            if size == count == len(room) and hasattr(os, "posix_fadvise"):
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    finally:
        os.close(handle)
    if told is not None:
        told(size - heard)
    return size, digest.digest()


def hash_files(paths: Sequence[str], sizes: Sequence[int], told: Told | None = None) -> list[Hashed]:
    """Return bytes and SHA-256 of each path, in their order; `sizes` share the work out, and decide nothing else."""
    found: list[Hashed | None] = [None] * len(paths)
    batches = _batches(sizes)
    turn, lock = iter(batches), threading.Lock()
    heard = _together(told)

    def next_batch() -> range | None:
        with lock:
            return next(turn, None)

    helper = _helper() if _is_much(sizes) else None
    thread = threading.Thread(target=_feed, args=(helper, paths, found, next_batch, heard), daemon=True)
    if helper is not None:
        thread.start()
    buffer = bytearray(_PIECE)
    try:
        while (batch := next_batch()) is not None:
            for place in batch:
                found[place] = hash_file(paths[place], heard, buffer)
        if helper is not None:
            thread.join()
    finally:
        if helper is not None:
            _end(helper, thread)
    return [one if one is not None else hash_file(path, heard, buffer) for one, path in zip(found, paths, strict=True)]


def _is_much(sizes: Sequence[int]) -> bool:
    many = len(sizes) >= _FEW_FILES or sum(sizes) >= _FEW_BYTES
    return many and len(sizes) > 1 and os.name == "posix" and _processors() > 1


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _together(told: Told | None) -> Told | None:
    if told is None:
        return None
    lock = threading.Lock()

    def tell(count: int) -> None:
        with lock:
            told(count)

    return tell


def _batches(sizes: Sequence[int]) -> list[range]:
    """Return runs of neighbours, none of them so large that one process waits long for the other at the end."""
    most = min(_BATCH_BYTES, max(1, sum(sizes) // 8))
    batches, first, held = [], 0, 0
    for place, size in enumerate(sizes):
        held += size
        if held >= most or place - first + 1 >= _BATCH_FILES:
            batches.append(range(first, place + 1))
            first, held = place + 1, 0
    return [*batches, range(first, len(sizes))] if first < len(sizes) else batches


def _helper() -> "subprocess.Popen[bytes] | None":
    words = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    with contextlib.suppress(OSError):
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return None


def _feed(
    helper: "subprocess.Popen[bytes]",
    paths: Sequence[str],
    found: list[Hashed | None],
    next_batch: Callable[[], range | None],
    told: Told | None,
) -> None:
    """Give batches to the helper and keep what it answers; what it leaves open is done by the caller."""
    with contextlib.suppress(OSError, struct.error):
        to, back = helper.stdin, helper.stdout
        while to is not None and back is not None and (batch := next_batch()) is not None:
            names = b"\0".join(os.fsencode(paths[place]) for place in batch)
            to.write(_LENGTH.pack(len(names)) + names)
            to.flush()
            for place in batch:
                found[place] = _answer(back, told)


def _answer(back: IO[bytes], told: Told | None) -> Hashed | None:
    read = back.read
    while (word := read(1)) == b"p":
        (count,) = _LENGTH.unpack(read(_LENGTH.size))
        if told is not None:
            told(count)
    if word != b"d":
        raise OSError("the helper has ended")
    size, digest = _DONE.unpack(read(_DONE.size))
    return None if size == _FAILED else (size, digest)


def _end(helper: "subprocess.Popen[bytes]", thread: threading.Thread) -> None:
    if thread.is_alive():  # something went wrong here: nobody waits for the rest
        helper.kill()
        thread.join()
    for pipe in (helper.stdin, helper.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    helper.wait()


def _help(source: IO[bytes], target: IO[bytes]) -> None:
    """Answer batches of paths until there are no more."""
    buffer = bytearray(_PIECE)

    def tell(count: int) -> None:
        target.write(b"p" + _LENGTH.pack(count))
        if count >= _TELL:
            target.flush()

    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        for path in source.read(*_LENGTH.unpack(head)).split(b"\0"):
            try:
                size, digest = hash_file(path, tell, buffer)
            except OSError:
                size, digest = _FAILED, bytes(32)
            target.write(b"d" + _DONE.pack(size, digest))
        target.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this one stops it, by closing the pipe
    with contextlib.suppress(OSError):
        _help(sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)
