"""Image archives (`docker save`, or an OCI layout): which image they hold, and the same without anybody's tags.

The id is computed from the bytes, never believed. What is handed to the engine bears no name at all, so that
loading it can neither move a tag nor make one (T16). An OCI layout gets the `manifest.json` that engines load by.
Engines read tar and JSON more freely than we do (`./` anywhere, keys in any case, headers of their own), so what they
get is written anew: plain names, plain headers, and of the two lists only what is known.
"""

import gzip
import hashlib
import io
import json
import lzma
import posixpath
import queue
import re
import tarfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import Digest
from medperf_git.records.json_bounds import bounds_fault
from medperf_git.runner.shown import shortened
from medperf_git.runner.tar_headers import BoundedTarInfo

_MAX_JSON = 4 * 1024 * 1024
_MAX_DEPTH, _MAX_NODES = 50, 200_000
_MAX_MEMBERS, _MAX_BYTES = 50_000, 200 * 1024**3
_CONFIG = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# What older engines save for a layer that is there twice, and Podman beside each layer.
_LAYER_LINK = re.compile(r"(?:\.\./)?[0-9a-f]{64}(?:/layer)?\.tar")
_NAMES = frozenset({"repositories"})
_IMAGE_KEYS = ("Config", "Layers")
_INDEX_KEYS, _ENTRY_KEYS = ("schemaVersion", "mediaType"), ("mediaType", "digest", "size", "platform")
_HINT = "make the archive with: docker save IMAGE"
_FAULTS = (tarfile.TarError, OSError, EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, ValueError)


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """The one image of an archive: its id, the manifest digests by which newer engines know it, its platform."""

    id: Digest
    manifests: tuple[Digest, ...]
    platform: str


def image_in_archive(path: Path) -> ArchivedImage:
    """Return what the archive holds; Refused unless it is one image, plainly packed, IntegrityBroken if it lies."""
    with _opened(path) as archive:
        members = _members(archive, path)
        index = _json_member(archive, members, "index.json", path) if "index.json" in members else {}
        name = _name_of_config(archive, members, path)
        matched = _CONFIG.fullmatch(name)
        if matched is None:
            raise Refused(f"{path.name} names no image configuration", hint=_HINT)
        data = _bytes_of(archive, members, name, path)
        image_id = Digest("sha256:" + hashlib.sha256(data).hexdigest())
        if matched.group(1) != image_id.removeprefix("sha256:"):
            raise IntegrityBroken(
                f"{path.name}: the image configuration is not what its name promises",
                hint="fetch the archive again; if it stays so, tell its owner",
            )
        return ArchivedImage(image_id, _manifests(index), _platform(_parsed(data, f"{path.name}: {name}")))


def ids_in_archive(path: Path) -> tuple[Digest, ...]:
    """Return the image id, and the manifest digests by which newer engines know it; one image only is accepted."""
    image = image_in_archive(path)
    return (image.id, *image.manifests)


def configuration_of(path: Path) -> dict[str, Any]:
    """Return the `Config` of the image in an archive: what it runs, where, with which environment."""
    with _opened(path) as archive:
        members = _members(archive, path)
        value = _json_member(archive, members, _name_of_config(archive, members, path), path)
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
            members = _members(source, path)
            for member in members.values():
                _copy_member(source, member, target)
            if "manifest.json" not in members:
                _add(target, "manifest.json", [_oci_manifest(source, members, path)])
        pipe.put(None)
    except BrokenPipeError:
        return
    except BaseException as error:  # noqa: BLE001  (handed to the reading thread, which raises it)
        pipe.put(error)


def _copy_member(source: tarfile.TarFile, member: tarfile.TarInfo, target: tarfile.TarFile) -> None:
    """Write a member anew: none of its own headers, which an engine might read as another name."""
    if member.name in _NAMES:
        return
    content = source.extractfile(member) if member.isreg() else None
    if content is not None and member.name in _NAMELESS:
        _add(target, member.name, _NAMELESS[member.name](_parsed(content.read(_MAX_JSON), member.name)))
        return
    plain = tarfile.TarInfo(member.name)
    plain.mode = 0o755 if member.isdir() else 0o644
    if content is not None:
        plain.size = member.size
    else:
        plain.type, plain.linkname = (tarfile.DIRTYPE, "") if member.isdir() else (tarfile.SYMTYPE, member.linkname)
    target.addfile(plain, content)


def _add(target: tarfile.TarFile, name: str, value: Any) -> None:
    data = json.dumps(value).encode()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    target.addfile(member, io.BytesIO(data))


def _nameless_images(value: Any) -> Any:
    images = value if isinstance(value, list) else []
    return [_only(image, _IMAGE_KEYS) | {"RepoTags": None} for image in images]


def _nameless_index(value: Any) -> Any:
    entries = value.get("manifests") if isinstance(value, dict) else None
    listed = entries if isinstance(entries, list) else []
    return _only(value, _INDEX_KEYS) | {"manifests": [_only(entry, _ENTRY_KEYS) for entry in listed]}


def _only(value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value[key] for key in keys if key in value} if isinstance(value, dict) else {}


