"""Whether a pure Ed25519 signature is valid (RFC 8032 section 5.1.7, without cofactor, as openssl decides it)."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from medperf_git.signing.keys import PublicKey

SIGNATURE_SIZE = 64


def is_valid(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Tell whether `signature` (64 bytes) over `message` was made with the private half of `key`."""
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True
