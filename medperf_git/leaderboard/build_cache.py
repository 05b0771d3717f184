"""What the last build of a site read and wrote, kept on this machine so that the next one does only what changed.

Rules kept here: the file is one that this user's key has sealed, of this very program, and of exactly this shape;
anything else counts as none. Losing it costs time. It never lies in the site, and nothing of it is a page: it tells
which columns are as they were, what their arrays hold, and which files on disk are those that were written.
"""

import hashlib
import json
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import medperf_git
from medperf_git.errors import EnvironmentProblem
from medperf_git.leaderboard.columns import FACTS, Column
from medperf_git.records.names import Ref
from medperf_git.records.schemas import asset_folder

MAX_BYTES = 2 * 1024**3

_MAGIC = b"medperf-git site 2\n"
_SEAL = 32
_SIZE = 8
# Of a column with `rows` chains, `links` records and `wide` metrics: field, type, shape.
_ARRAYS: tuple[tuple[str, str, tuple[str | int, ...]], ...] = (
    ("numbers", "<i2", ("links",)),
    ("outcome", "i1", ("rows",)),
    ("state", "i1", ("rows",)),
    ("reason", "<i4", ("rows",)),
    ("facts", "<i4", ("rows", len(FACTS))),
    ("digest", "u1", ("rows", 32)),
    ("value", "<f8", ("rows", "wide")),
    ("sd", "<f8", ("rows", "wide")),
    ("counts", "<i8", ("rows", "wide", 3)),
    ("pooled", "<i4", ("rows", "wide")),
    ("given", "?", ("rows", "wide")),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """One column, all that it depends on, and the files made of it.

    `marks` tell how each lay on disk when it was written, and after them the folders that hold its pages.
    """

    column: Column
    rests_on: tuple[str, ...]
    files: tuple[str, ...]
    marks: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class LastBuild:
    """Which folder was written, all its columns by their folders, and the id of everything that they depend on.

    `whole` tells of what the site is, commit and all; `rest` are the marks of the files that no column has.
    """

    out: str
    columns: Mapping[str, Kept]
    ids: Mapping[str, bytes]
    whole: str = ""
    rest: Mapping[str, int] = field(default_factory=dict)


NOTHING = LastBuild("", {}, {})


class BuildCache:
    """Guards the one file; `key` are 32 secret bytes of this user, `edition` tells this program from every other."""

    def __init__(self, path: Path, *, key: bytes, edition: bytes) -> None:
        self._path, self._key, self._edition = path, key, edition

    def load(self) -> LastBuild:
        """Return what is kept; nothing when the file is absent, damaged, foreign or of another program."""
        try:
            status = self._path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return NOTHING
            data = self._path.read_bytes()
        except OSError:
            return NOTHING
        head = len(_MAGIC) + _SEAL
        body = memoryview(data)[head:]
        if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : head] != self._seal(body):
            return NOTHING
        try:
            return _decode(body)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return NOTHING

    def save(self, build: LastBuild) -> None:
        """Write the file anew, for its owner alone; EnvironmentProblem when the disk refuses."""
        fresh = self._path.with_name(self._path.name + ".new")
        seal = self._begun()
        with self._disk():
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600, exist_ok=False)
            with fresh.open("wb") as file:
                file.write(_MAGIC + bytes(_SEAL))
                for part in _iter_encoded(build):
                    seal.update(part)
                    file.write(part)
                file.seek(len(_MAGIC))
                file.write(seal.digest())
            fresh.replace(self._path)

    def forget(self) -> None:
        """Remove the file: what is on disk is about to change; EnvironmentProblem when the disk refuses."""
        with self._disk():
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentProblem(
                f"what was built cannot be remembered in {self._path}: {error.strerror}",
                hint="see who may write there, choose another folder with --cache, or say --no-cache",
            ) from error

    def _begun(self) -> "hashlib.blake2b":
        return hashlib.blake2b(self._edition, key=self._key, digest_size=_SEAL)

    def _seal(self, body: bytes | memoryview) -> bytes:
        seal = self._begun()
        seal.update(body)
        return seal.digest()


@cache
def edition() -> bytes:
    """Return the digest of all that decides the bytes of a site: the code and templates, the libraries, the Python."""
    package = Path(medperf_git.__file__).parent
    files = [file for part in ("leaderboard", "records") for file in sorted((package / part).rglob("*"))]
    files += [package / "registry" / "snapshot.py", *sorted(asset_folder("schemas").glob("*.json"))]
    libraries = " ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "jinja2", "markupsafe", "cattrs"))
    whole = hashlib.sha256(f"{medperf_git.__version__} {sys.version} {libraries}".encode())
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.digest()


