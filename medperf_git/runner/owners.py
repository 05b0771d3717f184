"""Who started a container: labels by which the next command finds what a killed one left behind.

A client is one process of one boot of one machine: process numbers come back, so its start time is noted too.
"""

import hashlib
import os
import platform
from functools import cache
from pathlib import Path

PREFIX = "medperf-git."
OWNER = PREFIX + "owner"
RUN = PREFIX + "run"
CLIENT = PREFIX + "client"
MACHINE = PREFIX + "machine"
_ENDED = ("Z", "X")


def labels_of_this_client(run_id: str) -> dict[str, str]:
    """Return the labels for a container that this process starts."""
    return {
        OWNER: str(os.getuid()),
        RUN: run_id,
        MACHINE: this_machine(),
        CLIENT: f"{boot_id()}:{process_token(os.getpid())}",
    }


def is_orphan(labels: dict[str, str]) -> bool:
    """Tell whether a container of this user on this machine has lost its client."""
    if labels.get(OWNER) != str(os.getuid()) or labels.get(MACHINE) != this_machine():
        return False
    boot, _, process = labels.get(CLIENT, "").partition(":")
    if boot != boot_id():
        return True
    pid = process.partition("@")[0]
    return not pid.isdigit() or process_token(int(pid)) != process


@cache
def this_machine() -> str:
    """Return 16 hex digits that tell this machine and process-number space from others at the same engine."""
    spaces = _text(Path("/etc/machine-id")), platform.node(), _link("/proc/self/ns/pid")
    return hashlib.sha256("\0".join(spaces).encode()).hexdigest()[:16]


@cache
def boot_id() -> str:
    """Return what changes when the machine starts anew; empty where the system does not say."""
    return _text(Path("/proc/sys/kernel/random/boot_id"))


def process_token(pid: int) -> str:
    """Return a process number and when that process began, which no later one shares; empty when there is none.

    One that has ended, and whose parent has not asked how, is none.
    """
    stat = _text(Path(f"/proc/{pid}/stat"))
    if stat:
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] in _ENDED else f"{pid}@{fields[19]}"
    if Path("/proc/self/stat").exists():
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return f"{pid}@"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
