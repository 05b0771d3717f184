"""Which system calls write, what a traced command made of them, and points at which to let one go wrong."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

WRITING = (
    "write", "pwrite64", "writev", "pwritev", "openat", "open", "creat", "rename", "renameat", "renameat2", "unlink",
    "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "truncate",
    "ftruncate", "fallocate", "sendfile", "copy_file_range", "chmod", "fchmod", "fchmodat", "chown", "fchown",
    "fchownat", "lchown", "utimensat",
)  # fmt: skip
TRACE = "trace=" + ",".join(f"?{name}" for name in WRITING)
FAULTS = ("SIGKILL", "ENOSPC", "EIO")
_CALL = re.compile(r"^(?:(\d+) +)?(\w+)\((.*)")
_OPENS = ("openat", "open")
# What only a medium that is read or written can say: these change names or rights in memory as far as one can see.
NO_SPACE = frozenset(WRITING) - {"unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "chown", "fchown",
                                 "fchownat", "lchown", "utimensat", "truncate"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that goes wrong: in whom, at which call of which kind, counted from 1, and how."""

    who: str
    call: str
    number: int
    fault: str

    @property
    def injection(self) -> str:
        """The words that tell strace."""
        how = f"signal={self.fault}" if self.fault.startswith("SIG") else f"error={self.fault}"
        return f"inject={self.call}:{how}:when={self.number}"

    def __str__(self) -> str:
        """Return the point as one word."""
        return f"{self.who}/{self.call}#{self.number}/{self.fault}"


def writing_calls(log: Path) -> Iterator[tuple[str, int]]:
    """Yield each call of a log that writes, and the how-manieth of its kind it was; opening to read does not write.

    Each process of a log is counted by itself, as strace does.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(errors="replace").splitlines() if log.exists() else ():
        if found := _CALL.match(line):
            process, name, rest = found.groups(default="")
            seen[process, name] += 1
            if name not in _OPENS or "O_CREAT" in rest:
                yield name, seen[process, name]


def was_injected(log: Path) -> bool:
    """Tell whether the fault came, and hit a call that writes; a call that killed has no answer."""
    text = log.read_text(errors="replace") if log.exists() else ""
    hit = [line for line in text.splitlines() if line.endswith(("(INJECTED)", ") = ?"))]
    return any("O_CREAT" in line or not _is_open(line) for line in hit)


def points_of(who: str, calls: Sequence[tuple[str, int]], fault: str) -> list[Point]:
    """Return every point of one process or thread for a fault."""
    able = NO_SPACE if fault == "ENOSPC" else frozenset(WRITING)
    return [Point(who, call, number, fault) for call, number in calls if call in able]


def evenly(points: Sequence[Point], most: int) -> list[Point]:
    """Return at most so many points, spread evenly over their order."""
    if most >= len(points):
        return list(points)
    return [points[index * len(points) // most] for index in range(most)]


def _is_open(line: str) -> bool:
    found = _CALL.match(line)
    return found is not None and found[2] in _OPENS
