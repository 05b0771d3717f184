"""Encryption keys as age writes them: X25519 recipients in Bech32 (BIP 173, and age's specification, "X25519").

Nothing is encrypted yet; a recipient is checked when a member brings it, so that sealing to it cannot fail later.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from medperf_git.errors import Refused

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_PREFIX = "age"
_HINT = "give the line that `age-keygen -y` prints: `age1…`"
_ANY_SCALAR = bytes(range(1, 33))


def check_recipient(text: str) -> None:
    """Refuse (Refused) what is no age X25519 recipient: another prefix, a wrong checksum or length, a weak point."""
    if not text.startswith(_PREFIX + "1") or any(letter not in _CHARACTERS for letter in text[len(_PREFIX) + 1 :]):
        raise Refused("this is no age recipient", hint=_HINT)
    digits = [_CHARACTERS.index(letter) for letter in text[len(_PREFIX) + 1 :]]
    expanded = [*(ord(letter) >> 5 for letter in _PREFIX), 0, *(ord(letter) & 31 for letter in _PREFIX)]
    if _polymod(expanded + digits) != 1:
        raise Refused("the checksum of this age recipient is wrong: a letter was lost or changed", hint=_HINT)
    raw = _bytes_of(digits[:-6])
    if len(raw) != 32:
        raise Refused(f"an age X25519 recipient has 32 bytes, this one {len(raw)}", hint=_HINT)
    try:  # a point of small order gives the same shared secret to everybody, and the library refuses it (RFC 7748, 6.1)
        X25519PrivateKey.from_private_bytes(_ANY_SCALAR).exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        raise Refused("anybody could read what is sealed to this age recipient", hint=_HINT) from error


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if (top >> bit) & 1 else 0
    return check


def _bytes_of(digits: list[int]) -> bytes:
    """Join digits of five bits to bytes; padding of more than four bits or other than zeros gives no bytes."""
    number = 0
    for digit in digits:
        number = number << 5 | digit
    spare = len(digits) * 5 % 8
    if spare > 4 or number & ((1 << spare) - 1):
        return b""
    return (number >> spare).to_bytes(len(digits) * 5 // 8, "big")
