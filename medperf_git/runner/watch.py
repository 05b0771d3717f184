"""What a running container uses: bytes and entries on disk, memory.

Folders that a container writes are walked without following links; what hides, by its mode or its depth, counts as
full.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medperf_git.runner.trees import iter_entries

_HIDDEN = 1 << 62
_BLOCK = 512
_MOST_HELD = 200_000
_CGROUPS = (
    "memory/docker/{id}",
    "memory/system.slice/docker-{id}.scope",
    "docker/{id}",
    "system.slice/docker-{id}.scope",
    "memory/libpod_parent/libpod-{id}",
    "memory/machine.slice/libpod-{id}.scope",
    "libpod_parent/libpod-{id}",
    "machine.slice/libpod-{id}.scope",
    "user.slice/user-{uid}.slice/user@{uid}.service/user.slice/libpod-{id}.scope",
)
_ROOT = Path("/sys/fs/cgroup")


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


def removed_bytes(processes: Iterable[int], devices: Set[int]) -> int:
    """Return bytes of files on these disks that were removed and are held open or mapped: no folder shows them.

    What may not be looked at counts nothing; more files than anybody opens count as full.
    """
    found: dict[tuple[int, int], int] = {}
    looked_at = 0
    for process in processes:
        for entry in _held_by(process):
            looked_at += 1
            if looked_at > _MOST_HELD:
                return _HIDDEN
            with suppress(OSError):
                status = entry.stat()
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode) and status.st_dev in devices:
                    found[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
    return sum(found.values())


def descendants(process: int) -> Iterator[int]:
    """Yield a process and all that it and its children started, parents first, where the kernel tells (proc(5))."""
    waiting = [process]
    while waiting:
        found = waiting.pop()
        yield found
        for children in Path(f"/proc/{found}/task").glob("*/children"):
            with suppress(OSError):  # a thread that has ended meanwhile hides nobody else's children
                waiting.extend(map(int, children.read_text(encoding="ascii").split()))


def _held_by(process: int) -> "Iterator[os.DirEntry[str]]":
    for folder in ("fd", "map_files"):
        with suppress(OSError), os.scandir(f"/proc/{process}/{folder}") as entries:
            yield from entries


def _blocks(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except FileNotFoundError:
        return 0


@dataclass(slots=True)
class MemoryWatch:
    """The memory of one container of this host, by the kernel's own files; nothing is known where these do not lie.

    `kills` counts the processes that the kernel killed for want of memory. Podman 4 does not tell of them, and the
    files vanish soon after the container has ended: what was seen last stays.
    """

    container_id: str
    kills: int = 0
    folder: Path | None = None

    def in_use(self) -> int | None:
        """Return bytes of anonymous and shared memory, None where they are not to be seen."""
        self.folder = self.folder or _cgroup_of(self.container_id)
        if self.folder is None:
            return None
        self._count_kills(self.folder)
        try:
            return memory_of_statistics(_numbers(self.folder / "memory.stat"))
        except OSError:
            return None

    def processes(self) -> Iterator[int]:
        """Yield the numbers of its processes, none where the kernel's files do not lie here."""
        self.folder = self.folder or _cgroup_of(self.container_id)
        with suppress(OSError):  # it is gone as soon as the container has ended
            for file in self.folder.rglob("cgroup.procs") if self.folder else ():
                yield from map(int, file.read_text().split())

    def _count_kills(self, folder: Path) -> None:
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                self.kills = max(self.kills, _numbers(folder / name).get("oom_kill", 0))
                return


def _cgroup_of(container_id: str) -> Path | None:
    places = (_ROOT / pattern.format(id=container_id, uid=os.getuid()) for pattern in _CGROUPS)
    return next((place for place in places if (place / "memory.stat").exists()), None)


def memory_of_statistics(numbers: dict[str, int]) -> int:
    """Add up what a container cannot give back, from the names of either cgroup version."""
    if "anon" in numbers:
        return numbers["anon"] + numbers.get("shmem", 0)
    return numbers.get("total_rss", numbers.get("rss", 0)) + numbers.get("total_shmem", numbers.get("shmem", 0))


def _numbers(path: Path) -> dict[str, int]:
    pairs = (line.partition(" ") for line in path.read_text().splitlines())
    return {name: int(number) for name, _, number in pairs}
