"""Write many Git objects as packs instead of one file each: what makes a registry of 100 000 results in a minute.

Objects are kept in memory, where libgit2 finds them again, until there are enough; then `git index-pack` checks
and stores them. Nothing is delta-compressed: `git repack` afterwards does it as on any server.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pygit2

_FLUSH_AT = 64 * 1024 * 1024
_PRIORITY = 100  # before libgit2's own backends, so that every write comes here


class PackWriter(pygit2.OdbBackend):
    """Guards the objects that are not in a pack yet."""

    def __init__(self, repository: pygit2.Repository) -> None:
        super().__init__()
        self._folder = Path(repository.path)
        self._held: dict[bytes, tuple[int, bytes]] = {}
        self._size = 0
        repository.odb.add_backend(self, _PRIORITY)

    def flush(self) -> None:
        """Store what is held as one pack."""
        if not self._held:
            return
        command = ["git", "-C", str(self._folder), "index-pack", "--stdin"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            for part in _pack(self._held):
                process.stdin.write(part)
        if process.returncode:
            raise SystemExit("git index-pack refused the pack")
        self._held.clear()
        self._size = 0

    def write_cb(self, oid: pygit2.Oid, data: bytes, kind: int) -> None:
        """Hold an object."""
        if oid.raw not in self._held:
            self._held[oid.raw] = (kind, data)
            self._size += len(data)

    def flush_when_full(self) -> None:
        """Store what is held when it is much; called between commits, never while libgit2 writes."""
        if self._size > _FLUSH_AT:
            self.flush()

    def read_cb(self, oid: pygit2.Oid) -> tuple[int, bytes]:
        """Return a held object; KeyError leads libgit2 to the next backend."""
        return self._held[oid.raw]

    def read_header_cb(self, oid: pygit2.Oid) -> tuple[int, int]:
        """Return kind and size of a held object."""
        kind, data = self._held[oid.raw]
        return kind, len(data)

    def exists_cb(self, oid: pygit2.Oid) -> bool:
        """Tell whether an object is held."""
        return oid.raw in self._held

    def read_prefix_cb(self, prefix: str) -> tuple[int, bytes, pygit2.Oid]:
        """Return a held object by its whole id: pygit2 reads that way; nobody here abbreviates."""
        oid = pygit2.Oid(hex=str(prefix))
        kind, data = self._held[oid.raw]
        return kind, data, oid

    def exists_prefix_cb(self, oid: pygit2.Oid) -> pygit2.Oid:
        """Know no abbreviated ids."""
        raise KeyError(oid)

    def refresh_cb(self) -> None:
        """Do nothing: what is held is always current."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._held)


def _pack(objects: dict[bytes, tuple[int, bytes]]) -> Iterator[bytes]:
    """Yield a pack of version 2 (gitformat-pack(5)): header, whole objects, SHA-1 of all before."""
    digest = hashlib.sha1(usedforsecurity=False)
    for part in (b"PACK" + struct.pack(">II", 2, len(objects)), *map(_entry, objects.values())):
        digest.update(part)
        yield part
    yield digest.digest()


def _entry(held: tuple[int, bytes]) -> bytes:
    kind, data = held
    left = len(data) >> 4
    head = [kind << 4 | len(data) & 15]
    while left:
        head[-1] |= 128
        head.append(left & 127)
        left >>= 7
    return bytes(head) + zlib.compress(data, 1)
