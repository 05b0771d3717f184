"""A prepared dataset as one file, to be carried to another machine of the same site: written and read byte by byte.

A plain tar: a head that says what follows, what is known about the dataset, its manifest, then every file of it. Each
file is hashed while it is packed, and again after it was unpacked. Nothing is overwritten; a file or folder is whole
or not there.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import Digest, is_digest
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault, room_for_containers
from medperf_git.runner.durable import sync_folder
from medperf_git.runner.manifest import ManifestEntry, Progress, Role, digest_of_entries, manifest_of
from medperf_git.runner.preparation import MANIFEST, read_manifest
from medperf_git.runner.tar_headers import BoundedTarInfo
from medperf_git.runner.unpack import UnpackCaps, is_unpackable, unpack

HEAD = "medperf-git-dataset.json"
FORMAT = 1
ROLES: tuple[Role, ...] = ("data", "labels", "metadata")
_MOST_HEAD = 1 << 16
_BESIDES = 64 << 20  # bytes of what is known about a dataset, and of the headers
_WRONG = "export it again where it was prepared: medperf-git dataset export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an archive says of itself: the folder it came from, content digest, number of files, their bytes."""

    folder: str
    content: Digest
    files: int
    total_bytes: int

    def as_bytes(self) -> bytes:
        """Return the head as it stands in the archive."""
        value = {"format": FORMAT, "folder": self.folder, "content": self.content, "files": self.files}
        return json.dumps(value | {"bytes": self.total_bytes}, sort_keys=True, indent=1).encode() + b"\n"


def pack(
    target: Path,
    head: Head,
    *,
    known: Mapping[str, bytes],
    roots: Mapping[Role, Path],
    entries: Iterable[ManifestEntry],
    progress: Progress,
) -> Path:
    """Write the archive `target`, which must not exist; IntegrityBroken when a file is not what its manifest says."""
    listed = sorted(entries)
    if odd := next((entry.path for entry in listed if not is_unpackable(entry.path)), None):
        raise Refused(
            f"{odd} has a name that no archive carries", hint="only plain names travel; copy the folder itself"
        )
    if target.exists():
        raise Refused(f"{target} exists already", hint="name another file; nothing is overwritten")
    needed, free = head.total_bytes + _BESIDES, room_for_containers(target.parent)
    if needed > free:
        raise DiskFull(f"{target.parent} has room for {free / 1e9:.1f} GB, and the dataset has {needed / 1e9:.1f} GB",
                       hint=MAKE_ROOM)  # fmt: skip
    partial = target.with_name(f".{target.name}.partial")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            _write(file, head, known=known, roots=roots, entries=listed, progress=progress)
            file.flush()
            os.fsync(file.fileno())
        _put(partial, target)
    except OSError as error:
        if is_disk_fault(error):
            raise DiskFull(f"{target} cannot be written: {error.strerror}", hint=MAKE_ROOM) from error
        raise EnvironmentProblem(f"{target} cannot be written: {error}", hint="look at who may write there") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def read_head(archive: Path) -> Head:
    """Return what an archive says of itself; Refused when it is none of ours."""
    try:
        with tarfile.open(archive, mode="r|", tarinfo=BoundedTarInfo) as stream:
            first = stream.next()
            if first is None or first.name != HEAD or not first.isreg() or first.size > _MOST_HEAD:
                raise _no_archive(archive)
            content = stream.extractfile(first)
            value = json.loads(content.read(_MOST_HEAD)) if content else None
        return _head_from(value)
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise _no_archive(archive) from error
    except OSError as error:
        raise EnvironmentProblem(f"{archive} cannot be read: {error.strerror}", hint="check the path") from error


