"""Private keys in files, made by OpenSSH and by us."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, MedperfGitError, Refused
from medperf_git.signing import files
from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.files import FileSigner, generate_key
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.wire import pack_string


def never(path: Path) -> str:
    raise AssertionError("nobody should be asked")


def armour(body: bytes) -> bytes:
    text = base64.b64encode(body)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + b"\n-----END OPENSSH PRIVATE KEY-----\n"


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_an_open_key_of_ssh_keygen_signs_without_a_question(ssh_keygen):
    path = ssh_keygen()
    signer = FileSigner.load(path, passphrase=never)
    assert signer.public == PublicKey.from_openssh(Path(f"{path}.pub").read_text())
    assert is_valid(signer.public, signer.sign(b"text"), b"text")


@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-gcm@openssh.com"])
def test_a_protected_key_asks_once_and_only_to_sign(ssh_keygen, cipher):
    path = ssh_keygen(passphrase="open sesame", options=("-Z", cipher))
    asked = []
    signer = FileSigner.load(path, passphrase=lambda which: asked.append(which) or "open sesame")
    assert asked == []
    assert is_valid(signer.public, signer.sign(b"one"), b"one")
    assert is_valid(signer.public, signer.sign(b"two"), b"two")
    assert asked == [path]


@pytest.mark.parametrize("answer", ["shut", ""])
def test_a_wrong_passphrase_is_refused_and_not_asked_again(ssh_keygen, answer):
    asked = []
    signer = FileSigner.load(ssh_keygen(passphrase="open"), passphrase=lambda path: asked.append(path) or answer)
    for _ in range(2):
        with pytest.raises(Refused, match="does not open"):
            signer.sign(b"text")
    assert len(asked) == 1


def test_a_protected_key_with_nobody_to_ask_names_the_agent(ssh_keygen):
    signer = FileSigner.load(ssh_keygen(passphrase="open"))
    with pytest.raises(EnvironmentProblem, match="needs a passphrase") as caught:
        signer.sign(b"text")
    assert "ssh-add" in caught.value.hint


def test_a_cipher_that_is_not_known_names_the_way_out(ssh_keygen):
    signer = FileSigner.load(
        ssh_keygen(passphrase="open", options=("-Z", "chacha20-poly1305@openssh.com")), passphrase=lambda path: "open"
    )
    with pytest.raises(EnvironmentProblem, match="not known here") as caught:
        signer.sign(b"text")
    assert "ssh-keygen -p -Z aes256-ctr" in caught.value.hint


def test_a_file_that_others_may_read_is_refused_with_the_command(ssh_keygen):
    path = ssh_keygen()
    path.chmod(0o640)
    with pytest.raises(Refused, match="others on this machine") as caught:
        FileSigner.load(path)
    assert f"chmod 600 {path}" in caught.value.hint


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem, match="No such file"):
        FileSigner.load(tmp_path / "id")


def test_a_folder_is_no_key(tmp_path):
    with pytest.raises(Refused, match="not a file"):
        FileSigner.load(tmp_path)


def test_a_large_file_is_no_key(tmp_path):
    with pytest.raises(Refused, match="too large"):
        FileSigner.load(write(tmp_path / "id", b"x" * 70_000))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_private_key_of_another_kind_is_refused_with_what_to_do(ssh_keygen, kind):
    with pytest.raises(Refused, match="cannot sign here") as caught:
        FileSigner.load(ssh_keygen(kind=kind))
    assert "key new" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"ssh-ed25519 AAAA", "a public key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a key in PEM format"),
        (b"hello", "something else"),
        (b"\xff", "not a readable"),
        (armour(b"x")[:36] + b"!!" + armour(b"x")[36:], "not a readable"),
        (armour(b"another-mark-v1\0"), "mark `openssh-key-v1`"),
        (armour(b"openssh-key-v1\0" + pack_string(b"none") * 2 + pack_string(b"") + b"\0\0\0\2"), "2 keys"),
        (armour(b"openssh-key-v1\0\xff\xff\xff\xff"), "inside a field"),
    ],
)
def test_a_file_that_is_no_openssh_private_key_is_refused(tmp_path, data, reason):
    with pytest.raises(Refused, match=reason):
        FileSigner.load(write(tmp_path / "id", data))


def body_of(path: Path) -> bytearray:
    return bytearray(base64.b64decode("".join(path.read_text().splitlines()[1:-1])))


def test_a_damaged_private_half_is_refused(ssh_keygen):
    path = ssh_keygen()
    write(path, armour(bytes(body_of(path)[:-40])))
    with pytest.raises(Refused, match="damaged"):
        FileSigner.load(path).sign(b"text")


def test_halves_of_two_keys_never_sign(ssh_keygen):
    path, other = ssh_keygen("one"), FileSigner.load(ssh_keygen("two"))
    body = body_of(path)
    own = FileSigner.load(path).public.raw
    start = body.find(own)
    body[start : start + 32] = other.public.raw
    signer = FileSigner.load(write(path, armour(bytes(body))))
    with pytest.raises(MedperfGitError) as caught:
        signer.sign(b"text")
    assert isinstance(caught.value, IntegrityBroken | Refused)


def test_a_library_that_returns_another_key_is_not_believed(ssh_keygen, ana, monkeypatch):
    monkeypatch.setattr(files, "load_ssh_private_key", lambda data, passphrase: ana.private)
    with pytest.raises(IntegrityBroken, match="do not belong together"):
        FileSigner.load(ssh_keygen()).sign(b"text")


@pytest.mark.parametrize("passphrase", [None, "", "open sesame"])
def test_a_generated_key_is_one_that_openssh_reads(tmp_path, passphrase):
    path = tmp_path / "new" / "id"
    public = generate_key(path, passphrase=passphrase, comment="ana@example")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    command = ["ssh-keygen", "-y", "-P", passphrase or "", "-f", path]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.split()[:2] == public.openssh.split()
    assert Path(f"{path}.pub").read_text() == f"{public.openssh} ana@example\n"
    signer = FileSigner.load(path, passphrase=lambda which: passphrase or "")
    assert is_valid(public, signer.sign(b"text"), b"text")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["id", "id.pub"]


@pytest.mark.parametrize("taken", ["id", "id.pub"])
def test_a_generated_key_never_overwrites(tmp_path, taken):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(Refused, match="exists already"):
        generate_key(tmp_path / "id", passphrase=None)
    assert [entry.name for entry in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "mine"


def test_a_comment_of_two_lines_is_refused(tmp_path):
    with pytest.raises(Refused, match="one line"):
        generate_key(tmp_path / "id", passphrase=None, comment="a\nb")


def test_a_disk_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(EnvironmentProblem, match="No space left"):
        generate_key(tmp_path / "id", passphrase=None)
    assert list(tmp_path.iterdir()) == []


def test_a_system_without_posix_modes_is_not_asked_for_them(ssh_keygen, tmp_path, monkeypatch):
    path = ssh_keygen()
    path.chmod(0o644)
    monkeypatch.setattr(files.os, "name", "other")
    assert FileSigner.load(path).public
    generate_key(tmp_path / "new", passphrase=None)
    monkeypatch.undo()
    assert os.name == "posix"
