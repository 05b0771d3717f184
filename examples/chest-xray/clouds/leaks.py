"""Look for what belongs to patients in places where it must not be: names of cases, and pieces of raw files."""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PIECE = 48  # bytes out of the middle of each raw file
_CASE = re.compile(rb"[A-Za-z_]*[0-9]{4,}")  # patient64541; not view1_frontal, which every hospital has


@dataclass(frozen=True)
class Secrets:
    """What must not be found: names of cases, and a piece of each file."""

    cases: frozenset[bytes]
    pieces: frozenset[bytes]

    @classmethod
    def of(cls, raw: Path) -> "Secrets":
        """Collect the names and the pieces of everything below a folder of raw data."""
        files = [path for path in sorted(raw.rglob("*")) if path.is_file()]
        names = {part.encode() for path in files for part in path.relative_to(raw).parts}
        tables = {cell for path in files if path.suffix == ".csv" for cell in re.split(rb"[,/\r\n]", path.read_bytes())}
        cases = {found[0] for name in names | tables if (found := _CASE.match(name)) and len(found[0]) >= 8}
        return cls(frozenset(cases), frozenset(piece for path in files if (piece := _piece(path.read_bytes()))))

    def found_in(self, contents: Iterable[bytes]) -> list[bytes]:
        """Return what of it occurs in any of these contents."""
        wanted, left = set(), self.cases | self.pieces
        for content in contents:
            wanted |= {secret for secret in left if secret in content}
        return sorted(wanted)


def objects_of(repository: Path) -> list[bytes]:
    """Return the content of every object of a repository, whether anything leads to it or not; names in trees too."""
    every = ["git", "-c", "safe.directory=*", "--git-dir", repository, "cat-file", "--batch-all-objects", "--batch"]
    return [subprocess.run(every, capture_output=True, check=True).stdout]


def files_of(folder: Path) -> Iterable[bytes]:
    """Yield the content and the name of every file below a folder."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)).encode()
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()


def _piece(content: bytes) -> bytes:
    """Return a piece out of the middle of a file that is long enough and not all the same."""
    start = len(content) // 2
    piece = content[start : start + PIECE]
    return piece if len(piece) == PIECE and len(set(piece)) > 8 else b""
