"""Remember on this machine what was verified, so that it need not be verified again.

An entry is a hash over everything its verdict depends on (path, blob ids, keys); a file of entries belongs to one
version of the checker and of the schemas, and any other is forgotten. It lies outside every repository, is never
taken from one, and is used only when it belongs to this user and nobody else can write it. Losing it costs time.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NewType, Self

import medperf_git
from medperf_git.records.schemas import asset_folder

Entry = NewType("Entry", bytes)

MAX_BYTES = 64 * 1024 * 1024

_MAGIC = b"medperf-git verified 1\n"
_ENTRY = 16
_DIGEST = 32
_HEAD = len(_MAGIC) + 2 * _DIGEST
# The parts of this package that decide what an entry means.
_CHECKERS = ("records", "signing", "registry")


def entry_for(*parts: bytes) -> Entry:
    """Return the entry for a verdict that depends on exactly `parts`."""
    whole = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return Entry(hashlib.blake2b(whole, digest_size=_ENTRY).digest())


class Verified:
    """Guards the entries in one file; without a file (None) they last as long as this object."""

    def __init__(self, path: Path | None = None, entries: Iterable[Entry] = ()) -> None:
        self._path = path
        self._known = set(entries)
        self._fresh: set[Entry] = set()

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read the entries of `path`; a file that is foreign, damaged or of another checker counts as none."""
        return cls(path, _read(path) if path is not None else ())

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._known

    def __len__(self) -> int:
        return len(self._known)

    @property
    def entries(self) -> frozenset[Entry]:
        """All entries."""
        return frozenset(self._known)

    def take_fresh(self) -> frozenset[Entry]:
        """Return what was added since the last time, for another process to keep."""
        fresh = frozenset(self._fresh)
        self._fresh.clear()
        return fresh

    def add(self, *entries: Entry) -> None:
        """Remember entries, in memory until `save`."""
        self._fresh.update(entry for entry in entries if entry not in self._known)
        self._known.update(entries)

    def save(self) -> None:
        """Write the file anew when there is something new; OSError when the disk refuses."""
        if self._path is None or not self._fresh:
            return
        kept = self._known if len(self._known) * _ENTRY <= MAX_BYTES - _HEAD else self._fresh
        _write(self._path, b"".join(sorted(kept)))
        self._fresh.clear()


@cache
def checker_digest() -> bytes:
    """Return the digest of all that decides a verdict: this package's checking code, the schemas, the Python."""
    package = Path(medperf_git.__file__).parent
    files = [file for part in _CHECKERS for file in sorted((package / part).glob("*.py"))]
    files += sorted(asset_folder("schemas").glob("*.json"))
    whole = hashlib.sha256(f"{medperf_git.__version__} {sys.version}".encode())
    for file in files:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.digest()


def _read(path: Path) -> Iterable[Entry]:
    try:
        with path.open("rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return ()
            data = file.read(MAX_BYTES + 1)
    except OSError:
        return ()
    body = data[_HEAD:]
    if data[:_HEAD] != _head(body) or len(data) > MAX_BYTES or len(body) % _ENTRY:
        return ()
    return (Entry(body[start : start + _ENTRY]) for start in range(0, len(body), _ENTRY))


def _head(body: bytes) -> bytes:
    return _MAGIC + checker_digest() + hashlib.sha256(body).digest()


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether a file is this user's own and closed to all others (on Windows the folder's rights decide)."""
    if not stat.S_ISREG(status.st_mode):
        return False
    return sys.platform == "win32" or (status.st_uid == os.geteuid() and not status.st_mode & 0o077)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  (mode)
            file.write(_head(body) + body)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
