"""A public signing key in every form in which it is written.

Only Ed25519 keys of SSH; a value of this type has been checked to be an acceptable point (`curve`), so whoever holds
one need not check again. `short` names a bundle file, `fingerprint` selects a key, neither proves anything.

    key = PublicKey.from_openssh(Path("id_ed25519.pub").read_text())
    key.fingerprint  # "SHA256:…", as `ssh-keygen -l` prints it
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Self

from medperf_git.errors import Refused
from medperf_git.signing.curve import point_fault
from medperf_git.signing.wire import FieldReader, pack_string

KEY_TYPE = "ssh-ed25519"
LINE_LIMIT = 8192  # characters; a long comment fits, a pasted file does not
MAKE_ONE = "make an Ed25519 key beside it with `medperf-git key new`; the one you have stays as it is"
GIVE_LINE = "give the one line of a .pub file: `ssh-ed25519 AAAA… comment`"

# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 10.1) before its 32 bytes.
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: its 32 `raw` bytes, checked to be an acceptable point (Refused)."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != 32:
            raise Refused(f"an Ed25519 key has 32 bytes, this one has {len(self.raw)}", hint=GIVE_LINE)
        if fault := point_fault(self.raw):
            raise Refused(f"this Ed25519 key is not acceptable: {fault}", hint=MAKE_ONE)

    @classmethod
    def from_openssh(cls, line: str) -> Self:
        """Read the line of a .pub file, its comment ignored; Refused says what is wrong."""
        text = line.removesuffix("\n").removesuffix("\r")
        fault = _line_fault(text)
        if fault:
            raise Refused(fault, hint=GIVE_LINE)
        key_type, _, rest = text.partition(" ")
        _require_type(key_type)
        return cls.from_blob(_strict_base64(rest.partition(" ")[0]))

    @classmethod
    def from_record(cls, line: str) -> Self:
        """Read a key as records write it: exactly `ssh-ed25519 <base64>`, nothing else (Refused)."""
        key = cls.from_openssh(line)
        if key.openssh != line:
            raise Refused("a key in a record has no comment and no spaces around it", hint=f"write `{key.openssh}`")
        return key

    @classmethod
    def from_blob(cls, blob: bytes) -> Self:
        """Read the binary form that the base64 of a line, a private key file and an agent carry (RFC 8709)."""
        reader = FieldReader(blob)
        try:
            key_type = reader.string()
            _require_type(key_type.decode("ascii", "replace"))
            raw = reader.string()
            reader.finish()
        except ValueError as error:
            raise Refused(f"the key is malformed: {error}", hint=GIVE_LINE) from error
        return cls(raw)

    @property
    def blob(self) -> bytes:
        """The binary form inside an OpenSSH line."""
        return pack_string(KEY_TYPE.encode()) + pack_string(self.raw)

    @property
    def openssh(self) -> str:
        """The OpenSSH line without a comment: what a record holds."""
        return f"{KEY_TYPE} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """The OpenSSH fingerprint `SHA256:…`, base64 without padding; the key id of a bundle."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def short(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the 32 bytes; the name of a bundle file."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def to_pem(self) -> str:
        """Return the key as SubjectPublicKeyInfo in PEM, as openssl and cosign read it."""
        body = base64.b64encode(_SPKI_PREFIX + self.raw).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def _line_fault(text: str) -> str:
    if "PRIVATE KEY" in text:
        return "this is a private key; only the public half may be shown to anybody"
    if len(text) > LINE_LIMIT:
        return f"a key line has at most {LINE_LIMIT} characters, this one has {len(text)}"
    if not text.isprintable():
        return "a key is one line without control characters"
    return ""


def _require_type(key_type: str) -> None:
    if key_type == KEY_TYPE:
        return
    if key_type.startswith("sk-"):
        raise Refused("keys on a security token (sk-…) sign in a form that this registry does not know", hint=MAKE_ONE)
    if "-cert-" in key_type:
        raise Refused("this is an SSH certificate, not a key", hint=GIVE_LINE)
    if key_type in {"ssh-rsa", "ssh-dss"} or key_type.startswith("ecdsa-"):
        raise Refused(f"{key_type} keys cannot sign here, only {KEY_TYPE}", hint=MAKE_ONE)
    raise Refused(f"this is not an {KEY_TYPE} key", hint=GIVE_LINE)


def _strict_base64(text: str) -> bytes:
    """Decode standard base64 whose only spelling is `text` (Refused)."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"the key is not base64: {error}", hint=GIVE_LINE) from error
    if base64.b64encode(data).decode() != text:
        raise Refused("the base64 of the key is not in its one canonical form", hint=GIVE_LINE)
    return data
