"""What a command that was killed left half written: known by its name, and removed once it is a day old.

A file of ours is written beside its place and renamed, and Git does the same; each kill may leave one such file,
which nobody reads and nobody else would ever remove.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

DAY = 86_400
_OURS = re.compile(r"\.new-\w+|\.[\w.-]+\.\d+|\.[\w.-]+\.partial")
_GIT = re.compile(r"tmp_(?:pack|idx|rev|obj|object|bitmap|mtimes)_\w+|pack_git2_\w+|\.tmp-[\w.-]+")
_FANOUT = re.compile(r"[0-9a-f]{2}")


def remove_strays(home: Path, *, copy: Path, now: float | None = None) -> None:
    """Remove halves of writes, of our files in `home` and of Git's in a registry's copy, untouched for a day."""
    before = (time.time() if now is None else now) - DAY
    for folder in (home, home / "cache", *_folders(home / "outbox"), *_folders(home / "registries")):
        _remove(folder, _OURS, before)
    _remove(copy, _OURS, before)
    for folder in (copy / "objects", *_folders(copy / "objects")):
        if folder.name in ("objects", "pack") or _FANOUT.fullmatch(folder.name):
            _remove(folder, _GIT, before)


def _remove(folder: Path, name: re.Pattern[str], before: float) -> None:
    for entry in _entries(folder):
        with suppress(OSError):  # another command removed it, or it is not ours to remove
            if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < before:
                Path(entry.path).unlink()


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)]


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with suppress(OSError), os.scandir(folder) as found:
        yield from found
