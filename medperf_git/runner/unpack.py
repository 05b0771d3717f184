"""Unpack an archive that somebody else made: plain files and folders with plain names, within caps (T74).

Written here, and not left to `tarfile` filters, which have let files out before (CVE-2025-4517): no link of any kind
is ever made, so no path can lead out of the new folder. What an archive claims of itself is not believed: bytes are
counted as they come, those of headers too, and an archive that grows absurdly is a bomb.
"""

import bz2
import gzip
import io
import lzma
import re
import secrets
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from medperf_git.errors import Refused
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault
from medperf_git.runner.engine import GIB, MIB
from medperf_git.runner.leftovers import remove_leftovers
from medperf_git.runner.shown import shortened
from medperf_git.runner.staging import private_folder
from medperf_git.runner.trees import remove_tree

_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9 ._+=,@()\[\]#%~-]{0,254}")
_PIECE = MIB
_HEADER = 2 * MIB
_DIRECTORY = 48 * MIB
_FAULTS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
           RuntimeError, ValueError)  # fmt: skip
_KINDS = {
    tarfile.SYMTYPE: "is a symbolic link",
    tarfile.LNKTYPE: "is a hard link",
    tarfile.CHRTYPE: "is a device",
    tarfile.BLKTYPE: "is a device",
    tarfile.FIFOTYPE: "is a FIFO",
    tarfile.GNUTYPE_SPARSE: "is a sparse file",
}
_ZIP_KINDS = {stat.S_IFLNK: "is a symbolic link", stat.S_IFIFO: "is a FIFO", stat.S_IFCHR: "is a device",
              stat.S_IFBLK: "is a device"}  # fmt: skip
_PACKERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))


@dataclass(frozen=True, slots=True)
class UnpackCaps:
    """How much is unpacked: entries, bytes in all, levels of folders; and how far it may grow beyond `growth_floor`."""

    entries: int = 200_000
    total_bytes: int = 100 * GIB
    depth: int = 32
    growth: int = 200
    growth_floor: int = 256 * MIB

    def bytes_of(self, archive: Path) -> int:
        """Return how many bytes an archive of that size may become."""
        return min(self.total_bytes, self.growth_floor + self.growth * archive.stat().st_size)


def path_fault(name: str, *, depth: int = UnpackCaps().depth) -> str:
    """Say why a path of an archive is not unpacked; empty when it is."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or any(part == ".." or not _NAME.fullmatch(part) for part in parts):
        return "has a name that is not unpacked"
    return f"lies deeper than {depth} folders" if len(parts) > depth else ""


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry: `fault` says what is wrong with its kind."""

    name: str
    is_folder: bool
    content: IO[bytes] | None
    fault: str = ""


@dataclass(slots=True)
class _Unpacking:
    """One archive on its way into a folder: what is there already, by lower-case path, and how many bytes are left."""

    archive: Path
    root: Path
    caps: UnpackCaps
    left: int
    there: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def take(self, member: _Member) -> None:
        """Write one entry; Refused names it when it is bad."""
        fault = member.fault or path_fault(member.name, depth=self.caps.depth)
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        if not fault and not parts and not member.is_folder:
            fault = "has no name"
        if fault:
            raise self.bad(member.name, fault)
        for end in range(1, len(parts)):
            self._claim(parts[:end], member.name, is_folder=True)
        if parts:
            self._claim(parts, member.name, is_folder=member.is_folder)
        if not member.is_folder and member.content is not None:
            self._write(self.root.joinpath(*parts), member.name, member.content)

    def _claim(self, parts: list[str], name: str, *, is_folder: bool) -> None:
        path = "/".join(parts)
        known = self.there.get(path.lower())
        if known is None:
            if len(self.there) >= self.caps.entries:
                raise self.bad("", f"has more than {self.caps.entries} entries")
            self.there[path.lower()] = (path, is_folder)
            if is_folder:
                (self.root / path).mkdir(mode=0o755)
        elif known[0] != path:
            raise self.bad(name, f"differs from {shortened(known[0])} in nothing but upper and lower case")
        elif not (known[1] and is_folder):
            raise self.bad(name, "stands there twice")

    def _write(self, place: Path, name: str, content: IO[bytes]) -> None:
        with place.open("xb") as file:
            while piece := content.read(_PIECE):
                self.left -= len(piece)
                if self.left < 0:
                    raise self.bad(name, f"makes more than {self.caps.bytes_of(self.archive)} bytes")
                file.write(piece)
        place.chmod(0o644)

    def bad(self, name: str, fault: str) -> Refused:
        """Return the refusal of one entry."""
        said = f"{self.archive.name}: {shortened(name) or 'it'} {fault}"
        return Refused(said, hint="ask its owner to pack plain files and folders")


