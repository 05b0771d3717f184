"""Small files of ours that survive a crash, and locks that the kernel lets go when their process ends."""

import glob
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.disk import MAKE_ROOM

_DAY = 86_400


@contextmanager
def keeping(path: Path) -> Iterator[None]:
    """Say which note of ours could not be written; EnvironmentProblem from the system's error."""
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written: {error.strerror or error}", hint=MAKE_ROOM) from error


def write_durably(path: Path, data: bytes) -> None:
    """Write a file (0600) so that after a crash it is either the old one or the whole new one.

    EnvironmentProblem when the disk refuses; the old file is still there then. Several may write the same file.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with keeping(path):
        _remove_abandoned(path)
        try:
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise
        sync_folder(path.parent)


def _remove_abandoned(path: Path) -> None:
    """Remove what writers of this file left that were killed; what is younger than a day may still be written."""
    before = time.time() - _DAY
    for partial in path.parent.glob(f".{glob.escape(path.name)}.*partial"):
        with suppress(OSError):
            if partial.stat(follow_symlinks=False).st_mtime < before:
                partial.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write values that JSON can hold, durably, keys sorted."""
    write_durably(path, json.dumps(value, sort_keys=True, indent=1).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when there is no such file, or it is torn; EnvironmentProblem when it cannot be read."""
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror}", hint="look at who may read it") from error
    return value if isinstance(value, dict) else None


def sync_folder(path: Path) -> None:
    """Sync the names in a folder."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock file and yield its descriptor; BlockingIOError while another process holds it."""
    import fcntl  # noqa: PLC0415  (not on Windows, where nothing is run but lists of runs are read)

    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    finally:
        os.close(handle)


def kernel_names(path: Path, pid: int) -> bool:
    """Tell whether the kernel's list of locks names a process for a file; yes where the list says nothing of it."""
    try:
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        inode = str(path.stat().st_ino)
    except OSError:
        return True
    # "1: FLOCK ADVISORY WRITE <pid> <device>:<inode> <from> <to>"; the device is written otherwise by some systems.
    holders = {line[4] for line in lines if line[1:2] == ["FLOCK"] and line[5].rpartition(":")[2] == inode}
    return not holders or str(pid) in holders
