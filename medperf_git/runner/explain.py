"""Say in plain words why a container failed, and the exact option to repeat with."""

import re
from pathlib import Path

from medperf_git.runner.engine import GIB, KIB, MIB, Cap, Ended, Limits, StepResult, StepSpec
from medperf_git.runner.shown import shortened

_TAIL = 8192
_PATH = r"[^'\"\n]*['\"]?(/[^'\"\s:]*)?"
_READ_ONLY = re.compile(r"Read-only file system:?" + _PATH)
_NO_SPACE = re.compile(r"(?:No space left on device|Disk quota exceeded):?" + _PATH)
_TOO_LARGE = re.compile(r"File too large")
_DENIED = re.compile(r"Permission denied:?\s*['\"]?(/[^'\"\s:]*)?")
_SHARED_MEMORY = re.compile(r"[Bb]us error|DataLoader worker .* killed|No space left on device[^\n]*/dev/shm")
_MEMORY = re.compile(r"MemoryError|std::bad_alloc|Cannot allocate memory")
_PROCESSES = re.compile(r"Resource temporarily unavailable|can't start new thread|[Cc]annot fork|fork: retry")
_FILE_SIZE_EXCEEDED = 153  # 128 + SIGXFSZ


def explain(result: StepResult, spec: StepSpec, log: Path) -> tuple[str, str]:
    """Return what happened and what to do now; the log is looked at only for the usual causes.

    An option is named with a value that can be given as it stands: twice what was too little.
    """
    limits = spec.limits
    if result.ended is Ended.DEADLINE:
        return (
            f"it did not end within {_hours(limits.wall_seconds)}",
            f"repeat with a longer --timeout: --timeout {_time(2 * limits.wall_seconds)}",
        )
    if result.ended is Ended.OOM:
        return f"it needed more than {_size(limits.memory_bytes)} of memory", _more_memory(limits)
    if result.ended is Ended.LOG_LIMIT:
        return f"its log grew beyond {_size(limits.log_bytes)}", "its owner must make it print less"
    if result.ended is Ended.DISK_LIMIT:
        return _disk(result.broke, limits)
    if result.ended is Ended.KILLED:
        return (
            "something outside killed it",
            f"look at the host's log for its memory, then {_more_memory(limits)}",
        )
    if result.exit_code == _FILE_SIZE_EXCEEDED:
        return f"one of its files grew beyond {_size(limits.file_bytes)}", _more_disk(limits.file_bytes)
    return f"it ended with exit code {result.exit_code}", _tip(tail_of(log), spec) or f"its output: {log}"


def tail_of(log: Path) -> str:
    """Return the last characters of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _disk(broke: Cap | None, limits: Limits) -> tuple[str, str]:
    if broke is Cap.FILES:
        return f"it wrote more than {limits.output_files} files", "its owner must make it write fewer"
    if broke is Cap.OUTPUT:
        return f"it wrote more than {_size(limits.output_bytes)} of output", _more_disk(limits.output_bytes)
    if broke is Cap.LAYER:
        return f"it wrote more than {_size(limits.tmp_bytes)} in its root file system", _more_disk(limits.tmp_bytes)
    return f"it wrote more than {_size(limits.tmp_bytes)} in /tmp", _more_disk(limits.tmp_bytes)


def _tip(text: str, spec: StepSpec) -> str:
    limits = spec.limits
    if spec.profile.is_closed and (found := _READ_ONLY.search(text)):
        path = shortened(found[1] or "a read-only path")
        return f"it writes to {path}: repeat with --profile compat, or ask its owner to use /tmp"
    if _SHARED_MEMORY.search(text):
        return _shared_memory(spec)
    if _TOO_LARGE.search(text):
        return f"one of its files grew beyond {_size(limits.file_bytes)}: {_more_disk(limits.file_bytes)}"
    if found := _NO_SPACE.search(text):
        return _no_space(found[1] or "", spec)
    if _MEMORY.search(text):
        return f"it ran out of memory ({_size(limits.memory_bytes)}): {_more_memory(limits)}"
    if _PROCESSES.search(text):
        return f"it may have no more than {limits.pids} processes and threads: its owner must make it start fewer"
    if spec.profile.is_closed and (found := _DENIED.search(text)):
        path = shortened(found[1] or "a path")
        return f"it may not use {path} as this user: repeat with --profile compat, or ask its owner"
    return ""


def _no_space(path: str, spec: StepSpec) -> str:
    """Say where room ran out: `/tmp` and outputs lie on the disk, the image's volumes and shared memory are capped."""
    limits = spec.limits
    option = f"repeat with more --disk: --disk {_option(max(limits.tmp_bytes, 2 * limits.volume_bytes))}"
    if path == Cap.TMP or path.startswith(f"{Cap.TMP}/"):
        return f"there was no room for {shortened(path)}: make room on the disk"
    if path:
        return f"there was no room for {shortened(path)} (a volume holds {_size(limits.volume_bytes)}): {option}"
    held = f"a volume holds {_size(limits.volume_bytes)}, shared memory {_size(spec.shm_bytes)}"
    return f"it ran out of room ({held}): {option}; or make room on the disk"


def _shared_memory(spec: StepSpec) -> str:
    told = f"it filled its shared memory ({_size(spec.shm_bytes)})"
    if spec.shm_bytes >= spec.limits.memory_bytes // 4:
        return f"{told}, a quarter of its memory: {_more_memory(spec.limits)}"
    return f"{told}: its owner must ask for more in the record (shm_size)"


def _more_memory(limits: Limits) -> str:
    return f"repeat with more --memory: --memory {_option(2 * limits.memory_bytes)}"


def _more_disk(held: int) -> str:
    return f"repeat with more --disk: --disk {_option(2 * held)}; or make room, when that disk has less"


def _option(count: int) -> str:
    """Return a size as the options take it, rounded up."""
    for unit, letter in ((GIB, "g"), (MIB, "m"), (KIB, "k")):
        if count >= 4 * unit or (count >= unit and not count % unit):
            return f"{-(-count // unit)}{letter}"
    return str(count)


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"


def _time(seconds: float) -> str:
    for unit, letter in ((3600, "h"), (60, "m")):
        if seconds >= unit and not seconds % unit:
            return f"{seconds / unit:.0f}{letter}"
    return f"{seconds:.0f}s"