def _iter_encoded(build: LastBuild) -> Iterator[bytes]:
    """Yield the body of the file part by part: a head, then the lists of all columns, then their arrays."""
    words: dict[str, int] = {}
    names = list(build.ids)
    at = {name: place for place, name in enumerate(names)}
    heads: list[dict[str, Any]] = []
    lists: list[bytes] = []
    for kept in build.columns.values():
        column = kept.column
        texts = [_indices(words, column.texts), _indices(words, map(str, column.models))]
        parts = [*texts, np.diff(column.offsets).astype("<i4"), np.array([at[one] for one in kept.rests_on], "<i4")]
        lists += [np.ascontiguousarray(part).tobytes() for part in parts]
        lists.append(kept.marks.astype("<u8").tobytes())
        heads.append(
            {
                "folder": column.folder,
                "dataset": str(column.dataset),
                "metrics": column.metrics,
                "newest": column.newest,
                "broken": column.broken,
                "strays": column.strays,
                "links": len(column.numbers),
                "sizes": [*map(len, parts), len(kept.marks)],
                "files": kept.files,
            }
        )
    ids = [build.ids[name].hex() for name in names]
    about = {"out": build.out, "whole": build.whole, "rest": dict(build.rest)}
    head = json.dumps({**about, "names": names, "ids": ids, "words": list(words), "columns": heads}).encode()
    yield len(head).to_bytes(_SIZE, "big") + head
    yield from lists
    for kept in build.columns.values():
        for name, kind, _ in _ARRAYS:
            yield np.ascontiguousarray(getattr(kept.column, name), kind).tobytes()


def _indices(words: dict[str, int], texts: Iterable[str]) -> NDArray[np.int32]:
    return np.array([words.setdefault(text, len(words)) for text in texts], "<i4")


class _Reader:
    """Takes arrays from bytes, one after the other; ValueError when they end too soon."""

    def __init__(self, data: memoryview, position: int) -> None:
        self.data, self.position = data, position

    def take(self, kind: str, shape: Sequence[int]) -> NDArray[Any]:
        number = int(np.prod(shape, dtype=np.int64))
        if number < 0:
            raise ValueError
        found = np.frombuffer(self.data, kind, number, self.position)
        self.position += found.nbytes
        return found.reshape(shape)


def _decode(body: memoryview) -> LastBuild:
    size = int.from_bytes(body[:_SIZE], "big")
    head = json.loads(bytes(body[_SIZE : _SIZE + size]))
    reader = _Reader(body, _SIZE + size)
    names, words = head["names"], head["words"]
    refs: dict[int, Ref] = {}
    lists = [[reader.take("<i4", (length,)) for length in one["sizes"][:4]] + [reader.take("<u8", (one["sizes"][4],))]
             for one in head["columns"]]  # fmt: skip
    columns: dict[str, Kept] = {}
    for one, (texts, models, lengths, rests_on, marks) in zip(head["columns"], lists, strict=True):
        sizes = {"rows": len(models), "links": one["links"], "wide": len(one["metrics"])}
        arrays = {
            name: reader.take(kind, [sizes[part] if isinstance(part, str) else part for part in shape])
            for name, kind, shape in _ARRAYS
        }
        for model in models.tolist():
            if model not in refs:
                refs[model] = Ref.parse(words[model])
        column = Column(
            folder=one["folder"],
            dataset=Ref.parse(one["dataset"]),
            metrics=tuple(one["metrics"]),
            models=tuple(refs[model] for model in models.tolist()),
            texts=tuple(words[text] for text in texts.tolist()),
            offsets=np.concatenate(([0], np.cumsum(lengths))).astype(np.int32),
            newest=one["newest"],
            broken=tuple((path, why) for path, why in one["broken"]),
            strays=tuple(one["strays"]),
            **arrays,
        )
        rests = tuple(names[place] for place in rests_on.tolist())
        columns[column.folder] = Kept(column, rests, tuple(one["files"]), marks)
    ids = {name: bytes.fromhex(text) for name, text in zip(names, head["ids"], strict=True)}
    return LastBuild(head["out"], columns, ids, head["whole"], dict(head["rest"].items()))