_NAMELESS = {"manifest.json": _nameless_images, "index.json": _nameless_index}


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, mode="r:*", tarinfo=BoundedTarInfo) as archive:
            yield archive
    except BrokenPipeError:
        raise
    except _FAULTS as error:
        raise Refused(f"{path.name} is not an image archive: {error}", hint=_HINT) from error


def _members(archive: tarfile.TarFile, path: Path) -> dict[str, tarfile.TarInfo]:
    """Return what is in the archive by name, in its order; Refused when an image archive would not hold it."""
    found: dict[str, tarfile.TarInfo] = {}
    total = 0
    for member in archive:
        name = member.name.removeprefix("./")
        total += member.size
        fault = _member_fault(member, name)
        if name in found and not member.isdir():
            fault = "stands there twice"
        if fault:
            raise Refused(f"{path.name}: {shortened(name)} {fault}", hint=_HINT)
        if len(found) >= _MAX_MEMBERS or total > _MAX_BYTES:
            raise Refused(f"{path.name} holds more than {_MAX_MEMBERS} entries or {_MAX_BYTES} bytes", hint=_HINT)
        member.name = name
        found[name] = member
    return found


def _member_fault(member: tarfile.TarInfo, name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        return "lies outside of the archive"
    if name != posixpath.normpath(name):
        return "has a name that an engine may read as another"
    if member.issym():
        return "" if _LAYER_LINK.fullmatch(member.linkname) else "is a link"
    if member.issparse() or not (member.isreg() or member.isdir()):
        return "is neither a file nor a folder"
    return ""


def _name_of_config(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], path: Path) -> str:
    if "manifest.json" in members:
        return _config_name(_json_member(archive, members, "manifest.json", path), path)
    return str(_oci_manifest(archive, members, path)["Config"])


def _config_name(manifest: Any, path: Path) -> str:
    if not isinstance(manifest, list) or not all(isinstance(entry, dict) for entry in manifest):
        raise Refused(f"{path.name}: manifest.json is no list of images", hint=_HINT)
    if len(manifest) != 1:
        names = [str(name) for entry in manifest for name in entry.get("RepoTags") or ()]
        which = f" ({shortened(', '.join(names))})" if names else ""
        hint = f"save one image: docker save {names[0] if names else 'IMAGE'}"
        raise Refused(f"{path.name} does not hold exactly one image, but {len(manifest)}{which}", hint=hint)
    return str(manifest[0].get("Config"))


def _oci_manifest(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], path: Path) -> dict[str, Any]:
    """Return the manifest of an OCI layout's one image, in the form of `docker save`."""
    if "index.json" not in members:
        raise Refused(f"{path.name} has no readable manifest.json", hint=_HINT)
    value = _json_member(archive, members, "index.json", path)
    for _ in range(3):
        if not isinstance(value, dict) or "manifests" not in value:
            break
        entry = _only_image(value["manifests"], path)
        value = _json_member(archive, members, _blob(entry, path), path)
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
        raise Refused(f"{path.name} names no image manifest", hint=_HINT)
    layers = [_blob(layer, path) for layer in value["layers"]]
    return {"Config": _blob(value.get("config"), path), "RepoTags": None, "Layers": layers}


def _only_image(entries: Any, path: Path) -> Any:
    listed = entries if isinstance(entries, list) else []
    images = [entry for entry in listed if isinstance(entry, dict) and _os_of(entry) != "unknown"]  # no attestation
    if len(images) != 1:
        hint = "save one image for one platform"
        raise Refused(f"{path.name} does not hold exactly one image, but {len(images)}", hint=hint)
    return images[0]


def _os_of(entry: dict[str, Any]) -> Any:
    platform = entry.get("platform")
    return platform.get("os") if isinstance(platform, dict) else None


def _blob(descriptor: Any, path: Path) -> str:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise Refused(f"{path.name}: a part of the image has no SHA-256 digest", hint=_HINT)
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def _bytes_of(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str, path: Path) -> bytes:
    member = members.get(name)
    content = archive.extractfile(member) if member and member.isreg() and member.size <= _MAX_JSON else None
    if content is None:
        raise Refused(f"{path.name} has no readable {name}", hint=_HINT)
    return content.read()


def _json_member(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str, path: Path) -> Any:
    return _parsed(_bytes_of(archive, members, name, path), f"{path.name}: {name}")


def _parsed(data: bytes, what: str) -> Any:
    """Read JSON of an archive that nobody here made: bounded, and no key twice."""
    try:
        text = data.decode()
        if fault := bounds_fault(text, max_depth=_MAX_DEPTH, max_nodes=_MAX_NODES):
            raise ValueError(fault)
        return json.loads(text, object_pairs_hook=_once)
    except ValueError as error:
        raise Refused(f"{what} is not the JSON of an image archive: {error}", hint=_HINT) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands there twice")
    return value


def _manifests(index: Any) -> tuple[Digest, ...]:
    entries = index.get("manifests", []) if isinstance(index, dict) else []
    digests = (entry.get("digest") for entry in entries if isinstance(entry, dict))
    return tuple(Digest(digest) for digest in digests if isinstance(digest, str))


def _platform(config: Any) -> str:
    parts = [config.get(key) for key in ("os", "architecture", "variant")] if isinstance(config, dict) else []
    return "/".join(str(part) for part in parts if part)
