"""Say in plain words why a container failed, and the exact option to repeat with."""

import re
from pathlib import Path

from medperf_git.runner.engine import GIB, MIB, Ended, Profile, StepResult, StepSpec
from medperf_git.runner.shown import shortened

_TAIL = 8192
_MORE_DISK = "repeat with more --disk, or make room where that much is not free"
_READ_ONLY = re.compile(r"Read-only file system:?[^'\"\n]*['\"]?(/[^'\"\s:]*)?")
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|File too large")
_DENIED = re.compile(r"Permission denied:?\s*['\"]?(/[^'\"\s:]*)?")
_MEMORY = re.compile(r"MemoryError|std::bad_alloc|Cannot allocate memory|DataLoader worker .* killed|[Bb]us error")


def explain(result: StepResult, spec: StepSpec, log: Path) -> tuple[str, str]:
    """Return what happened and what to do now; the log is looked at only for the usual causes."""
    limits = spec.limits
    if result.ended is Ended.DEADLINE:
        return (
            f"it did not end within {_hours(limits.wall_seconds)}",
            f"repeat with a longer --timeout than {limits.wall_seconds:.0f}s",
        )
    if result.ended is Ended.OOM:
        return (
            f"it needed more than {limits.memory_bytes / GIB:.1f} GiB of memory",
            "repeat with more --memory",
        )
    if result.ended is Ended.LOG_LIMIT:
        return f"its log grew beyond {limits.log_bytes / MIB:.0f} MiB", "its owner must make it print less"
    if result.ended is Ended.DISK_LIMIT:
        caps = f"{_size(limits.tmp_bytes)} in /tmp, {_size(limits.output_bytes)} of output"
        return (
            f"it wrote more than {caps} or {limits.output_files} files",
            "repeat with more --disk; or make room, when that disk has less",
        )
    if result.ended is Ended.KILLED:
        return "something outside killed it", "look at the host's log for its memory, then repeat with more --memory"
    return f"it ended with exit code {result.exit_code}", _tip(tail_of(log), spec) or f"its output: {log}"


def tail_of(log: Path) -> str:
    """Return the last characters of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _tip(text: str, spec: StepSpec) -> str:
    if spec.profile is Profile.STRICT and (found := _READ_ONLY.search(text)):
        path = shortened(found[1] or "a read-only path")
        return f"it writes to {path}: repeat with --profile compat, or ask its owner to use /tmp"
    if _NO_SPACE.search(text):
        return "it ran out of room in /tmp or in a volume: repeat with more --disk"
    if _MEMORY.search(text):
        return "it ran out of memory: repeat with more --memory"
    if spec.profile is Profile.STRICT and (found := _DENIED.search(text)):
        path = shortened(found[1] or "a path")
        return f"it may not use {path} as this user: repeat with --profile compat, or ask its owner"
    return ""


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"
