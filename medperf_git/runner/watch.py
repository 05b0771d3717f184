"""What a running container uses: bytes and entries on disk, memory.

Folders that a container writes are walked without following links; a folder that hides its content counts as full.
"""

import os
import stat
from pathlib import Path

_HIDDEN = 1 << 62
_MEMORY_PATHS = (
    "/sys/fs/cgroup/memory/docker/{id}/memory.stat",
    "/sys/fs/cgroup/memory/system.slice/docker-{id}.scope/memory.stat",
    "/sys/fs/cgroup/docker/{id}/memory.stat",
    "/sys/fs/cgroup/system.slice/docker-{id}.scope/memory.stat",
)


def usage(path: Path) -> tuple[int, int]:
    """Return bytes on disk and number of entries below `path`; a vanished entry counts nothing."""
    size, entries = _own(path), 0
    folders = [os.fspath(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    size += _blocks(entry)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except PermissionError:
            return _HIDDEN, entries
        except (FileNotFoundError, NotADirectoryError):
            continue
    return size, entries


def _own(path: Path) -> int:
    try:
        found = path.lstat()
    except OSError:
        return 0
    return 0 if stat.S_ISDIR(found.st_mode) else found.st_blocks * 512


def _blocks(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
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
