"""A site's files → a folder on disk, of which only what changed is written.

Rules kept here: a file is replaced in one step, never half written; the index comes last, so that what it lists is
there before it; in the folders of a site, what is no file of it goes; beside them nothing of others is touched, and a
folder that holds anything but a site is left alone; one build at a time writes to a folder.
"""
# ruff: noqa: PTH102, PTH103, PTH105, PTH106, PTH108, PTH112, PTH114, PTH123  (os and plain strings, a hundred thousand times)

import json
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.leaderboard import urls

INDEX = "index.json"  # says whose folder it is
CHECKPOINT = "checkpoint"  # the signed note of freshness, at the top of the site
# What lies at the top of a site; anything else there, such as `.git`, `CNAME` or a page of one's own, is another's.
_FOLDERS = frozenset(("assets", "benchmarks", "members", "models", "results", "schemas", "sites"))
_TEMPORARY = ".medperf-git-new"
_FILES = frozenset((urls.INDEX, urls.METHODS, urls.CHANGES, urls.FEED, INDEX, CHECKPOINT))
_MARKED = (stat.S_IFREG, stat.S_IFDIR)
_MAX_INDEX = 16_000_000
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class SiteFolder:
    """Writes files below a folder. While it is `fresh` nothing is there that would have to be compared."""

    def __init__(self, root: Path, *, fresh: bool) -> None:
        self.root, self.fresh = root, fresh
        self._start = os.fspath(root) + os.sep
        self._made: set[str] = set()
        self._real: dict[str, bool] = {}

    def put(self, url: str, data: bytes) -> int:
        """Make the file at `url` hold `data`; return its mark."""
        self._make(url.rpartition("/")[0])
        path = self._start + url
        if self.fresh:
            return _write(path, data)
        if not _holds(path, data):
            for place in (path, path + _TEMPORARY):
                if _is_folder(place):
                    shutil.rmtree(place)
            with suppress(FileNotFoundError):
                os.unlink(path + _TEMPORARY)
            _write(path + _TEMPORARY, data)
            os.replace(path + _TEMPORARY, path)
        return self.mark(url)

    def _make(self, folder: str) -> None:
        """Make a folder and those above it; a link in its place goes, so that nothing is written elsewhere."""
        if folder in self._made:
            return
        if folder:
            self._make(folder.rpartition("/")[0])
        path = self._start + folder if folder else self._start[:-1]
        try:
            os.makedirs(path) if not folder else os.mkdir(path)
        except FileExistsError:
            if folder and not _is_folder(path):
                os.unlink(path)
                os.mkdir(path)
        self._made.add(folder)

    def mark(self, url: str) -> int:
        """Return what tells a file or a folder on disk from one that was written since; 0 for anything else.

        A folder is written when a name in it comes or goes.
        """
        try:
            return _mark_of(os.lstat(self._start + url))
        except OSError:
            return 0

    def is_real(self, folder: str) -> bool:
        """Tell whether a folder, and each above it, is none that a link leads to."""
        if folder and folder not in self._real:
            self._real[folder] = self.is_real(folder.rpartition("/")[0]) and _is_folder(self._start + folder)
        return not folder or self._real[folder]

    def remove_others(self, known: Collection[str], *, leave: Collection[str] = ()) -> None:
        """Remove each file of a site that is not `known`, and folders left empty; what lies in those to `leave` stays.

        What is another's at the top stays as well.
        """
        self._sweep("", known, leave)

    def sweep(self, folder: str, known: Collection[str]) -> None:
        """Remove what is not `known` in one folder and below, where all is written now."""
        self._made = {made for made in self._made if not f"{made}/".startswith(folder + "/")}  # else it grows
        if not self.fresh and _is_folder(self._start + folder):
            self._sweep(folder + "/", known, ())

    def _sweep(self, folder: str, known: Collection[str], leave: Collection[str]) -> bool:
        """Sweep a folder (`""` or ending in `/`); tell whether it is empty now."""
        empty = True
        with os.scandir(self._start + folder) as entries:
            listed = list(entries)
        for entry in listed:
            url = folder + entry.name
            if not folder and not _is_ours(entry):
                empty = False
            elif entry.is_dir(follow_symlinks=False):
                if url in leave:
                    empty = False
                elif self._sweep(url + "/", known, leave):
                    os.rmdir(entry.path)
                else:
                    empty = False
            elif url in known and not entry.is_symlink():
                empty = False
            else:
                os.unlink(entry.path)
        return empty


