"""A statement in its envelope: DSSE with one pure Ed25519 signature, in a Sigstore bundle v0.3.

The file is RFC 8785 JSON and one line feed; no other bytes are accepted for the same values. The key id is the
OpenSSH fingerprint; it selects a key and proves nothing.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from medperf_git.signing import strict_json
from medperf_git.signing.ed25519 import SIGNATURE_SIZE
from medperf_git.signing.signers import Signer
from medperf_git.signing.statement import Statement, parse_statement
from medperf_git.signing.strict_json import broken, shown, take_constant, take_object, take_only, take_text

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_LIMIT = 16 * 1024

_KEY_ID = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
# The canonical form as a whole: payload, keyid, signature, hint.
_FORM = re.compile(
    rb'\{"dsseEnvelope":\{"payload":"([A-Za-z0-9+/]+={0,2})","payloadType":"%(payload_type)s",'
    rb'"signatures":\[\{"keyid":"(%(key)s)","sig":"([A-Za-z0-9+/]{86}==)"\}\]\},"mediaType":"%(media_type)s",'
    rb'"verificationMaterial":\{"publicKey":\{"hint":"(%(key)s)"\},"tlogEntries":\[\]\}\}\n'
    % {
        b"payload_type": re.escape(PAYLOAD_TYPE.encode()),
        b"media_type": re.escape(MEDIA_TYPE.encode()),
        b"key": _KEY_ID.pattern.encode(),
    }
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The parts of a well-formed bundle; nothing about them is verified."""

    payload: bytes
    signature: bytes
    keyid: str

    def unverified_statement(self) -> Statement:
        """Read what the payload claims, before any signature is checked (IntegrityBroken)."""
        return parse_statement(self.payload)

    def render(self) -> bytes:
        """Return the bytes of the file."""
        envelope: strict_json.Json = {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": self.keyid, "sig": base64.b64encode(self.signature).decode()}],
        }
        material: strict_json.Json = {"publicKey": {"hint": self.keyid}, "tlogEntries": []}
        whole: strict_json.Json = {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": envelope,
        }
        return strict_json.canonical(whole) + b"\n"


def pae(payload: bytes) -> bytes:
    """Return the bytes that are signed: DSSE's pre-authentication encoding (dsse spec v1.0.2) of our payload type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def make_bundle(statement: Statement, signer: Signer) -> bytes:
    """Sign `statement` and return the bytes of its bundle file."""
    payload = statement.payload()
    return Bundle(payload, signer.sign(pae(payload)), signer.public.fingerprint).render()


def parse_bundle(data: bytes) -> Bundle:
    """Read a bundle file; IntegrityBroken says which part is not what it must be."""
    return _accepted(data) or _parse_carefully(data)


def _accepted(data: bytes) -> Bundle | None:
    """Read a bundle in its canonical form the quick way; None when only the careful way can tell."""
    match = _FORM.fullmatch(data) if len(data) <= BUNDLE_LIMIT else None
    if match is None:
        return None
    payload, keyid, signature, hint = match.groups()
    try:
        decoded, signed = binascii.a2b_base64(payload), binascii.a2b_base64(signature)
    except binascii.Error:
        return None
    spelled = base64.b64encode(decoded) == payload and base64.b64encode(signed) == signature
    return Bundle(decoded, signed, keyid.decode()) if spelled and keyid == hint else None


def _parse_carefully(data: bytes) -> Bundle:
    value = strict_json.parse_json(data, limit=BUNDLE_LIMIT, what="the bundle")
    top = take_object(value, ("dsseEnvelope", "mediaType", "verificationMaterial"), where="the bundle")
    take_constant(top["mediaType"], MEDIA_TYPE, where="the bundle's mediaType")
    hint = _read_hint(top["verificationMaterial"])
    envelope = take_object(top["dsseEnvelope"], ("payload", "payloadType", "signatures"), where="the envelope")
    take_constant(envelope["payloadType"], PAYLOAD_TYPE, where="the envelope's payloadType")
    only = take_only(envelope["signatures"], where="the envelope's signatures")
    entry = take_object(only, ("keyid", "sig"), where="the signature")
    keyid = take_text(entry["keyid"], where="the signature's keyid")
    if keyid != hint:
        raise broken(f"the hint {shown(hint)} and the keyid {shown(keyid)} differ")
    signature = _decode(entry["sig"], where="the signature's sig")
    if len(signature) != SIGNATURE_SIZE:
        raise broken(f"the signature has {len(signature)} bytes instead of {SIGNATURE_SIZE}")
    bundle = Bundle(_decode(envelope["payload"], where="the envelope's payload"), signature, keyid)
    if bundle.render() != data:
        raise broken("the bundle is not in its one canonical form (RFC 8785 and one line feed)")
    return bundle


def _read_hint(value: object) -> str:
    material = take_object(value, ("publicKey", "tlogEntries"), where="the verificationMaterial")
    if material["tlogEntries"] != []:
        raise broken("the bundle's tlogEntries are not an empty list")
    public = take_object(material["publicKey"], ("hint",), where="the publicKey")
    hint = take_text(public["hint"], where="the publicKey's hint")
    if not _KEY_ID.fullmatch(hint):
        raise broken(f"the publicKey's hint is {shown(hint)}, not an OpenSSH fingerprint SHA256:…")
    return hint


def _decode(value: object, *, where: str) -> bytes:
    """Decode base64 that has one spelling: standard alphabet, padded, no spare bits."""
    text = take_text(value, where=where)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise broken(f"{where} is not base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise broken(f"{where} is not base64 in its one canonical form")
    return data
