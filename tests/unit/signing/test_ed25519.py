"""RFC 8032 section 7.1, and signatures that must not pass."""

import pytest

from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.keys import PublicKey

ORDER = 2**252 + 27742317777372353535851937790883648493

VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_rfc_8032_vector_verifies(key, message, signature):
    public = PublicKey(bytes.fromhex(key))
    assert is_valid(public, bytes.fromhex(signature), bytes.fromhex(message))
    assert not is_valid(public, bytes.fromhex(signature), bytes.fromhex(message) + b"!")


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_T52_signature_with_s_beyond_the_order_is_refused(key, message, signature):
    raw = bytes.fromhex(signature)
    larger = (int.from_bytes(raw[32:], "little") + ORDER).to_bytes(32, "little")
    assert not is_valid(PublicKey(bytes.fromhex(key)), raw[:32] + larger, bytes.fromhex(message))


def test_T55_ed25519ph_vector_of_rfc_8032_is_refused():
    public = PublicKey(bytes.fromhex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"))
    signature = bytes.fromhex(
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )
    assert not is_valid(public, signature, b"abc")
