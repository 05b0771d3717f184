"""What a command that was killed left half written: known by its name, and removed once it is old enough.

A file of ours is written beside its place and renamed, and Git does the same; each kill may leave one such file,
which nobody reads and nobody else would ever remove. A lock that a killed Git left stops every later one; Git holds
such a lock for moments.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

DAY, MINUTE = 86_400, 60
_OURS = re.compile(r"\.new-\w+|\.[\w.-]+\.\d+|\.[\w.-]+\.partial")
_GIT = re.compile(r"tmp_(?:pack|idx|rev|obj|object|bitmap|mtimes)_\w+|pack_git2_\w+|\.tmp-[\w.-]+")
_LOCK = re.compile(r".+\.lock")
_FANOUT = re.compile(r"[0-9a-f]{2}")


def remove_strays(home: Path, *, copy: Path, now: float | None = None) -> None:
    """Remove halves of writes, of our files in `home` and of Git's in a registry's copy, untouched for a day.

    Locks of Git in the copy are removed after a minute; call it while no other command of ours fetches into it.
    """
    moment = time.time() if now is None else now
    before = moment - DAY
    for folder in (home, home / "cache", *_folders(home / "outbox"), *_folders(home / "registries")):
        _remove(folder, _OURS, before)
    _remove(copy, _OURS, before)
    for folder in (copy / "objects", *_folders(copy / "objects")):
        if folder.name in ("objects", "pack") or _FANOUT.fullmatch(folder.name):
            _remove(folder, _GIT, before)
    for folder in (copy, copy / "objects", copy / "objects" / "info", *_tree(copy / "refs")):
        _remove(folder, _LOCK, moment - MINUTE)


def _remove(folder: Path, name: re.Pattern[str], before: float) -> None:
    for entry in _entries(folder):
        with suppress(OSError):  # another command removed it, or it is not ours to remove
            if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < before:
                Path(entry.path).unlink()


def _tree(folder: Path) -> Iterator[Path]:
    for place, _, _ in os.walk(folder):
        yield Path(place)


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _entries(folder) if entry.is_dir(follow_symlinks=False)]


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with suppress(OSError), os.scandir(folder) as found:
        yield from found
