"""Take over what a container wrote, as hostile input (T21, T24).

Every step goes by directory descriptor and never follows a link. Only regular files with one link, plain names and
no holes are taken, up to caps on number, bytes and depth; the first thing that is anything else is refused by name.
The files are copied with our owner and modes into a folder that only we can enter, and hashed on the way.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import ContainerFailed
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import GIB
from medperf_git.runner.shown import shortened

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 _.+=,@()\[\]#%~-]{0,254}|\.[A-Za-z0-9_][A-Za-z0-9 _.+-]{0,253}")
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"))
_FOLDER = _READ | getattr(os, "O_DIRECTORY", 0)  # Windows has none of them, and runs no containers
_PIECE = 1 << 20
_LARGE, _AT_ONCE = 8 << 20, 2
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


class HostileOutput(ContainerFailed):
    """A container wrote something that is not taken over; `entry` is its path, escaped."""

    def __init__(self, entry: str, fault: str) -> None:
        super().__init__(
            f"the container wrote {entry or 'an output'} which is {fault}",
            hint="only plain files are taken over; its owner must write regular files and folders with plain names",
        )
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Caps:
    """How much is taken over: files, bytes in all, levels of folders, characters of a relative path."""

    files: int = 500_000
    total_bytes: int = 100 * GIB
    depth: int = 32
    path: int = 1024


@dataclass(frozen=True, slots=True, order=True)
class TakenFile:
    """One file that was taken over: relative path with `/`, bytes, SHA-256."""

    path: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class _Seen:
    parts: tuple[str, ...]
    size: int
    is_folder: bool


def is_plain_name(name: str) -> bool:
    """Tell whether a file of that name would be taken over."""
    return _NAME.fullmatch(name) is not None


def collect(source: Path, target: Path, *, caps: Caps = Caps()) -> tuple[TakenFile, ...]:
    """Copy `source` (a folder, or one file) to `target`, which must not exist; HostileOutput names what is refused.

    `target`'s folder is ours alone (0700), so that what is in it may be readable (0644) for the next container.
    """
    if not source.is_symlink() and source.is_file():
        return (_take_single(source, target, caps),)
    with _opened(source, None, _FOLDER) as root:
        seen = _inspect(root, caps)
        target.mkdir(mode=0o755)
        target.chmod(0o755)
        return tuple(sorted(_copy_all(root, seen, target)))


def look_over(source: Path, *, caps: Caps = Caps()) -> None:
    """Raise HostileOutput when the folder `source` holds what would not be taken over; nothing is copied."""
    with _opened(source, None, _FOLDER) as root:
        _inspect(root, caps)


def _take_single(source: Path, target: Path, caps: Caps) -> TakenFile:
    with _opened(source, None, _READ) as handle:
        size = _check_file(os.fstat(handle), source.name, handle)
        if size > caps.total_bytes:
            raise HostileOutput(source.name, f"too large ({size} bytes; at most {caps.total_bytes})")
        return TakenFile(source.name, *_copy(handle, target, size))


def _inspect(root: int, caps: Caps) -> list[_Seen]:
    seen: list[_Seen] = []
    total = 0
    for entry in _walk(root, (), caps):
        seen.append(entry)
        total += entry.size
        if len(seen) > caps.files:
            raise HostileOutput("", f"more than {caps.files} files and folders")
        if total > caps.total_bytes:
            raise HostileOutput("", f"more than {caps.total_bytes} bytes")
    return seen


def _walk(folder: int, parts: tuple[str, ...], caps: Caps) -> Iterator[_Seen]:
    if len(parts) >= caps.depth:
        raise HostileOutput(_shown(parts), f"deeper than {caps.depth} folders")
    with os.scandir(folder) as found:
        names = [entry.name for entry in found]
    if len(names) > caps.files:
        raise HostileOutput(_shown(parts), f"a folder of more than {caps.files} entries")
    for name in sorted(names):
        yield from _walk_entry(folder, (*parts, name), caps)


def _walk_entry(folder: int, parts: tuple[str, ...], caps: Caps) -> Iterator[_Seen]:
    shown = _shown(parts)
    if not _NAME.fullmatch(parts[-1]):
        raise HostileOutput(shown, "named with characters that are not taken over")
    if sum(len(part) + 1 for part in parts) > caps.path:
        raise HostileOutput(shown, f"a path of more than {caps.path} characters")
    status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        yield _Seen(parts, 0, is_folder=True)
        with _opened(Path(parts[-1]), folder, _FOLDER) as inner:
            yield from _walk(inner, parts, caps)
        return
    if kind := _KINDS.get(stat.S_IFMT(status.st_mode)):
        raise HostileOutput(shown, kind)
    with _opened(Path(parts[-1]), folder, _READ) as handle:
        yield _Seen(parts, _check_file(os.fstat(handle), shown, handle), is_folder=False)


def _check_file(status: os.stat_result, shown: str, handle: int) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise HostileOutput(shown, _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file"))
    if status.st_nlink != 1:
        raise HostileOutput(shown, f"a hard link ({status.st_nlink} names for one file)")
    if status.st_size and _first_hole(handle, status.st_size) < status.st_size:
        raise HostileOutput(shown, "a sparse file")
    return status.st_size


def _first_hole(handle: int, size: int) -> int:
    try:
        return os.lseek(handle, 0, os.SEEK_HOLE)
    except OSError:
        return size


def _copy_all(root: int, seen: list[_Seen], target: Path) -> Iterator[TakenFile]:
    """Copy what was seen; large files two at a time, for hashing them is what takes long."""
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="collect") as pool:
        large: list[Future[TakenFile]] = []
        try:
            for entry in seen:
                if entry.is_folder:
                    _make_folder(target.joinpath(*entry.parts))
                elif entry.size >= _LARGE:
                    large.append(pool.submit(_take, root, entry, target))
                else:
                    yield _take(root, entry, target)
            for taken in large:
                yield taken.result()
        finally:
            for taken in large:
                taken.cancel()


def _make_folder(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def _take(root: int, entry: _Seen, target: Path) -> TakenFile:
    with _descended(root, entry.parts[:-1]) as folder, _opened(Path(entry.parts[-1]), folder, _READ) as handle:
        shown = "/".join(entry.parts)
        _check_file(os.fstat(handle), shown, handle)
        return TakenFile(shown, *_copy(handle, target.joinpath(*entry.parts), entry.size))


def _copy(handle: int, place: Path, size: int) -> tuple[int, Digest]:
    digest = hashlib.sha256()
    os.lseek(handle, 0, os.SEEK_SET)
    left = size
    target = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(target, "wb") as file:
        while left > 0 and (piece := os.read(handle, min(_PIECE, left))):
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
        os.fchmod(file.fileno(), 0o644)
    return size - left, Digest("sha256:" + digest.hexdigest())


@contextmanager
def _opened(path: Path, folder: int | None, flags: int) -> Iterator[int]:
    try:
        handle = os.open(path, flags, dir_fd=folder)
    except OSError as error:
        raise HostileOutput(_shown(path.parts[-1:]), f"not to be opened ({error.strerror})") from error
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _descended(root: int, parts: tuple[str, ...]) -> Iterator[int]:
    handle = os.dup(root)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _shown(parts: tuple[str, ...]) -> str:
    """Return a path that is safe to print, whatever bytes it is made of."""
    return shortened("/".join(parts))
