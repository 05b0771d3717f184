"""How much disk folders take, and how much of it comes free with them: a file with several names only with its last."""

import os
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 512


def size_of(*folders: Path) -> int:
    """Return bytes on disk below folders, each file once."""
    return sum(size for size, _, _ in _inodes(folders).values())


def freed_by(folders: Iterable[Path]) -> int:
    """Return the bytes that removing these folders gives back."""
    return sum(size for size, links, seen in _inodes(folders).values() if seen >= links)


def _inodes(folders: Iterable[Path]) -> dict[tuple[int, int], tuple[int, int, int]]:
    """Return bytes, number of names, and names seen, of every file, by its inode; links are not followed."""
    found: dict[tuple[int, int], tuple[int, int, int]] = {}
    for path in _paths(folders):
        try:
            status = path.lstat()
        except OSError:
            continue
        key = status.st_dev, status.st_ino
        seen = found.get(key, (0, 0, 0))[2] + 1
        found[key] = status.st_blocks * _BLOCK, status.st_nlink, seen
    return found


def _paths(folders: Iterable[Path]) -> Iterable[Path]:
    for folder in folders:
        if folder.is_file():
            yield folder
        for place, _, names in os.walk(folder):
            yield from (Path(place, name) for name in names)
