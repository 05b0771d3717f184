"""Who vouches, and how many."""

import base64
import hashlib
import subprocess
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from medperf_git.errors import IntegrityBroken
from medperf_git.records.digests import digest_of
from medperf_git.signing.bundle import Bundle, make_bundle, pae
from medperf_git.signing.curve import D, P
from medperf_git.signing.files import FileSigner
from medperf_git.signing.statement import Statement
from medperf_git.signing.verify import Vouch, count_keys, count_vouches, verify_bundle, verify_vouch
from medperf_git.signing.wire import FieldReader

from .conftest import PATH, RECORD, REGISTRY, SeedSigner


def test_a_bundle_verifies_with_its_key(statement, ana):
    assert verify_bundle(make_bundle(statement, ana), ana.public) == statement


def test_a_bundle_of_another_key_is_refused(statement, ana, bob):
    with pytest.raises(IntegrityBroken, match="was made with"):
        verify_bundle(make_bundle(statement, ana), bob.public)


def test_a_key_id_proves_nothing(statement, ana, bob):
    data = Bundle(statement.payload(), bob.sign(pae(statement.payload())), ana.public.fingerprint).render()
    with pytest.raises(IntegrityBroken, match="does not verify"):
        verify_bundle(data, ana.public)


def forged(ana: SeedSigner, statement: Statement, message: bytes) -> bytes:
    return Bundle(statement.payload(), ana.sign(message), ana.public.fingerprint).render()


def test_T55_signature_for_another_payload_type_is_refused(statement, ana):
    payload = statement.payload()
    message = b"DSSEv1 10 text/plain %d %s" % (len(payload), payload)
    with pytest.raises(IntegrityBroken, match="does not verify"):
        verify_bundle(forged(ana, statement, message), ana.public)


def test_T55_signature_over_the_bare_payload_is_refused(statement, ana):
    with pytest.raises(IntegrityBroken, match="does not verify"):
        verify_bundle(forged(ana, statement, statement.payload()), ana.public)


def test_T55_sshsig_is_refused(statement, ssh_keygen, tmp_path):
    path = ssh_keygen()
    (tmp_path / "pae").write_bytes(pae(statement.payload()))
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "file", "-f", path, tmp_path / "pae"], check=True, capture_output=True
    )
    blob = base64.b64decode("".join((tmp_path / "pae.sig").read_text().splitlines()[1:-1]))
    signature = blob[-64:]
    reader = FieldReader(blob[-(4 + 11 + 4 + 64) :])
    assert (reader.string(), reader.string()) == (b"ssh-ed25519", signature)
    public = FileSigner.load(path).public
    with pytest.raises(IntegrityBroken, match="does not verify"):
        verify_bundle(Bundle(statement.payload(), signature, public.fingerprint).render(), public)


def test_T55_ed25519ph_is_refused(statement, ana):
    signature = _sign_prehashed(bytes([1]) * 32, pae(statement.payload()))
    with pytest.raises(IntegrityBroken, match="does not verify"):
        verify_bundle(Bundle(statement.payload(), signature, ana.public.fingerprint).render(), ana.public)


def _sign_prehashed(seed: bytes, message: bytes) -> bytes:
    """Sign as RFC 8032 section 5.1 says for Ed25519ph, with plain affine arithmetic."""
    order = 2**252 + 27742317777372353535851937790883648493

    def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        product = D * a[0] * b[0] * a[1] * b[1] % P
        x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
        y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
        return x % P, y % P

    def times(scalar: int) -> bytes:
        base = (
            15112221349535400772501151409588531511454012693041857206046113283949847762202,
            46316835694926478169428394003475163141307993866256225615783033603165251855960,
        )
        total = (0, 1)
        for bit in f"{scalar:b}":
            total = add(total, total)
            total = add(total, base) if bit == "1" else total
        return (total[1] | (total[0] & 1) << 255).to_bytes(32, "little")

    def number(*parts: bytes) -> int:
        return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % order

    domain = b"SigEd25519 no Ed25519 collisions\x01\x00"
    secret = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(secret[:32], "little") & ((1 << 254) - 8) | 1 << 254
    public, digest = times(scalar), hashlib.sha512(message).digest()
    nonce = number(domain, secret[32:], digest)
    commitment = times(nonce)
    response = (nonce + number(domain, commitment, public, digest) * scalar) % order
    return commitment + response.to_bytes(32, "little")


