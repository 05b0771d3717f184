"""What identifies a dataset: its content digest (`mgds-v1`), a salted commitment to it, and MedPerf's own hash.

`mgds-v1` is the SHA-256 over the sorted lines `role NUL relative path NUL size NUL sha256 LF` of every regular file;
role is data, labels or metadata. Links inside the tree are read through; one that leaves it is refused.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import Digest, bare_hex, is_digest
from medperf_git.runner.hashing import NoFile, hash_file, hash_files

Role = Literal["data", "labels", "metadata"]
Progress = Callable[[int, int], None]

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


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """A file that belongs to a dataset: where it is read, its path within its role's folder, its size when listed."""

    path: str
    relative: str
    size: int


def content_digest(roots: Mapping[Role, Path], *, progress: Progress | None = None) -> Digest:
    """Return the `mgds-v1` digest of the folders; `progress(bytes done, bytes in all)` is called along the way."""
    return digest_of_entries(manifest_of(roots, progress=progress))


def digest_of_entries(entries: Iterable[ManifestEntry]) -> Digest:
    """Return the `mgds-v1` digest of a manifest."""
    total = hashlib.sha256()
    for line in sorted(entry.line() for entry in entries):
        total.update(line)
    return Digest("sha256:" + total.hexdigest())


def parse_manifest(data: bytes) -> tuple[ManifestEntry, ...]:
    """Read the sorted lines of a manifest; ValueError when it is none."""
    entries = []
    *lines, last = data.split(b"\n")
    if last:
        raise ValueError("the last line of a manifest is torn")
    for line in lines:
        role, path, size, digest = line.split(b"\0")
        entry = ManifestEntry(os.fsdecode(role), os.fsdecode(path), int(size), Digest(f"sha256:{digest.decode()}"))
        if entry.line() != line + b"\n" or not is_digest(entry.digest) or entry.size < 0:
            raise ValueError(f"no line of a manifest: {line[:80]!r}")
        entries.append(entry)
    return tuple(entries)


def manifest_of(roots: Mapping[Role, Path], *, progress: Progress | None = None) -> tuple[ManifestEntry, ...]:
    """Read every file of the folders; Refused for a link that leaves them and for anything that is no file."""
    found = [(role, file) for role, root in roots.items() for file in iter_files(root)]
    hashed = _hashed_all([file for _, file in found], progress)
    return tuple(
        sorted(
            ManifestEntry(role, file.relative, size, digest)
            for (role, file), (size, digest) in zip(found, hashed, strict=True)
        )
    )


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


def medperf_hash(folders: Iterable[Path], *, progress: Progress | None = None) -> str:
    """Return MedPerf's hash of folders: SHA-256 of the sorted hexadecimal SHA-256 of all files, names left out."""
    found = [file for folder in folders for file in iter_files(folder)]
    digests = sorted(bare_hex(digest) for _, digest in _hashed_all(found, progress))
    return hashlib.sha256("".join(digests).encode("ascii")).hexdigest()


def hashed_file(path: Path) -> tuple[int, Digest]:
    """Return size in bytes and digest of one regular file."""
    try:
        size, digest = hash_file(os.fspath(path))
    except NoFile as error:
        raise _unfit(path, "is no regular file") from error
    return size, Digest("sha256:" + digest.hex())


def iter_files(root: Path) -> Iterator[DatasetFile]:
    """Yield every file of a folder, in the order of names; Refused for what is no file or leaves the folder."""
    if not root.is_dir():
        raise Refused(f"there is no folder {root}", hint="check the path, and that the disk is mounted")
    real = os.path.realpath(root)
    yield from _below(real, real, "", root.stat().st_dev)


def _hashed_all(files: list[DatasetFile], progress: Progress | None) -> list[tuple[int, Digest]]:
    total, done = sum(file.size for file in files), 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, max(total, done))

    try:
        hashed = hash_files([file.path for file in files], [file.size for file in files], told if progress else None)
    except NoFile as error:
        raise _unfit(str(error).removesuffix(" is no regular file"), "is no regular file") from error
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        hint = "check who may read it, that the disk is mounted and whole, and that nothing else changes the dataset"
        raise EnvironmentProblem(
            f"a file of the dataset cannot be read ({error.strerror}){where}", hint=hint
        ) from error
    return [(size, Digest("sha256:" + digest.hex())) for size, digest in hashed]


def _below(folder: str, root: str, prefix: str, device: int) -> Iterator[DatasetFile]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
    for entry in entries:
        relative = prefix + entry.name
        if "\n" in entry.name:
            raise _unfit(entry.path, "has a line break in its name")
        if entry.is_symlink():
            yield _through_link(entry.path, root, relative)
        elif entry.is_dir(follow_symlinks=False):
            if entry.stat(follow_symlinks=False).st_dev != device:
                raise _unfit(entry.path, "lies on another file system, which containers would not see")
            yield from _below(entry.path, root, f"{relative}/", device)
        else:
            yield DatasetFile(entry.path, relative, entry.stat(follow_symlinks=False).st_size)


def _through_link(path: str, root: str, relative: str) -> DatasetFile:
    try:
        target = Path(path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise _unfit(path, "is a link that leads nowhere") from error
    if not target.is_relative_to(root):
        raise _unfit(path, "is a link that leaves the dataset")
    if target.is_dir():
        raise _unfit(path, "is a link to a folder")
    return DatasetFile(str(target), relative, target.stat().st_size)


def _unfit(path: str | Path, fault: str) -> Refused:
    hint = "copy the file itself into the dataset, or remove the entry"
    return Refused(f"{path} {fault}", hint=hint)
