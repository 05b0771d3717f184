"""SHA-256 digests as records write them: `sha256:` and 64 lower-case hexadecimal digits."""

import hashlib
import re
from typing import NewType

Digest = NewType("Digest", str)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> Digest:
    """Return the digest of `data`."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def is_digest(text: str) -> bool:
    """Tell whether `text` is a digest in the one accepted form."""
    return _DIGEST.fullmatch(text) is not None


def bare_hex(digest: Digest) -> str:
    """Return the 64 hexadecimal digits without the `sha256:` before them."""
    return digest.removeprefix("sha256:")


def short(digest: Digest) -> str:
    """Return the first 12 hexadecimal digits, by which people name a result."""
    return bare_hex(digest)[:12]
