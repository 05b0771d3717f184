"""Bring a file that a record names by URL, size and digest to this machine, once, and verified.

https anywhere, http to this machine only, `file:` and plain paths; redirects stay within http and https. What has
the right digest is the right file, wherever it came from; nothing else is ever kept.
"""

import hashlib
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import Digest, bare_hex
from medperf_git.records.models import Asset
from medperf_git.runner.disk import MAKE_ROOM, DiskFull, is_disk_fault, room_for_containers
from medperf_git.runner.leftovers import remove_leftovers
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.staging import private_folder

_PIECE = 1 << 20
_HOME = frozenset({"localhost", "127.0.0.1", "::1"})
_SECONDS = 60
_PATIENCE, _SLOWEST = 300, 2_000  # seconds; after them fewer bytes a second are no answer


def fetch_asset(
    asset: Asset, cache: Path, *, base: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Return the verified file of `asset` below `cache`, fetching it once; paths are relative to `base`.

    Raises EnvironmentProblem when it cannot be had, IntegrityBroken when it is not what the record names.
    """
    private_folder(cache)
    kept = cache / bare_hex(asset.digest)
    if kept.is_file() and hashed_file(kept) == (asset.size, asset.digest):
        return kept
    with _partial_in(cache) as partial, _fetching(asset.url):
        with _opened(asset.url, base) as source:
            found = _copy(source, partial, at_most=asset.size, progress=progress)
        _check(asset, *found)
        partial.replace(kept)
    return kept


def describe_asset(url: str, cache: Path) -> Asset:
    """Fetch a file that no record names yet, keep it below `cache`, and return its size and digest."""
    private_folder(cache)
    with _partial_in(cache) as partial, _fetching(url):
        room = room_for_containers(cache)
        with _opened(url, None) as source:
            size, digest = _copy(source, partial, at_most=room)
        if size > room:
            raise DiskFull(f"the disk has no room for {url}", hint=MAKE_ROOM)
        partial.replace(cache / bare_hex(digest))
    return Asset(url, size, digest)


@contextmanager
def _partial_in(cache: Path) -> Iterator[Path]:
    remove_leftovers(cache)
    partial = cache / f".{secrets.token_hex(8)}.partial"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _fetching(url: str) -> Iterator[None]:
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        if is_disk_fault(error):
            raise DiskFull(f"the disk has no room for {url}", hint=MAKE_ROOM) from error
        raise EnvironmentProblem(
            f"{url} could not be fetched: {error}", hint="check the network and the address; then repeat"
        ) from error


def _copy(
    source: IO[bytes], partial: Path, *, at_most: int, progress: Callable[[int, int], None] | None = None
) -> tuple[int, Digest]:
    """Copy until the end, or one piece beyond `at_most`; return size and digest."""
    digest, size, began = hashlib.sha256(), 0, time.monotonic()
    read = getattr(source, "read1", source.read)  # what is there; `read` would wait for a whole piece, drop by drop
    with partial.open("wb") as target:
        while size <= at_most and (piece := read(_PIECE)):
            size += len(piece)
            digest.update(piece)
            target.write(piece)
            if time.monotonic() - began > _PATIENCE + size / _SLOWEST:
                raise TimeoutError(f"it came too slowly: {size} bytes")
            if progress:
                progress(size, at_most)
    return size, Digest("sha256:" + digest.hexdigest())


def _check(asset: Asset, size: int, digest: Digest) -> None:
    if (size, digest) != (asset.size, asset.digest):
        seen = f"{size} bytes" if size <= asset.size else f"more than {asset.size} bytes"
        raise IntegrityBroken(
            f"{asset.url} is not the file that the record names (expected {asset.size} bytes, got {seen})",
            hint="nothing was kept; ask the record's owner where the file is",
        )


@contextmanager
def _opened(url: str, base: Path | None) -> Iterator[IO[bytes]]:
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        path = Path(unquote(parts.path))
        path = base / path if base else path
        if path.exists() and not path.is_file():
            raise Refused(f"{path} is no regular file", hint="an asset is one file")
        with path.open("rb") as file:
            yield file
        return
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _HOME):
        raise Refused(f"{url} is no address that is fetched from", hint="assets lie at https addresses or in files")
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPRedirectHandler(),
    ):
        opener.add_handler(handler)
    with closing(opener.open(url, timeout=_SECONDS)) as answer:
        yield answer
