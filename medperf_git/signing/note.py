"""Signed notes of freshness: how far a registry's main had come at a time, vouched for by its checkpoint key.

The text is a C2SP tlog-checkpoint (origin, size, hash, extension lines), the envelope a C2SP signed-note with an
Ed25519 signature; size counts the steps of main, hash is the commit. https://c2sp.org/tlog-checkpoint, /signed-note
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from medperf_git.errors import IntegrityBroken
from medperf_git.records.times import format_time, parse_time
from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.signers import Signer

MAX_BYTES = 4096

_ORIGIN = "medperf-git/"
_ED25519 = b"\x01"
_TEXT = re.compile(
    r"medperf-git/(mg1:[0-9a-f]{64})\n([1-9][0-9]{0,9})\n"
    r"([A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=)\ntime ([0-9TZ:-]{20})\n"
)
_SIGNATURE = re.compile(r"— ([!-*,-~]+) ([A-Za-z0-9+/]+={0,2})\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: of which registry, how many steps, up to which commit, when."""

    registry: str
    steps: int
    commit: str
    at: datetime


def make_note(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the signed note of a checkpoint."""
    origin, text = f"{_ORIGIN}{checkpoint.registry}", note_text(checkpoint)
    signed = _key_hash(origin, signer.public) + signer.sign(text.encode())
    return f"{text}\n— {origin} {base64.b64encode(signed).decode()}\n".encode()


def note_text(checkpoint: Checkpoint) -> str:
    """Return what a note says, without its signatures."""
    digest = base64.b64encode(bytes.fromhex(checkpoint.commit)).decode()
    return f"{_ORIGIN}{checkpoint.registry}\n{checkpoint.steps}\n{digest}\ntime {format_time(checkpoint.at)}\n"


def read_note(data: bytes, *, key: PublicKey, registry: str) -> Checkpoint:
    """Return what a note says; IntegrityBroken when it is none, not by `key`, or about another registry."""
    text, separator, signatures = _decoded(data).partition("\n\n")
    match = _TEXT.fullmatch(text + "\n") if separator else None
    if match is None:
        raise _broken("it is no note of a medperf-git registry")
    if match.group(1) != registry:
        raise _broken(f"it is about the registry {match.group(1)}, not {registry}")
    origin = _ORIGIN + registry
    if not any(_is_by(key, line, origin, text + "\n") for line in signatures.splitlines(keepends=True)):
        raise _broken(f"it is not signed by {key.fingerprint}, the registry's key for checkpoints")
    try:
        commit, at = base64.b64decode(match.group(3), validate=True).hex(), parse_time(match.group(4))
    except ValueError as error:
        raise _broken(str(error)) from error
    return Checkpoint(registry, int(match.group(2)), commit, at)


def _is_by(key: PublicKey, line: str, origin: str, text: str) -> bool:
    """Tell whether a signature line is a good one by this key; lines of other keys (witnesses) are passed over."""
    match = _SIGNATURE.fullmatch(line)
    if match is None or match.group(1) != origin:
        return False
    try:
        signed = base64.b64decode(match.group(2), validate=True)
    except binascii.Error:
        return False
    return signed[:4] == _key_hash(origin, key) and len(signed) == 68 and is_valid(key, signed[4:], text.encode())


def _key_hash(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _broken(f"it has more than {MAX_BYTES} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise _broken("it is no text") from error


def _broken(reason: str) -> IntegrityBroken:
    hint = "do not rely on what this host shows; ask a maintainer over another way"
    return IntegrityBroken(f"the note of freshness does not count: {reason}", hint=hint)
