"""Bring a file that a record names by URL, size and digest to this machine, once, and verified.

https anywhere, http to this machine only, `file:` and plain paths; redirects stay within http and https. What has
the right digest is the right file, wherever it came from; nothing else is ever kept.
"""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.records.digests import bare_hex
from medperf_git.records.models import Asset
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.staging import private_folder

_PIECE = 1 << 20
_HOME = frozenset({"localhost", "127.0.0.1", "::1"})
_SECONDS = 60


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
    partial = cache / f".{kept.name}.{os.getpid()}.partial"
    try:
        with _opened(asset.url, base) as source:
            _copy(source, partial, asset, progress)
        partial.replace(kept)
    except (urllib.error.URLError, OSError) as error:
        raise EnvironmentProblem(
            f"{asset.url} could not be fetched: {error}", hint="check the network and the address; then repeat"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return kept


def _copy(source: IO[bytes], partial: Path, asset: Asset, progress: Callable[[int, int], None] | None) -> None:
    digest, size = hashlib.sha256(), 0
    with partial.open("wb") as target:
        while size <= asset.size and (piece := source.read(_PIECE)):
            size += len(piece)
            digest.update(piece)
            target.write(piece)
            if progress:
                progress(size, asset.size)
    if size != asset.size or digest.hexdigest() != bare_hex(asset.digest):
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
        with (base / path if base else path).open("rb") as file:
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
