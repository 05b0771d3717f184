"""Image archives (`docker save`): which image they hold, and the same archive without anybody's tags.

The id is computed from the bytes, never believed. What is handed to the engine bears no name at all, so that
loading it can neither move a tag nor make one (T16).
"""

import gzip
import hashlib
import io
import json
import queue
import re
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import Digest
from medperf_git.records.json_bounds import bounds_fault

_MAX_JSON = 4 * 1024 * 1024
_MAX_DEPTH, _MAX_NODES = 50, 200_000
_CONFIG = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_NAMES = frozenset({"repositories"})


def ids_in_archive(path: Path) -> tuple[Digest, ...]:
    """Return the image id, and the manifest digests by which newer engines know it; one image only is accepted."""
    with _opened(path) as archive:
        manifest = _json_member(archive, "manifest.json", path)
        if not isinstance(manifest, list) or len(manifest) != 1 or not isinstance(manifest[0], dict):
            raise Refused(f"{path.name} does not hold exactly one image", hint="save one image: docker save IMAGE")
        name = str(manifest[0].get("Config"))
        if not _CONFIG.fullmatch(name):
            raise Refused(f"{path.name} names no image configuration", hint="make the archive with: docker save IMAGE")
        image_id = Digest("sha256:" + hashlib.sha256(_bytes_of(archive, name, path)).hexdigest())
        if _CONFIG.fullmatch(name).group(1) != image_id.removeprefix("sha256:"):  # type: ignore[union-attr]  # matched
            raise IntegrityBroken(
                f"{path.name}: the image configuration is not what its name promises",
                hint="fetch the archive again; if it stays so, tell its owner",
            )
        return (image_id, *_manifests(archive, path))


def configuration_of(path: Path) -> dict[str, Any]:
    """Return the `Config` of the image in an archive: what it runs, where, with which environment."""
    with _opened(path) as archive:
        manifest = _json_member(archive, "manifest.json", path)
        value = _json_member(archive, str(manifest[0].get("Config")), path)
    configuration = value.get("config") if isinstance(value, dict) else None
    return configuration if isinstance(configuration, dict) else {}


def without_tags(path: Path) -> Iterator[bytes]:
    """Yield the archive's bytes with every image name taken out, a piece at a time."""
    pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=16)
    abandoned = threading.Event()
    writer = threading.Thread(target=_rewrite, args=(path, _Pipe(pieces, abandoned)), daemon=True)
    writer.start()
    try:
        while (piece := pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        abandoned.set()


class _Pipe(io.RawIOBase):
    """A file whose written bytes come out of a queue."""

    def __init__(self, pieces: "queue.Queue[bytes | BaseException | None]", abandoned: threading.Event) -> None:
        self._pieces = pieces
        self._abandoned = abandoned

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.put(bytes(data))
        return len(data)

    def put(self, piece: bytes | BaseException | None) -> None:
        while not self._abandoned.is_set():
            try:
                self._pieces.put(piece, timeout=0.5)
                return
            except queue.Full:
                continue
        raise BrokenPipeError("nobody reads the archive any more")


def _rewrite(path: Path, pipe: _Pipe) -> None:
    try:
        with _opened(path) as source, tarfile.open(fileobj=pipe, mode="w|", bufsize=1 << 20) as target:
            for member in source:
                _copy_member(source, member, target)
        pipe.put(None)
    except BrokenPipeError:
        return
    except BaseException as error:  # noqa: BLE001  (handed to the reading thread, which raises it)
        pipe.put(error)


def _copy_member(source: tarfile.TarFile, member: tarfile.TarInfo, target: tarfile.TarFile) -> None:
    if member.name in _NAMES:
        return
    content = source.extractfile(member) if member.isreg() else None
    if content is not None and member.name in ("manifest.json", "index.json"):
        data = json.dumps(_nameless(_parsed(content.read(_MAX_JSON), member.name))).encode()
        member.size = len(data)
        content = io.BytesIO(data)
    target.addfile(member, content)


def _nameless(value: Any) -> Any:
    if isinstance(value, list):
        return [_nameless(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _nameless(inner) for key, inner in value.items() if key != "annotations"}
    return kept | {"RepoTags": None} if "RepoTags" in kept else kept


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, mode="r:*")
    except (tarfile.TarError, OSError, EOFError, gzip.BadGzipFile) as error:
        raise Refused(
            f"{path.name} is not an image archive: {error}", hint="make it with: docker save IMAGE"
        ) from error


def _bytes_of(archive: tarfile.TarFile, name: str, path: Path) -> bytes:
    try:
        member = archive.getmember(name)
        content = archive.extractfile(member) if member.isreg() and member.size <= _MAX_JSON else None
    except KeyError:
        content = None
    if content is None:
        raise Refused(f"{path.name} has no readable {name}", hint="make the archive with: docker save IMAGE")
    return content.read()


def _json_member(archive: tarfile.TarFile, name: str, path: Path) -> Any:
    return _parsed(_bytes_of(archive, name, path), f"{path.name}: {name}")


def _parsed(data: bytes, what: str) -> Any:
    """Read JSON of an archive that nobody here made: bounded, and no key twice."""
    hint = "make the archive with: docker save IMAGE"
    try:
        text = data.decode()
        if fault := bounds_fault(text, max_depth=_MAX_DEPTH, max_nodes=_MAX_NODES):
            raise ValueError(fault)
        return json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise Refused(f"{what} is not the JSON of an image archive: {error}", hint=hint) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands there twice")
    return value


def _manifests(archive: tarfile.TarFile, path: Path) -> tuple[Digest, ...]:
    if "index.json" not in archive.getnames():
        return ()
    index = _json_member(archive, "index.json", path)
    entries = index.get("manifests", []) if isinstance(index, dict) else []
    digests = (entry.get("digest") for entry in entries if isinstance(entry, dict))
    return tuple(Digest(digest) for digest in digests if isinstance(digest, str))
