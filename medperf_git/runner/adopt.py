"""Folders of a site's own: how they look from outside, and a copy of them that is hashed on the way."""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, Interrupted
from medperf_git.records.digests import Digest
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault, room_for_containers
from medperf_git.runner.manifest import DatasetFile, ManifestEntry, Progress, Role, iter_files
from medperf_git.runner.trees import remove_tree

_PIECE = 1 << 20


def fingerprint(root: Path) -> str:
    """Return a digest of the names, sizes and times below a folder: equal when nothing was touched, cheap to ask.

    It proves nothing against somebody who sets times back; what is registered is hashed byte by byte.
    """
    seen = hashlib.sha256()
    for line in _lines(os.path.realpath(root)):
        seen.update(line)
    return seen.hexdigest()


def copy_in(
    roots: Mapping[Role, Path], target: Path, *, progress: Progress, stop: threading.Event
) -> list[ManifestEntry]:
    """Copy each role's folder to `target`/role, links within it as the files they lead to; return the manifest.

    DiskFull before the first byte when there is no room; Interrupted when told to stop.
    """
    found = [(role, file) for role, root in roots.items() for file in iter_files(root)]
    total, done = sum(file.size for _, file in found), 0
    for role in ("data", "labels", "metadata"):
        remove_tree(target / role)
    if total > (room := room_for_containers(target)):
        raise DiskFull(
            f"the data has {total / 1e9:.1f} GB, and the disk of {target} has room for {room / 1e9:.1f} GB",
            hint="leave the data where it is: repeat with --in-place; or make room on that disk",
        )
    for role in roots:
        (target / role).mkdir(mode=0o755)
    entries = []
    for role, file in found:
        if stop.is_set():
            raise Interrupted("copying was stopped", hint="the same command begins it anew")
        entries.append(_copied(role, file, target / role / file.relative))
        done += entries[-1].size
        progress(done, total)
    return entries


def _copied(role: Role, file: DatasetFile, place: Path) -> ManifestEntry:
    digest, size = hashlib.sha256(), 0
    try:
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with open(file.path, "rb", buffering=0) as source, place.open("xb", buffering=0) as target:  # noqa: PTH123  (the name may be no text)
            while piece := source.read(_PIECE):
                digest.update(piece)
                target.write(piece)
                size += len(piece)
    except OSError as error:
        if is_disk_fault(error):
            raise DiskFull(f"the disk has no room for a copy of the data ({error.strerror})", hint=MAKE_ROOM) from error
        raise EnvironmentProblem(
            f"{file.path} cannot be copied: {error.strerror}", hint="check who may read it, and that its disk is whole"
        ) from error
    place.chmod(0o644)
    return ManifestEntry(role, file.relative, size, Digest("sha256:" + digest.hexdigest()))


def _lines(folder: str) -> Iterator[bytes]:
    """Yield one line for each entry below a folder, in the order of names; what cannot be seen has a line too."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield f"{os.fsencode(folder)!r} {error.errno}\n".encode()
        return
    for entry in entries:
        try:
            status = entry.stat()
        except OSError:
            status = entry.stat(follow_symlinks=False)
        yield f"{os.fsencode(entry.path)!r} {status.st_size} {status.st_mtime_ns}\n".encode()
        if entry.is_dir(follow_symlinks=False):
            yield from _lines(entry.path)