def test_the_prehashing_of_these_tests_is_that_of_the_rfc():
    seed = bytes.fromhex("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
    assert _sign_prehashed(seed, b"abc").hex() == (
        "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
        "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
    )


def vouch(data: bytes, **changes: object) -> Vouch:
    arguments = {"path": PATH, "digest": digest_of(RECORD), "registry": REGISTRY} | changes
    return verify_vouch(data, **arguments)


def test_a_vouch_names_the_member_the_key_and_the_statement(statement, ana, bob):
    data = make_bundle(statement, ana)
    holders = [("bob", bob.public), ("ana", ana.public)]
    assert vouch(data, holders=holders) == Vouch("ana", ana.public, statement)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"path": "members/ana/0002.yaml"}, "not for members/ana/0002"),
        ({"digest": digest_of(RECORD + b"#")}, "other bytes"),
        ({"registry": "mg1:" + "cd" * 32}, "the registry"),
    ],
)
def test_T10_T57_a_statement_counts_only_where_it_belongs(statement, ana, changes, reason):
    with pytest.raises(IntegrityBroken, match=reason):
        vouch(make_bundle(statement, ana), holders=[("ana", ana.public)], **changes)


def test_T01_a_key_that_the_caller_does_not_name_does_not_count(statement, ana, bob):
    with pytest.raises(IntegrityBroken, match="not a key that counts here"):
        vouch(make_bundle(statement, ana), holders=[("bob", bob.public)])


def test_a_signer_that_does_not_hold_the_key_is_refused(statement, ana):
    data = make_bundle(replace(statement, signer="bob"), ana)
    with pytest.raises(IntegrityBroken, match="names bob"):
        vouch(data, holders=[("ana", ana.public)])


def test_T53_one_key_under_two_members_counts_once(statement, ana):
    holders = [("ana", ana.public), ("bob", ana.public)]
    vouches = [vouch(make_bundle(replace(statement, signer=member), ana), holders=holders) for member in ("ana", "bob")]
    assert [each.member for each in vouches] == ["ana", "bob"]
    assert count_vouches(vouches) == 1


def test_T53_two_keys_of_one_member_count_once(statement, ana, bob):
    vouches = [Vouch("ana", ana.public, statement), Vouch("ana", bob.public, statement)]
    assert count_vouches(vouches) == 1
    assert count_keys(vouches, "ana") == 2
    assert count_keys(vouches, "bob") == 0


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_best_pairing_of_members_and_keys_is_found(statement, ana, bob, order):
    shared, own = ana.public, bob.public
    vouches = [Vouch("ana", shared, statement), Vouch("bob", shared, statement), Vouch("bob", own, statement)]
    assert count_vouches([vouches[index] for index in order]) == 2


def test_a_longer_chain_of_pairings_is_found(statement):
    keys = [SeedSigner(byte).public for byte in range(1, 5)]
    held = {"ana": [0, 1], "bob": [0, 2], "cyd": [0], "dan": [1, 0], "eve": [0, 1]}
    vouches = [Vouch(member, keys[index], statement) for member, indexes in held.items() for index in indexes]
    assert count_vouches(vouches) == 3


def test_only_members_that_may_count_are_counted(statement, ana, bob):
    vouches = [Vouch("ana", ana.public, statement), Vouch("bob", bob.public, statement)]
    assert count_vouches(vouches) == 2
    assert count_vouches(vouches, among={"ana"}) == 1
    assert count_vouches([]) == 0


def test_cryptography_is_imported_here_only_by_signing():
    package = Path(__file__).parents[3] / "medperf_git"
    importing = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if "from cryptography" in path.read_text() or "import cryptography" in path.read_text()
    }
    assert importing == {"signing"}
