"""Go through folders that a container wrote: by descriptor, never through a link, however deep or long they are.

Paths are never put together: a path of such a tree may be longer than the system takes.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DEPTH = 64
_FOLDER = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))


class TooDeep(OSError):
    """Folders lie deeper inside each other than is looked."""


def iter_entries(path: Path) -> Iterator[tuple[int, "os.DirEntry[str]"]]:
    """Yield (descriptor of its folder, entry) for all that lies below `path`; OSError when something hides."""
    with _opened(path, None) as root:
        yield from _below(root, DEPTH)


def remove_tree(path: Path) -> None:
    """Remove a folder whatever a container left in it; what is not ours to remove stays, and nothing is raised.

    Inner folders are moved to the top before they are emptied, so no depth is too deep.
    """
    if os.name != "posix":  # no container ran here
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        _make_ours(path, None)
        with _opened(path, None) as top:
            waiting = _emptied(top, top)
            while waiting:
                waiting += _removed(waiting.pop(), top)
        path.rmdir()


def _removed(name: str, top: int) -> list[str]:
    """Remove one folder of `top`, and return the names in `top` that its inner folders got."""
    moved: list[str] = []
    with suppress(OSError):
        with _opened(name, top) as folder:
            moved = _emptied(folder, top)
        os.rmdir(name, dir_fd=top)
    return moved


def _emptied(folder: int, top: int) -> list[str]:
    """Remove the files of a folder and move its folders to `top`; return their names there."""
    with os.scandir(folder) as found:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
    names = []
    for name, is_folder in entries:
        with suppress(OSError):
            if not is_folder:
                os.unlink(name, dir_fd=folder)
                continue
            place = name if folder == top else secrets.token_hex(16)
            _make_ours(name, folder)
            if folder != top:
                os.rename(name, place, src_dir_fd=folder, dst_dir_fd=top)
            names.append(place)
    return names


def _make_ours(path: "Path | str", folder: int | None) -> None:
    """Make a folder one that may be opened and moved; root may do both anyway."""
    if os.getuid() != 0:
        with suppress(OSError):
            os.chmod(path, 0o700, dir_fd=folder)


def _below(folder: int, depth: int) -> Iterator[tuple[int, "os.DirEntry[str]"]]:
    if depth == 0:
        raise TooDeep(f"deeper than {DEPTH} folders")
    with os.scandir(folder) as found:
        for entry in found:
            yield folder, entry
            if not entry.is_dir(follow_symlinks=False):
                continue
            try:
                inner = os.open(entry.name, _FOLDER, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it vanished meanwhile
            try:
                yield from _below(inner, depth - 1)
            finally:
                os.close(inner)


@contextmanager
def _opened(path: "Path | str", folder: int | None) -> Iterator[int]:
    handle = os.open(path, _FOLDER, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)