def unpack_dataset(archive: Path, target: Path, *, head: Head, expected: Iterable[str], progress: Progress) -> Path:
    """Unpack an archive into the new folder `target` and compare every byte with its manifest and its head."""
    room = room_for_containers(target.parent)
    if head.total_bytes + _BESIDES > room:
        raise DiskFull(
            f"{target.parent} has room for {room / 1e9:.1f} GB, and the dataset has {head.total_bytes / 1e9:.1f} GB",
            hint=MAKE_ROOM,
        )
    caps = UnpackCaps(entries=3 * head.files + 10_000, total_bytes=head.total_bytes + _BESIDES)
    folder = unpack(archive, target, caps=caps)
    allowed = {HEAD, MANIFEST, *ROLES, *expected}
    if strange := sorted(entry.name for entry in folder.iterdir() if entry.name not in allowed):
        raise Refused(f"{archive.name} holds {strange[0]}, which is no part of a dataset", hint=_WRONG)
    entries = read_manifest(folder)
    if entries is None or digest_of_entries(entries) != head.content:
        raise _damaged(archive, "its manifest is not the one of its content digest")
    roots = {role: folder / role for role in ROLES if (folder / role).is_dir()}
    if not roots or digest_of_entries(manifest_of(roots, progress=progress)) != head.content:
        raise _damaged(archive, "its files are not those of its manifest")
    return folder


def _write(
    file: IO[bytes],
    head: Head,
    *,
    known: Mapping[str, bytes],
    roots: Mapping[Role, Path],
    entries: list[ManifestEntry],
    progress: Progress,
) -> None:
    done = 0
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {HEAD: head.as_bytes(), **known}.items():
            archive.addfile(_member(name, len(data)), io.BytesIO(data))
        for role in roots:
            folder = _member(role, 0)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for entry in entries:
            with _opened(roots[entry.role] / entry.path) as source:  # type: ignore[index]  # a manifest names roles
                if source.size != entry.size:
                    raise _changed(entry)
                archive.addfile(_member(f"{entry.role}/{entry.path}", entry.size), source)
            if source.digest() != entry.digest:
                raise _changed(entry)
            done += entry.size
            progress(done, head.total_bytes)


class _Hashing(io.FileIO):
    """A file that is hashed while it is read once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._sha = hashlib.sha256()
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(-1 if size is None else size) or b""
        self._sha.update(piece)
        return piece

    def digest(self) -> Digest:
        return Digest("sha256:" + self._sha.hexdigest())


def _opened(path: Path) -> _Hashing:
    try:
        return _Hashing(path)
    except OSError as error:
        hint = "nothing was written; check the path, who may read it, and that its disk is mounted"
        raise EnvironmentProblem(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _put(partial: Path, target: Path) -> None:
    """Give a whole file its name; one that came into being meanwhile is not overwritten."""
    try:
        os.link(partial, target)
    except FileExistsError as error:
        raise Refused(f"{target} exists already", hint="name another file; nothing is overwritten") from error
    except OSError:  # a disk without hard links
        partial.rename(target)
    with suppress(OSError):
        sync_folder(target.parent)


def _head_from(value: Any) -> Head:
    if value["format"] != FORMAT:
        raise ValueError(f"format {value['format']}")
    head = Head(
        folder=str(value["folder"]), content=Digest(value["content"]), files=value["files"], total_bytes=value["bytes"]
    )
    counts = (head.files, head.total_bytes)
    if not is_digest(head.content) or any(type(count) is not int or count < 0 for count in counts):
        raise ValueError("no head")
    return head


def _no_archive(archive: Path) -> Refused:
    return Refused(f"{archive} is no dataset that was exported by medperf-git", hint=_WRONG)


def _damaged(archive: Path, fault: str) -> IntegrityBroken:
    return IntegrityBroken(f"{archive} is damaged: {fault}", hint=f"nothing was kept; carry it anew, or {_WRONG}")


def _changed(entry: ManifestEntry) -> IntegrityBroken:
    return IntegrityBroken(
        f"{entry.role}/{entry.path} is not what it was when the dataset was prepared",
        hint="nothing was written; `medperf-git dataset verify` names every file that has changed",
    )
