"""What identifies a dataset: its content digest (`mgds-v1`), a salted commitment to it, and MedPerf's own hash.

`mgds-v1` is the SHA-256 over the sorted lines `role NUL relative path NUL size NUL sha256 LF` of every regular file;
role is data, labels or metadata. Links inside the tree are read through; one that leaves it is refused.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import Digest, bare_hex

Role = Literal["data", "labels", "metadata"]
Progress = Callable[[int, int], None]

_PIECE = 1 << 20
_SALT_TEXT = b"medperf-git mgds-v1-salted\0"


@dataclass(frozen=True, slots=True, order=True)
class ManifestEntry:
    """One file of a dataset: its role, path relative to the role's folder, bytes, SHA-256."""

    role: str
    path: str
    size: int
    digest: Digest

    def line(self) -> bytes:
        """Return the entry's line of the manifest."""
        fields = self.role, self.path, str(self.size), bare_hex(self.digest)
        return b"\0".join(os.fsencode(field) for field in fields) + b"\n"


def content_digest(roots: Mapping[Role, Path], *, progress: Progress | None = None) -> Digest:
    """Return the `mgds-v1` digest of the folders; `progress(bytes done, bytes in all)` is called along the way."""
    return digest_of_entries(manifest_of(roots, progress=progress))


def digest_of_entries(entries: Iterable[ManifestEntry]) -> Digest:
    """Return the `mgds-v1` digest of a manifest."""
    total = hashlib.sha256()
    for line in sorted(entry.line() for entry in entries):
        total.update(line)
    return Digest("sha256:" + total.hexdigest())


def manifest_of(roots: Mapping[Role, Path], *, progress: Progress | None = None) -> tuple[ManifestEntry, ...]:
    """Read every file of the folders; Refused for a link that leaves them and for anything that is no file."""
    found = [(role, path, relative) for role, root in roots.items() for path, relative in _files(root)]
    total, done = sum(path.stat().st_size for _, path, _ in found), 0
    entries = []
    for role, path, relative in found:
        size, digest = _hashed(path)
        entries.append(ManifestEntry(role, relative, size, digest))
        done += size
        if progress:
            progress(done, total)
    return tuple(sorted(entries))


def verify_content(
    roots: Mapping[Role, Path], expected: Digest, *, moment: str, progress: Progress | None = None
) -> None:
    """Raise IntegrityBroken when the folders are not what was registered; `moment` says when it was looked at."""
    if (found := content_digest(roots, progress=progress)) != expected:
        raise IntegrityBroken(
            f"the dataset's files have changed ({moment}): expected {expected[:19]}…, found {found[:19]}…",
            hint="restore the files from your backup, or register the changed data as a new version",
        )


def commitment(digest: Digest, salt: bytes) -> Digest:
    """Return the salted commitment to a content digest: HMAC-SHA-256 with the salt, which stays at the site (T64)."""
    if len(salt) < 32:
        raise ValueError("a salt has at least 32 bytes")
    return Digest("sha256:" + hmac.new(salt, _SALT_TEXT + bytes.fromhex(bare_hex(digest)), hashlib.sha256).hexdigest())


def medperf_hash(folders: Iterable[Path]) -> str:
    """Return MedPerf's hash of folders: SHA-256 of the sorted hexadecimal SHA-256 of all files, names left out."""
    digests = sorted(bare_hex(_hashed(path)[1]) for folder in folders for path, _ in _files(folder))
    return hashlib.sha256("".join(digests).encode("ascii")).hexdigest()


def hashed_file(path: Path) -> tuple[int, Digest]:
    """Return size in bytes and digest of one regular file."""
    return _hashed(path)


def _hashed(path: Path) -> tuple[int, Digest]:
    digest = hashlib.sha256()
    size = 0
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unfit(path, "is no regular file")
        while piece := file.read(_PIECE):
            size += len(piece)
            digest.update(piece)
    return size, Digest("sha256:" + digest.hexdigest())


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    if not root.is_dir():
        raise Refused(f"there is no folder {root}", hint="check the path, and that the disk is mounted")
    real = root.resolve()
    yield from _below(real, real, "", root.stat().st_dev)


def _below(folder: Path, root: Path, prefix: str, device: int) -> Iterator[tuple[Path, str]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        path, relative = Path(entry.path), f"{prefix}{entry.name}"
        if "\n" in entry.name:
            raise _unfit(path, "has a line break in its name")
        if entry.is_symlink():
            yield from _through_link(path, root, relative)
        elif entry.is_dir(follow_symlinks=False):
            if entry.stat(follow_symlinks=False).st_dev != device:
                raise _unfit(path, "lies on another file system, which containers would not see")
            yield from _below(path, root, f"{relative}/", device)
        else:
            yield path, relative


def _through_link(path: Path, root: Path, relative: str) -> Iterator[tuple[Path, str]]:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise _unfit(path, "is a link that leads nowhere") from error
    if not target.is_relative_to(root):
        raise _unfit(path, "is a link that leaves the dataset")
    if target.is_dir():
        raise _unfit(path, "is a link to a folder")
    yield target, relative


def _unfit(path: Path, fault: str) -> Refused:
    return Refused(f"{path} {fault}", hint="copy the file itself into the dataset, or remove the entry")
