"""What a running container uses: bytes and entries on disk, memory.

Folders that a container writes are walked without following links; what hides, by its mode or its depth, counts as
full.
"""

import os
import stat
from pathlib import Path

from medperf_git.runner.trees import iter_entries

_HIDDEN = 1 << 62
_BLOCK = 512
_MEMORY_PATHS = (
    "/sys/fs/cgroup/memory/docker/{id}/memory.stat",
    "/sys/fs/cgroup/memory/system.slice/docker-{id}.scope/memory.stat",
    "/sys/fs/cgroup/docker/{id}/memory.stat",
    "/sys/fs/cgroup/system.slice/docker-{id}.scope/memory.stat",
)


def usage(path: Path) -> tuple[int, int]:
    """Return bytes on disk and number of entries below `path`; a vanished entry counts nothing."""
    try:
        own = path.lstat()
    except OSError:
        return 0, 0
    if not stat.S_ISDIR(own.st_mode):
        return own.st_blocks * _BLOCK, 0
    size = entries = 0
    try:
        for _, entry in iter_entries(path):
            entries += 1
            size += _blocks(entry)
    except OSError:
        return _HIDDEN, entries
    return size, entries


def _blocks(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except FileNotFoundError:
        return 0


def memory_in_use(container_id: str) -> int | None:
    """Return bytes of anonymous and shared memory of a container of this host, None where it is not to be seen."""
    for pattern in _MEMORY_PATHS:
        try:
            text = Path(pattern.format(id=container_id)).read_text()
        except OSError:
            continue
        return memory_of_statistics(dict(_pairs(text)))
    return None


def memory_of_statistics(numbers: dict[str, int]) -> int:
    """Add up what a container cannot give back, from the names of either cgroup version."""
    if "anon" in numbers:
        return numbers["anon"] + numbers.get("shmem", 0)
    return numbers.get("total_rss", numbers.get("rss", 0)) + numbers.get("total_shmem", numbers.get("shmem", 0))


def _pairs(text: str) -> list[tuple[str, int]]:
    return [(name, int(number)) for name, _, number in (line.partition(" ") for line in text.splitlines())]