def is_unpackable(path: str) -> bool:
    """Tell whether a file of that relative path would be unpacked."""
    return all(part != ".." and _NAME.fullmatch(part) for part in path.split("/"))


def unpack(archive: Path, target: Path, *, caps: UnpackCaps = UnpackCaps()) -> Path:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip file into the new folder `target`; Refused names a bad entry."""
    if target.is_dir():
        return target
    private_folder(target.parent)
    remove_leftovers(target.parent)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir(mode=0o755)
    try:
        unpacking = _Unpacking(archive, partial, caps, caps.bytes_of(archive))
        with _members(unpacking) as members:
            for count, member in enumerate(members, start=1):
                if count > caps.entries:
                    raise unpacking.bad("", f"has more than {caps.entries} entries")
                unpacking.take(member)
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


@contextmanager
def _members(unpacking: _Unpacking) -> Iterator[Iterator[_Member]]:
    archive = unpacking.archive
    if zipfile.is_zipfile(archive):
        with closing(_ShortReads(io.FileIO(archive))) as whole, zipfile.ZipFile(whole) as opened:
            yield _zip_members(opened)
        return
    with archive.open("rb") as file:
        magic = file.read(6)
    packer: Any = next((opener for start, opener in _PACKERS if magic.startswith(start)), open)
    with packer(archive, "rb") as plain:
        metered = _Metered(plain, unpacking)
        with tarfile.open(fileobj=metered, mode="r|", ignore_zeros=False) as stream:  # type: ignore[call-overload]  # all it asks of a stream is read()
            yield _tar_members(stream, metered)


class _ShortReads(io.BufferedReader):
    """A zip file, whose list of entries is read whole before any is counted: it may not be large."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        if size is not None and size > _DIRECTORY:
            raise zipfile.BadZipFile(f"its list of entries has {size} bytes")
        return super().read(size)


class _Metered:
    """The unpacked bytes of a tar: how many may come before the next entry is told, since headers are read whole."""

    def __init__(self, file: IO[bytes], unpacking: _Unpacking) -> None:
        self._file = file
        self._unpacking = unpacking
        self.header_left: int | None = _HEADER

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        piece = self._file.read(size)
        if self.header_left is not None:
            self.header_left -= len(piece)
            if self.header_left < 0:
                raise self._unpacking.bad("", f"has a header of more than {_HEADER} bytes")
        return piece


def _tar_members(stream: tarfile.TarFile, metered: _Metered) -> Iterator[_Member]:
    while True:
        metered.header_left = _HEADER
        if (member := stream.next()) is None:
            return
        metered.header_left = None
        stream.members.clear()  # type: ignore[attr-defined]  # else each entry is kept in memory
        content = stream.extractfile(member) if member.isreg() and not member.issparse() else None
        yield _Member(member.name, member.isdir(), content, _tar_fault(member))


def _tar_fault(member: tarfile.TarInfo) -> str:
    if member.issparse():
        return "is a sparse file"
    if member.isdir():
        return ""
    if not member.isreg():
        return _KINDS.get(member.type, "is neither a file nor a folder")
    return "would run with the rights of its owner (setuid)" if member.mode & 0o6000 else ""


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = _ZIP_KINDS.get(kind, "is neither a file nor a folder")
            yield _Member(info.filename, is_folder=False, content=None, fault=fault)
        elif info.is_dir():
            yield _Member(info.filename, is_folder=True, content=None)
        elif mode & 0o6000:
            fault = "would run with the rights of its owner (setuid)"
            yield _Member(info.filename, is_folder=False, content=None, fault=fault)
        else:
            with opened.open(info) as content:
                yield _Member(info.filename, is_folder=False, content=content)
