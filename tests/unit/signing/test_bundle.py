"""The envelope: exactly one shape, byte for byte."""

import base64
import json

import pytest

from medperf_git.errors import IntegrityBroken
from medperf_git.signing import bundle
from medperf_git.signing.bundle import BUNDLE_LIMIT, Bundle, make_bundle, pae, parse_bundle
from medperf_git.signing.verify import verify_bundle


def test_bundle_has_the_documented_shape(statement, ana):
    data = make_bundle(statement, ana)
    assert data.endswith(b"}\n")
    value = json.loads(data)
    (signature,) = value["dsseEnvelope"]["signatures"]
    assert value == {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": ana.public.fingerprint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(statement.payload()).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": ana.public.fingerprint, "sig": signature["sig"]}],
        },
    }
    assert parse_bundle(data).unverified_statement() == statement


def test_the_careful_way_reads_what_the_quick_way_reads(statement, ana):
    data = make_bundle(statement, ana)
    assert bundle._accepted(data) == bundle._parse_carefully(data)


def test_making_it_twice_makes_the_same_bytes(statement, ana):
    assert make_bundle(statement, ana) == make_bundle(statement, ana)


def test_pre_authentication_encoding_is_that_of_dsse():
    assert pae(b"hello") == b"DSSEv1 28 application/vnd.in-toto+json 5 hello"


ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ENVELOPE, SIGNATURE = ("dsseEnvelope",), ("dsseEnvelope", "signatures", 0)


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.2", "mediaType is"),
        (("extra",), "x", "unknown key"),
        (("verificationMaterial",), "x", "not an object"),
        (("verificationMaterial", "tlogEntries"), [{}], "tlogEntries"),
        (("verificationMaterial", "publicKey", "hint"), "SHA256:short", "not an OpenSSH fingerprint"),
        (("verificationMaterial", "publicKey", "hint"), "SHA256:" + "A" * 43, "differ"),
        (("verificationMaterial", "certificate"), {}, "unknown key"),
        ((*ENVELOPE, "payloadType"), "text/plain", "payloadType is"),
        ((*ENVELOPE, "payload"), "A", "not base64"),
        ((*ENVELOPE, "payload"), "ä", "not base64"),
        ((*ENVELOPE, "payload"), "AB==", "base64 in its one canonical form"),
        ((*ENVELOPE, "signatures"), [], "exactly one"),
        ((*SIGNATURE, "sig"), "AAAA", "3 bytes"),
        ((*SIGNATURE, "sig"), None, "not a text"),
        ((*SIGNATURE, "keyid"), "", "differ"),
        ((*SIGNATURE, "cert"), "x", "unknown key"),
    ],
)
def test_another_shape_is_refused(statement, ana, path, to, reason):
    value = json.loads(make_bundle(statement, ana))
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    with pytest.raises(IntegrityBroken, match=reason):
        parse_bundle(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n")


def test_two_signatures_are_refused(statement, ana):
    value = json.loads(make_bundle(statement, ana))
    value["dsseEnvelope"]["signatures"] *= 2
    with pytest.raises(IntegrityBroken, match="exactly one"):
        parse_bundle(json.dumps(value).encode())


@pytest.mark.parametrize(
    "spelling",
    [lambda b: b[:-1], lambda b: b + b"\n", lambda b: b.replace(b":", b": ", 1), lambda b: b.replace(b"/", rb"\/", 1)],
)
def test_the_same_values_in_other_bytes_are_refused(statement, ana, spelling):
    with pytest.raises(IntegrityBroken, match="canonical"):
        parse_bundle(spelling(make_bundle(statement, ana)))


def test_a_bundle_beyond_the_limit_is_not_read():
    with pytest.raises(IntegrityBroken, match="more than 16384"):
        parse_bundle(b" " * 16385)


def test_a_canonical_bundle_beyond_the_limit_is_not_read(ana):
    largest = next(size for size in range(11_000, 12_000) if len(a_bundle(ana, b"x" * (size + 1))) > BUNDLE_LIMIT)
    assert parse_bundle(a_bundle(ana, b"x" * largest)).payload == b"x" * largest
    with pytest.raises(IntegrityBroken, match="more than 16384"):
        parse_bundle(a_bundle(ana, b"x" * (largest + 1)))


def a_bundle(ana, payload: bytes) -> bytes:
    return Bundle(payload, ana.sign(pae(payload)), ana.public.fingerprint).render()


def test_a_signature_in_another_spelling_is_refused(statement, ana):
    data = make_bundle(statement, ana)
    end = data.index(b'=="}]') - 1
    other = ALPHABET[ALPHABET.index(data[end : end + 1]) ^ 1]  # the last bit of a last digit is spare
    with pytest.raises(IntegrityBroken, match="canonical"):
        parse_bundle(data[:end] + bytes([other]) + data[end + 1 :])


def test_every_flipped_bit_is_refused(statement, ana):
    data = make_bundle(statement, ana)
    for position in range(len(data)):
        broken = bytearray(data)
        broken[position] ^= 1
        with pytest.raises(IntegrityBroken):
            verify_bundle(bytes(broken), ana.public)
