"""Which signer is chosen."""

from pathlib import Path

import pytest

from medperf_git.errors import Refused
from medperf_git.signing.agent import AgentSigner
from medperf_git.signing.files import FileSigner
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.signers import Keyring, find_signer, key_files_in

from .conftest import ssh_add


def test_the_agent_is_chosen_before_the_file(agent_socket, ssh_keygen):
    one, two = ssh_keygen("one"), ssh_keygen("two", passphrase="open")
    ssh_add(agent_socket, one)
    line = Path(f"{one}.pub").read_text()
    assert isinstance(find_signer(line, agent_socket=agent_socket, key_files=[one, two]), AgentSigner)
    fingerprint = PublicKey.from_openssh(Path(f"{two}.pub").read_text()).fingerprint
    chosen = find_signer(fingerprint, agent_socket=agent_socket, key_files=[one, two], passphrase=lambda path: "open")
    assert isinstance(chosen, FileSigner)
    assert len(chosen.sign(b"text")) == 64


def test_a_key_that_is_nowhere_is_refused(ana):
    with pytest.raises(Refused, match="not found among 0 keys") as caught:
        find_signer(ana.public.openssh, agent_socket=None, key_files=[])
    assert "ssh-add" in caught.value.hint


def test_what_failed_is_told_when_the_key_is_not_found(ssh_keygen, tmp_path, ana):
    path = ssh_keygen()
    path.chmod(0o644)
    with pytest.raises(Refused, match=r"agent at .* failed.*others on this machine") as caught:
        find_signer(ana.public.fingerprint, agent_socket=tmp_path / "gone", key_files=[path])
    assert caught.value.hint


def test_a_failing_source_does_not_hide_the_others(ssh_keygen, tmp_path):
    keyring = Keyring.gather(agent_socket=tmp_path / "gone", key_files=[ssh_keygen(), tmp_path / "missing"])
    assert len(keyring.signers) == 1
    assert len(keyring.problems) == 2


def test_only_files_with_an_ed25519_key_beside_them_are_listed(ssh_keygen, tmp_path):
    good = ssh_keygen("good")
    ssh_keygen("old", kind="rsa")
    (tmp_path / "alone.pub").write_text(Path(f"{good}.pub").read_text())
    (tmp_path / "odd").write_text("")
    (tmp_path / "odd.pub").write_bytes(b"\xff")
    assert key_files_in(tmp_path) == (good,)
    assert key_files_in(tmp_path / "nowhere") == ()
