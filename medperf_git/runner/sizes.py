"""How much disk folders take, and how much of it comes free with them: a file with several names only with its last."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_BLOCK = 512


def size_of(*folders: Path) -> int:
    """Return bytes on disk below folders, each file once."""
    total, twins = 0, set()
    for status in _statuses(folders):
        if status.st_nlink > 1:
            if (twin := (status.st_dev, status.st_ino)) in twins:
                continue
            twins.add(twin)
        total += status.st_blocks
    return total * _BLOCK


def freed_by(folders: Iterable[Path]) -> int:
    """Return the bytes that removing these folders gives back."""
    return sum(size for size, links, seen in _inodes(folders).values() if seen >= links)


def _inodes(folders: Iterable[Path]) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Return bytes, number of names, and names seen, of every file, by its inode; links are not followed."""
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for status in _statuses(folders):
        key = status.st_dev, status.st_ino
        seen = found.get(key, (0, 0, 0))[2] + 1
        found[key] = status.st_blocks * _BLOCK, status.st_nlink, seen
    return found


def _statuses(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    """Yield what the system says of every file; a folder that vanishes or cannot be read has none."""
    waiting = [os.fspath(folder) for folder in folders]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # it vanished meanwhile
                    yield status
        except NotADirectoryError:
            with suppress(OSError):
                yield os.lstat(place)
        except OSError:
            continue
