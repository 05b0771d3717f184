"""Public keys: every form, and everything that is no key."""

import base64
import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.signing.curve import P
from medperf_git.signing.keys import LINE_LIMIT, PublicKey
from medperf_git.signing.wire import pack_string

# The 14 encodings of the eight small-order points, canonical or not, with either sign bit.
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


def line_of(blob: bytes, key_type: str = "ssh-ed25519") -> str:
    return f"{key_type} {base64.b64encode(blob).decode()}"


def test_a_key_of_ssh_keygen_has_the_fingerprint_that_ssh_keygen_prints(ssh_keygen):
    path = Path(f"{ssh_keygen()}.pub")
    key = PublicKey.from_openssh(path.read_text())
    printed = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert key.fingerprint == printed.split()[1]
    assert path.read_text().startswith(key.openssh + " ")
    assert PublicKey.from_record(key.openssh) == key


def test_pem_is_read_by_openssl_as_the_same_key(ana, tmp_path):
    (tmp_path / "key.pem").write_text(ana.public.to_pem())
    command = ["openssl", "pkey", "-pubin", "-in", tmp_path / "key.pem", "-outform", "DER"]
    assert subprocess.run(command, check=True, capture_output=True).stdout[-32:] == ana.public.raw


def test_short_is_sixteen_digits_of_the_raw_bytes(ana):
    assert ana.public.short == "34750f98bd59fcfc"


def test_a_key_file_with_dos_line_end_is_read(ana):
    assert PublicKey.from_openssh(ana.public.openssh + " me\r\n") == ana.public


@pytest.mark.parametrize("encoding", SMALL_ORDER)
def test_T52_small_order_point_is_refused(encoding):
    with pytest.raises(Refused, match="small-order"):
        PublicKey(bytes.fromhex(encoding))


@pytest.mark.parametrize("y", range(P + 2, 2**255))
@pytest.mark.parametrize("sign", [0, 1])
def test_T52_every_other_non_canonical_encoding_is_refused(y, sign):
    with pytest.raises(Refused, match="non-canonical"):
        PublicKey((y | sign << 255).to_bytes(32, "little"))


def test_T52_bytes_that_are_no_point_are_refused():
    with pytest.raises(Refused, match="not a point"):
        PublicKey((2).to_bytes(32, "little"))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_other_kinds_of_ssh_keys_are_refused_with_what_to_do(ssh_keygen, kind):
    path = Path(f"{ssh_keygen(kind=kind)}.pub")
    with pytest.raises(Refused, match="cannot sign here") as caught:
        PublicKey.from_openssh(path.read_text())
    assert "key new" in caught.value.hint


def test_a_key_on_a_token_is_refused_with_what_to_do():
    with pytest.raises(Refused, match="security token") as caught:
        PublicKey.from_openssh("sk-ssh-ed25519@openssh.com AAAA me")
    assert "key new" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not an ssh-ed25519 key"),
        ("ssh-ed25519", "malformed"),
        ("ssh-ed25519 ", "malformed"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
        ('command="x" ssh-ed25519 AAAA', "not an ssh-ed25519 key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("ssh-ed25519 AAAA\nssh-ed25519 AAAA", "one line"),
        ("ssh-ed25519 " + "A" * 9000, "at most"),
        ("ssh-ed25519 !!!!", "not base64"),
        ("ssh-ed25519 AAAAä", "not base64"),
        ("ssh-ed25519 AAB=", "canonical"),
        (line_of(pack_string(b"ssh-ed25519") + pack_string(b"x" * 31)), "32 bytes"),
        (line_of(pack_string(b"ssh-rsa") + pack_string(b"x" * 32)), "ssh-rsa"),
        (line_of(pack_string(b"ssh-ed25519") + pack_string(b"x" * 32)[:-1]), "inside a field"),
    ],
)
def test_a_malformed_line_is_refused(line, reason):
    with pytest.raises(Refused, match=reason):
        PublicKey.from_openssh(line)


def test_a_line_is_read_up_to_its_limit(ana):
    line = ana.public.openssh + " "
    assert PublicKey.from_openssh(line + "a" * (LINE_LIMIT - len(line))) == ana.public
    with pytest.raises(Refused, match="at most"):
        PublicKey.from_openssh(line + "a" * (LINE_LIMIT - len(line) + 1))


def test_data_after_the_key_is_refused(ana):
    with pytest.raises(Refused, match="follows the last field"):
        PublicKey.from_openssh(line_of(ana.public.blob + b"\0"))


@pytest.mark.parametrize("change", [" me", "\n", " "])
def test_a_key_in_a_record_has_one_spelling(ana, change):
    with pytest.raises(Refused, match="no comment"):
        PublicKey.from_record(ana.public.openssh + change)
