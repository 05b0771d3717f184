"""Copy a folder of ours to another disk and leave a link in its place, so that at no moment anything is missing.

The copy is hashed on the way and read back before the old folder goes. A crash leaves the old folder in use, or the
new one; what is then superfluous is seen and removed by the next attempt, or named.
"""

import ctypes
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault
from medperf_git.runner.durable import sync_folder
from medperf_git.runner.hashing import hash_files
from medperf_git.runner.manifest import Progress
from medperf_git.runner.trees import remove_tree

_PIECE = 1 << 20
_EXCHANGE, _HERE = 2, -100  # RENAME_EXCHANGE, AT_FDCWD


def relocate(folder: Path, target: Path, *, progress: Progress) -> None:
    """Move what `folder` holds (a folder, or a link to one) to the new folder `target`; a link is left behind."""
    source = folder.resolve()
    if target.exists() or target.is_symlink():
        raise Refused(f"{target} exists already", hint="choose another place; nothing is overwritten")
    if target.is_relative_to(source) or not source.is_dir():
        raise Refused(f"{source} cannot be moved to {target}", hint="choose a place outside of it")
    found = list(_iter_tree(source))
    total = sum(status.st_size for _, status in found if stat.S_ISREG(status.st_mode))
    if total > (free := shutil.disk_usage(target.parent).free):
        raise DiskFull(
            f"{target.parent} has {free / 1e9:.1f} GB free, and {total / 1e9:.1f} GB are needed", hint=MAKE_ROOM
        )
    partial = target.with_name(f".{target.name}.partial")
    remove_tree(partial)
    try:
        _copy(source, partial, found, total, progress)
    except OSError as error:
        remove_tree(partial)
        if is_disk_fault(error):
            raise DiskFull(f"{target.parent} cannot take it: {error.strerror}", hint=MAKE_ROOM) from error
        raise EnvironmentProblem(
            f"it cannot be copied: {error}", hint="look at who may read and write there"
        ) from error
    except BaseException:
        remove_tree(partial)
        raise
    if _looks(found) != _looks(_iter_tree(source)):
        remove_tree(partial)
        raise Refused(f"{source} has changed while it was copied", hint="let nothing be at work, then repeat")
    partial.rename(target)
    sync_folder(target.parent)
    was_link = folder.is_symlink()
    aside = _put_link(folder, target)
    remove_tree(source if was_link else aside)
    if was_link:
        aside.unlink()


def _looks(found: Iterable[tuple[str, os.stat_result]]) -> list[tuple[str, int, int, int]]:
    return [(path, status.st_mode, status.st_size, status.st_mtime_ns) for path, status in found]


def _iter_tree(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (relative path, status) of all below a folder, folders before what they hold; links are not followed."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in (*folders, *sorted(files)):
            path = Path(folder, name)
            yield path.relative_to(root).as_posix(), path.lstat()


def _copy(source: Path, target: Path, found: list[tuple[str, os.stat_result]], total: int, progress: Progress) -> None:
    target.mkdir(mode=0o700)
    digests: dict[str, bytes] = {}
    done = 0
    for relative, status in found:
        place = target / relative
        if stat.S_ISDIR(status.st_mode):
            place.mkdir(mode=0o700)
        elif stat.S_ISLNK(status.st_mode):
            place.symlink_to((source / relative).readlink())
            continue
        elif stat.S_ISREG(status.st_mode):
            digests[relative] = _copied(source / relative, place)
            done += status.st_size
            progress(done, 2 * total)
    for relative, status in reversed(found):  # what is inside a folder before its own times and modes
        place = target / relative
        if place.is_symlink() or not place.exists():
            continue
        if os.getuid() == 0:
            os.chown(place, status.st_uid, status.st_gid)
        place.chmod(stat.S_IMODE(status.st_mode))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    shutil.copymode(source, target)
    os.sync()
    _compare(target, digests, done, total, progress)


def _copied(source: Path, place: Path) -> bytes:
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as file, place.open("xb", buffering=0) as copy:
        while piece := file.read(_PIECE):
            digest.update(piece)
            copy.write(piece)
    return digest.digest()


def _compare(target: Path, digests: dict[str, bytes], done: int, total: int, progress: Progress) -> None:
    paths = [str(target / relative) for relative in digests]

    def told(count: int) -> None:
        nonlocal done
        done += count
        progress(min(done, 2 * total), 2 * total)

    found = hash_files(paths, [(target / relative).stat().st_size for relative in digests], told)
    if [digest for _, digest in found] != list(digests.values()):
        raise IntegrityBroken(f"what was written to {target} is not what was read", hint="that disk may be broken")


def _put_link(folder: Path, target: Path) -> Path:
    """Put a link to `target` in the place of `folder` in one step, and return where the old folder lies now."""
    aside = folder.with_name(f".{folder.name}.moved")
    if aside.is_symlink():
        aside.unlink()
    if aside.exists():
        raise Refused(f"{aside} is in the way", hint="it is left of an earlier move; look at it, then remove it")
    aside.symlink_to(target)
    if not _exchanged(aside, folder):
        aside.unlink()
        folder.rename(aside)
        folder.symlink_to(target)
    sync_folder(folder.parent)
    return aside


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names at once, where the system can."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
