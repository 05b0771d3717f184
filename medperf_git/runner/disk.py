"""How much of a disk containers may fill, and which errors mean that a disk takes no more.

A part of the disk stays free whatever containers write, so that the run's own notes can always be written.
"""

import errno
import shutil
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.engine import GIB

_FAULTS = frozenset({errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)})
MAKE_ROOM = "make room on that disk, then repeat the command: what is finished is kept"


class DiskFull(EnvironmentProblem):
    """A disk takes no more bytes, or cannot give back those it has."""


def is_disk_fault(error: BaseException) -> bool:
    """Tell whether a disk is full, over its quota, or broken."""
    return isinstance(error, OSError) and error.errno in _FAULTS


def room_for_containers(path: Path) -> int:
    """Return the bytes that may be filled on the disk of `path`: what is free, without 5 % or 1 GiB."""
    found = shutil.disk_usage(path)
    return max(0, found.free - min(GIB, found.total // 20))