def _is_ours(entry: os.DirEntry[str]) -> bool:
    """Tell whether what lies at the top is of a site, this one or an older one, and no other's."""
    if entry.is_dir(follow_symlinks=False) or entry.name in _FOLDERS:
        return entry.name in _FOLDERS
    return entry.name.removesuffix(_TEMPORARY) in _FILES


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _mark_of(found: os.stat_result) -> int:
    if stat.S_IFMT(found.st_mode) not in _MARKED:
        return 0
    return hash((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)) & 0xFFFFFFFFFFFFFFFF | 1


def _write(path: str, data: bytes) -> int:
    """Write a file; return its mark."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _FLAGS, 0o666)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        return _mark_of(os.fstat(handle))
    finally:
        os.close(handle)


def _holds(path: str, data: bytes) -> bool:
    try:
        found = os.lstat(path)
        if found.st_size != len(data) or not stat.S_ISREG(found.st_mode):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except OSError:
        return False


def prepare(out: Path) -> bool:
    """Make sure that a site may be written to `out`; tell whether it is new or empty.

    UsageProblem: the folder holds anything else.
    """
    if out.exists() and not is_site(out):
        raise UsageProblem(f"{out} holds something that is no site of ours", hint="choose a new or empty folder")
    return not out.exists() or not any(out.iterdir())


def write_site(files: Mapping[str, bytes] | Iterable[tuple[str, bytes]], out: Path) -> int:
    """Make `out` hold exactly these files, which come with the index last; return how many there are.

    Raises UsageProblem when the folder holds anything but a site, EnvironmentProblem when the disk refuses.
    """
    out = out.absolute()
    pairs = files.items() if isinstance(files, Mapping) else files
    known: set[str] = set()
    last: list[tuple[str, bytes]] = []
    with disk_errors(out), opened(out) as folder:
        for url, data in pairs:
            known.add(url)
            if url in ("index.html", INDEX):
                last.append((url, data))
            else:
                folder.put(url, data)
        folder.remove_others(known)
        for url, data in last:
            folder.put(url, data)
    return len(known)


@contextmanager
def opened(out: Path) -> Iterator[SiteFolder]:
    """Hold a folder for a site, alone; waits while another build writes to it.

    A new one says at once that a site is being made there, so that a build that was stopped can be taken up again.
    UsageProblem: the folder holds anything but a site.
    """
    prepare(out)
    out.mkdir(parents=True, exist_ok=True)
    handle = _lock(out)
    try:
        folder = SiteFolder(out, fresh=prepare(out))
        if folder.fresh:
            folder.put(INDEX, b'{"made_by": "medperf-git leaderboard"}\n')
        yield folder
    finally:
        if handle is not None:
            os.close(handle)


def _lock(folder: Path) -> int | None:
    """Lock a folder itself, so that no file of a lock lies in it; the kernel lets go of it, also after a crash.

    None where there is no such lock: on Windows, and on some disks of a network.
    """
    try:
        import fcntl  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


@contextmanager
def disk_errors(out: Path) -> Iterator[None]:
    """Raise EnvironmentProblem for an OSError of the disk."""
    try:
        yield
    except OSError as error:
        raise EnvironmentProblem(
            f"the site could not be written to {out}: {error.strerror}", hint="check free space and permissions"
        ) from error


def is_site(folder: Path) -> bool:
    """Tell whether a folder is empty or holds a site that this program made."""
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        found = (folder / INDEX).stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_INDEX:
            return False
        index = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(index, dict) and index.get("made_by") == "medperf-git leaderboard"
