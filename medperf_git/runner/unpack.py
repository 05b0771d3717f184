"""Unpack an archive that somebody else made: plain files and folders with plain names, within caps (T74).

Written here, and not left to `tarfile` filters, which have let files out before (CVE-2025-4517).
"""

import lzma
import re
import secrets
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from medperf_git.errors import Refused
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault
from medperf_git.runner.engine import GIB
from medperf_git.runner.leftovers import remove_leftovers
from medperf_git.runner.staging import private_folder
from medperf_git.runner.trees import remove_tree

_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9 ._+=,@()\[\]#%~-]{0,254}")
_PIECE = 1 << 20
_FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
           RuntimeError, ValueError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnpackCaps:
    """How much is unpacked: entries, bytes in all, levels of folders."""

    entries: int = 200_000
    total_bytes: int = 100 * GIB
    depth: int = 32


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    is_folder: bool
    content: IO[bytes] | None


def unpack(archive: Path, target: Path, *, caps: UnpackCaps = UnpackCaps()) -> Path:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip file into the new folder `target`; Refused names a bad entry."""
    if target.is_dir():
        return target
    private_folder(target.parent)
    remove_leftovers(target.parent)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir(mode=0o755)
    try:
        left = caps.total_bytes
        with _members(archive) as members:
            for count, member in enumerate(members, start=1):
                if count > caps.entries:
                    raise _bad(archive, "", f"has more than {caps.entries} entries")
                left = _write(partial, member, archive, caps=caps, left=left)
    except _FAULTS as error:
        remove_tree(partial)
        if is_disk_fault(error):
            raise DiskFull(f"the disk has no room to unpack {archive.name}", hint=MAKE_ROOM) from error
        raise Refused(f"{archive.name} cannot be unpacked: {error}", hint="ask its owner to pack it anew") from error
    except BaseException:
        remove_tree(partial)
        raise
    try:
        partial.rename(target)
    except OSError:
        remove_tree(partial)
        if not target.is_dir():  # else another process unpacked the same
            raise
    return target


def _write(root: Path, member: _Member, archive: Path, *, caps: UnpackCaps, left: int) -> int:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if member.name.startswith("/") or any(part == ".." or not _NAME.fullmatch(part) for part in parts):
        raise _bad(archive, member.name, "has a name that is not unpacked")
    if len(parts) > caps.depth:
        raise _bad(archive, member.name, f"lies deeper than {caps.depth} folders")
    place = root.joinpath(*parts)
    if member.is_folder:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        return left
    if member.content is None or not parts:
        raise _bad(archive, member.name, "is neither a file nor a folder")
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with place.open("xb") as file:
        while piece := member.content.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise _bad(archive, member.name, f"makes more than {caps.total_bytes} bytes")
            file.write(piece)
    place.chmod(0o644)
    return left


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(opened)
    else:
        with tarfile.open(archive, mode="r|*") as stream:
            yield _tar_members(stream)


def _tar_members(stream: tarfile.TarFile) -> Iterator[_Member]:
    for member in stream:
        plain = member.isreg() and not member.issparse()
        yield _Member(member.name, member.isdir(), stream.extractfile(member) if plain else None)


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        if info.is_dir():
            yield _Member(info.filename, is_folder=True, content=None)
        elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            yield _Member(info.filename, is_folder=False, content=None)
        else:
            with opened.open(info) as content:
                yield _Member(info.filename, is_folder=False, content=content)


def _bad(archive: Path, name: str, fault: str) -> Refused:
    shown = "".join(c if c.isascii() and c.isprintable() else f"\\x{ord(c):02x}" for c in name[:200])
    return Refused(f"{archive.name}: {shown or 'it'} {fault}", hint="ask its owner to pack plain files and folders")
