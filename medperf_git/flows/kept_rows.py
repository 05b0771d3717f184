"""Remember rows of a listing on this machine, so that only folders that changed are read again.

The rows of a folder are kept beside a key of everything they follow from. A file of them belongs to one version of
this program and carries its own digest; one that is damaged or of another version counts as absent. Losing it costs
time, and so does a disk that refuses it.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeAlias

from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.home import write_file
from medperf_git.registry.cache import checker_digest

Cells: TypeAlias = list[str]

MAX_BYTES = 64 * 1024 * 1024


class KeptRows:
    """Guards the rows in one file; each row is a list of texts, whose meaning is its user's."""

    def __init__(self, path: Path, *, edition: bytes, kept: dict[str, tuple[str, list[Cells]]]) -> None:
        self._path = path
        self._edition = edition
        self._kept = kept
        self._fresh = False

    @classmethod
    def load(cls, path: Path, *, code: Path) -> Self:
        """Read what was kept at `path` by the program that this is; `code` is the module that makes the rows."""
        own = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in (code, Path(__file__)))
        edition = checker_digest() + own
        return cls(path, edition=edition, kept=_read(path, edition))

    def find(self, folder: str, key: str) -> list[Cells] | None:
        """Return the rows of a folder that were kept under the same key, None when there are none."""
        known = self._kept.get(folder)
        return known[1] if known is not None and known[0] == key else None

    def keep(self, folder: str, key: str, rows: list[Cells]) -> None:
        """Remember the rows of a folder, in memory until `save`, in place of those it had."""
        self._kept[folder] = (key, rows)
        self._fresh = True

    def save(self) -> None:
        """Write the file anew when there is something new in it; what is too large, or refused, is not kept."""
        if not self._fresh:
            return
        body = json.dumps(self._kept, ensure_ascii=False, separators=(",", ":")).encode()
        if len(body) <= MAX_BYTES:
            with suppress(EnvironmentProblem):
                write_file(self._path, _digest(self._edition, body) + body)
        self._fresh = False


def _read(path: Path, edition: bytes) -> dict[str, tuple[str, list[Cells]]]:
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    size = hashlib.sha256().digest_size
    head, body = data[:size], data[size:]
    if head != _digest(edition, body):
        return {}
    kept: dict[str, tuple[str, list[Cells]]] = json.loads(body)
    return kept


def _digest(edition: bytes, body: bytes) -> bytes:
    return hashlib.sha256(edition + body).digest()
