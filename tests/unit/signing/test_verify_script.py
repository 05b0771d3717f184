"""scripts/verify-result.sh: anybody verifies with openssl, jq and sha256sum alone (P6)."""

import base64
import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from medperf_git.signing.bundle import Bundle, make_bundle, pae

from .conftest import RECORD, REGISTRY, SeedSigner

SCRIPT = Path(__file__).parents[3] / "scripts" / "verify-result.sh"


@dataclass
class Folder:
    """A record, its bundle and a key, as files that a test may change; runs the script on them."""

    home: Path

    @property
    def record(self) -> Path:
        return self.home / "0001.yaml"

    @property
    def bundle(self) -> Path:
        return self.home / "bundle.json"

    @property
    def key(self) -> Path:
        return self.home / "key.pub"

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        (self.home / "tmp").mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": str(self.home / "tmp")}
        command = ["bash", SCRIPT, self.record, self.bundle, self.key, *more]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert list((self.home / "tmp").iterdir()) == []
        return done

    def refuses(self, reason: str, *more: str) -> None:
        done = self.run(*more)
        assert done.returncode == 1, done
        assert done.stderr.startswith("NOT VERIFIED: "), done.stderr
        assert reason in done.stderr
        assert done.stdout == ""


@pytest.fixture
def folder(tmp_path: Path, statement, ana) -> Folder:
    made = Folder(tmp_path)
    made.record.write_bytes(RECORD)
    made.bundle.write_bytes(make_bundle(statement, ana))
    made.key.write_text(ana.public.openssh + " ana\n")
    return made


@pytest.mark.parametrize("more", [(), (REGISTRY,)])
def test_a_good_result_verifies(folder, ana, more):
    done = folder.run(*more)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"VERIFIED: members/ana/0001.yaml, signed by ana with {ana.public.fingerprint} "
        f"at 2026-11-25T10:00:00Z for {REGISTRY}\n"
    )


@pytest.mark.parametrize("form", ["pem", "no line end", "dos line end"])
def test_the_key_may_come_in_other_forms(folder, ana, form):
    forms = {"pem": ana.public.to_pem(), "no line end": ana.public.openssh, "dos line end": ana.public.openssh + "\r\n"}
    folder.key.write_text(forms[form])
    assert folder.run().returncode == 0


def test_T57_one_flipped_byte_in_the_record_is_named(folder):
    folder.record.write_bytes(RECORD.replace(b"1", b"2"))
    folder.refuses("which is not what was signed")


def test_every_flipped_byte_of_the_envelope_is_refused(folder, statement, ana):
    data = make_bundle(statement, ana)
    for position in range(0, len(data), 41):
        folder.bundle.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        folder.refuses("")


def change(folder: Folder, *path: str | int, to: object) -> None:
    value = json.loads(folder.bundle.read_bytes())
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    folder.bundle.write_text(json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n")


@pytest.mark.parametrize(
    ("path", "to", "reason"),
    [
        (("mediaType",), "x", "another mediaType"),
        (("dsseEnvelope", "payloadType"), "x", "another payloadType"),
        (("dsseEnvelope", "signatures"), [], "exactly one signature"),
        (("dsseEnvelope", "signatures", 0, "keyid"), "x", "keyid is not that of the key"),
        (("dsseEnvelope", "signatures", 0, "sig"), "!", "signature is not base64"),
        (("dsseEnvelope", "payload"), "!", "payload is not base64"),
        (("dsseEnvelope", "payload"), "AAAA", "not by this key"),
        (("verificationMaterial", "publicKey", "hint"), "x", "hint is not that of the key"),
        (("verificationMaterial", "tlogEntries"), [{}], "hint is not that of the key"),
    ],
)
def test_a_changed_envelope_names_its_reason(folder, path, to, reason):
    change(folder, *path, to=to)
    folder.refuses(reason)


def test_one_flipped_byte_of_the_signature_is_named(folder):
    signature = bytearray(
        base64.b64decode(json.loads(folder.bundle.read_bytes())["dsseEnvelope"]["signatures"][0]["sig"])
    )
    signature[5] ^= 1
    change(folder, "dsseEnvelope", "signatures", 0, "sig", to=base64.b64encode(signature).decode())
    folder.refuses("not by this key over this payload")


@pytest.mark.parametrize(
    ("spell", "reason"),
    [
        (lambda b: b[:-1], "not printable ASCII"),
        (lambda b: b + b"\n", "not printable ASCII"),
        (lambda b: b + b" ", "not canonical"),
        (lambda b: b.replace(b'"mediaType"', b'"mediaType":"x","mediaType"'), "not canonical"),
        (lambda b: b"", "not printable ASCII"),
    ],
)
def test_another_spelling_of_the_bundle_is_named(folder, spell, reason):
    folder.bundle.write_bytes(spell(folder.bundle.read_bytes()))
    folder.refuses(reason)


def test_another_key_is_named(folder, bob):
    folder.key.write_text(bob.public.openssh)
    folder.refuses("keyid is not that of the key")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ssh-rsa AAAA", "not an ssh-ed25519 key"),
        ("ssh-ed25519 !!!", "not base64"),
        ("ssh-ed25519 AAAA", "not an Ed25519 key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a PEM public key"),
        ("", "not an ssh-ed25519 key"),
    ],
)
def test_a_file_that_holds_no_key_is_named(folder, text, reason):
    folder.key.write_text(text)
    folder.refuses(reason)


def test_one_flipped_byte_of_the_key_is_named(folder, ana):
    line = ana.public.openssh
    folder.key.write_text(line[:60] + ("A" if line[60] != "A" else "B") + line[61:])
    folder.refuses("keyid is not that of the key")


def test_T10_another_registry_is_named(folder):
    folder.refuses("not mg1:other", "mg1:other")


def test_a_record_of_another_name_is_named(folder, statement, ana):
    folder.bundle.write_bytes(make_bundle(replace(statement, path="members/ana/0002.yaml"), ana))
    folder.refuses("what was signed is members/ana/0002.yaml")


def signed(ana: SeedSigner, payload: bytes) -> bytes:
    return Bundle(payload, ana.sign(pae(payload)), ana.public.fingerprint).render()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Statement/v1", b"Statement/v9", "another _type"),
        (b"registry-statement/v1", b"registry-statement/v9", "another predicateType"),
        (b'"subject":[', b'"subject":["x",', "exactly one subject"),
        (b'"ana"', b'"\x1b]8;;"', "not printable ASCII"),
        (b'"ana"', b'"ana","signer":"ana"', "not canonical"),
        (b'"ana"', b'"a\\u006ea"', "not canonical"),
    ],
)
def test_T56_another_statement_is_named_even_when_it_is_signed(folder, statement, ana, old, new, reason):
    folder.bundle.write_bytes(signed(ana, statement.payload().replace(old, new)))
    folder.refuses(reason)


def test_wrong_usage_exits_with_two(folder):
    usage = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert usage.returncode == 2
    assert "usage" in usage.stderr
    folder.key.unlink()
    assert folder.run().returncode == 2


def test_an_openssl_that_cannot_verify_is_named(folder, monkeypatch, tmp_path):
    old = tmp_path / "bin"
    old.mkdir()
    (old / "openssl").write_text('#!/bin/sh\n[ "$1" = version ] && echo OpenSSL 1.1.1w\nexit 0\n')
    (old / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{old}:{os.environ['PATH']}")
    folder.refuses("OpenSSL 1.1.1w cannot verify Ed25519 here")


def test_the_script_stays_short():
    assert len(SCRIPT.read_text().splitlines()) <= 60
