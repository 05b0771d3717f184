"""A real ssh-agent, and one that lies."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.signing import agent
from medperf_git.signing.agent import AgentSigner, agent_signers
from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.wire import pack_string

from .conftest import ssh_add


def test_a_real_agent_lists_its_ed25519_keys_only_and_signs(agent_socket, ssh_keygen):
    ssh_add(agent_socket, ssh_keygen("rsa", kind="rsa"))
    ssh_add(agent_socket, ssh_keygen("one"))
    ssh_add(agent_socket, ssh_keygen("two"))
    signers = agent_signers(agent_socket)
    assert [signer.comment for signer in signers] == ["a comment", "a comment"]
    for signer in signers:
        assert is_valid(signer.public, signer.sign(b"text"), b"text")


def test_an_empty_agent_has_no_signers(agent_socket):
    assert agent_signers(agent_socket) == ()


def test_a_key_that_was_removed_meanwhile_does_not_sign(agent_socket, ssh_keygen):
    ssh_add(agent_socket, ssh_keygen())
    (signer,) = agent_signers(agent_socket)
    ssh_add(agent_socket, "-D")
    with pytest.raises(Refused, match="did not sign") as caught:
        signer.sign(b"text")
    assert "ssh-add -l" in caught.value.hint


def test_no_agent_at_all_says_how_to_start_one():
    with pytest.raises(EnvironmentProblem, match="SSH_AUTH_SOCK") as caught:
        agent_signers(None)
    assert "ssh-add" in caught.value.hint


def test_a_socket_of_a_dead_agent_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem, match="No such file"):
        agent_signers(tmp_path / "gone")


def test_a_socket_path_beyond_the_system_limit_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem, match="too long"):
        agent_signers(tmp_path / ("x" * 200))


def test_a_system_without_unix_sockets_is_told(monkeypatch, tmp_path):
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(EnvironmentProblem, match="no ssh-agent"):
        agent_signers(tmp_path / "any")


Serve = Callable[[bytes], Path]


@pytest.fixture
def lying_agent(tmp_path):
    """Answer one connection with given bytes, whatever was asked."""
    threads = []

    def serve(reply: bytes, *, linger: float = 0.0) -> Path:
        path = tmp_path / "lying.sock"
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            with server, server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(reply)
                time.sleep(linger)

        threads.append(threading.Thread(target=answer))
        threads[-1].start()
        return path

    yield serve
    for thread in threads:
        thread.join(timeout=5)


def listing(*entries: tuple[bytes, bytes], tail: bytes = b"") -> bytes:
    body = b"".join(pack_string(blob) + pack_string(comment) for blob, comment in entries)
    return pack_string(b"\x0c" + len(entries).to_bytes(4, "big") + body + tail)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"", "closed the connection"),
        (b"\0\0\0\x09\x0c", "closed the connection"),
        (b"\0\0\0\0", "answer of 0 bytes"),
        (b"\xff\xff\xff\xff", "answer of 4294967295 bytes"),
        (pack_string(b"\x05"), "does not list"),
        (pack_string(b"\x0c\xff\xff\xff\xff"), "malformed"),
        (pack_string(b"\x0c"), "malformed"),
        (listing(tail=b"x"), "follows the last field"),
    ],
)
def test_an_agent_that_answers_nonsense_is_reported(lying_agent, reply, reason):
    with pytest.raises(EnvironmentProblem, match=reason):
        agent_signers(lying_agent(reply))


def test_an_unusable_key_in_the_agent_does_not_hide_the_others(lying_agent, ana):
    weak = pack_string(b"ssh-ed25519") + pack_string(bytes(32))
    path = lying_agent(listing((weak, b""), (b"sk-ssh", b""), (ana.public.blob, b"\xff")))
    (signer,) = agent_signers(path)
    assert signer.public == ana.public


def test_an_agent_that_keeps_silent_is_not_waited_for(lying_agent, monkeypatch):
    monkeypatch.setattr(agent, "LIST_SECONDS", 0.2)
    with pytest.raises(EnvironmentProblem, match="in time"):
        agent_signers(lying_agent(b"", linger=0.6))


def test_an_agent_past_its_time_is_not_read_further():
    left, right = socket.socketpair()
    with left, right, pytest.raises(TimeoutError):
        agent._receive(left, 1, deadline=time.monotonic() - 1)


def signed(signature: bytes, kind: bytes = b"ssh-ed25519", tail: bytes = b"") -> bytes:
    return pack_string(b"\x0e" + pack_string(pack_string(kind) + pack_string(signature) + tail))


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (signed(bytes(64)), "does not verify"),
        (signed(bytes(63)), "does not verify"),
        (signed(bytes(64), kind=b"rsa-sha2-256"), "another type"),
        (signed(bytes(64), tail=b"x"), "follows the last field"),
        (pack_string(b"\x0e"), "malformed"),
    ],
)
def test_a_signature_from_the_agent_is_verified(lying_agent, ana, reply, reason):
    with pytest.raises(IntegrityBroken, match=reason):
        AgentSigner(ana.public, lying_agent(reply)).sign(b"text")


def test_ssh_tools_are_the_real_ones():
    assert subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.startswith("OpenSSH")
