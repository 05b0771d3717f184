"""Which 32 bytes are acceptable as an Ed25519 public key.

A small-order key verifies any message in common libraries, and a second encoding of a point would be a second
name for one key. So a key must be the canonical encoding (RFC 8032 section 5.1.3) of a point on the curve that is
not one of the eight of small order; together with their non-canonical forms these are the 14 known encodings.
"""

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P

_ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_SMALL_ORDER_Y = frozenset({0, 1, P - 1, _ORDER_EIGHT, P - _ORDER_EIGHT})


def point_fault(encoded: bytes) -> str:
    """Say why `encoded` (32 bytes) is no acceptable point, or return an empty string when it is one."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    if y % P in _SMALL_ORDER_Y:
        return "it is a small-order point, which verifies any message"
    if y >= P:
        return "it is a non-canonical encoding"
    if not _has_x(y):
        return "it is not a point of the curve"
    return ""


def _has_x(y: int) -> bool:
    """Tell whether x^2 = (y^2 - 1) / (d y^2 + 1) has a root, by Euler's criterion; zero never reaches here."""
    numerator, denominator = (y * y - 1) % P, (D * y * y + 1) % P
    return pow(numerator * denominator, (P - 1) // 2, P) == 1
