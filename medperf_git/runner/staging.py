"""Host folders as a container's user needs them: owned where it writes, readable where it reads.

An output folder belongs to the container's user; world-writable is not enough (`copystat` fails). Data that this user
cannot read, because the caller is root and the data its own, is seen through a private copy made for the run.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault
from medperf_git.runner.engine import User
from medperf_git.runner.trees import iter_entries, remove_tree


def private_folder(path: Path) -> Path:
    """Make a folder that only we can enter (0700), parents too."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def make_output_folder(path: Path, user: User) -> Path:
    """Make an empty folder that the container's user owns; one that is there already is given to it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _give(path, user, mode=0o700, open_mode=0o777)
    return path


def make_output_file(path: Path, user: User) -> Path:
    """Make the file that an output file mount needs before the start; one that is there already keeps its content."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    _give(path, user, mode=0o600, open_mode=0o666)
    return path


def give_tree(path: Path, user: User) -> None:
    """Give a whole tree of an earlier attempt to the container's user; OSError when a part of it hides."""
    if os.getuid() != 0 or not path.is_dir():
        return
    for folder, entry in iter_entries(path):
        os.chown(entry.name, user.uid, user.gid, dir_fd=folder, follow_symlinks=False)


def is_readable(source: Path, user: User) -> bool:
    """Tell whether `user`, without any capability, can read all of `source`."""
    return all(_may_read(path, user) for path in _everything(source))


def readable_view(source: Path, user: User, *, staging: Path) -> Path:
    """Return `source` itself where `user` can read it, else a readable copy below `staging`, made once."""
    if is_readable(source, user):
        return source
    copy = staging / source.name
    if copy.exists():
        return copy
    private_folder(staging)
    partial = staging / f".{source.name}.partial"
    remove_tree(partial)
    try:
        if source.is_dir():
            shutil.copytree(source, partial, copy_function=_copied)
        else:
            _copied(str(source), str(partial))
    except (OSError, DiskFull) as error:
        remove_tree(partial)
        if isinstance(error, DiskFull):
            raise
        if is_disk_fault(error):
            raise _no_room(source) from error
        raise EnvironmentProblem(
            f"no readable copy of {source} could be made: {error.strerror or 'a file of it cannot be read'}",
            hint="look at who may read it, or run as the data's owner",
        ) from error
    for path in _everything(partial):
        path.chmod(0o755 if path.is_dir() else 0o644)
    partial.rename(copy)
    return copy


def _copied(source: str, target: str) -> str:
    """Copy one file; DiskFull passes through `copytree`, which gathers every other error as text."""
    try:
        return shutil.copyfile(source, target)
    except OSError as error:
        if is_disk_fault(error):
            raise _no_room(Path(source)) from error
        raise


def _no_room(source: Path) -> DiskFull:
    return DiskFull(f"the disk has no room for a readable copy of {source}", hint=MAKE_ROOM)


def _give(path: Path, user: User, *, mode: int, open_mode: int) -> None:
    if os.getuid() == 0:
        os.chown(path, user.uid, user.gid, follow_symlinks=False)
        path.chmod(mode)
    else:
        # Only root can give a file away: another user of the container gets in by mode.
        path.chmod(mode if user.uid == os.getuid() else open_mode)


def _everything(source: Path) -> Iterator[Path]:
    yield source
    if source.is_dir():
        for folder, folders, files in os.walk(source):
            yield from (Path(folder, name) for name in (*folders, *files))


def _may_read(path: Path, user: User) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    shift = 6 if status.st_uid == user.uid else 3 if status.st_gid == user.gid else 0
    needed = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
    return (status.st_mode >> shift) & needed == needed
