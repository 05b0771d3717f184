"""Real keys, a real agent: what the tests of signing share."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from medperf_git.signing.keys import PublicKey
from medperf_git.signing.statement import Statement

RECORD = b'kind: "member"\nspec: 1\n'
PATH = "members/ana/0001.yaml"
REGISTRY = "mg1:" + "ab" * 32
HEAD = "0123456789abcdef0123456789abcdef01234567"
MOMENT = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


class SeedSigner:
    """A signer with a fixed key, made of one repeated byte."""

    def __init__(self, byte: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32)
        self.public = PublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


@pytest.fixture
def ana() -> SeedSigner:
    return SeedSigner(1)


@pytest.fixture
def bob() -> SeedSigner:
    return SeedSigner(2)


@pytest.fixture
def statement() -> Statement:
    return Statement.about(PATH, RECORD, registry=REGISTRY, head=HEAD, signer="ana", signed_at=MOMENT)


KeyMaker = Callable[..., Path]


@pytest.fixture
def ssh_keygen(tmp_path: Path) -> KeyMaker:
    """Make a key with OpenSSH's own tool."""

    def make(name: str = "id", *, kind: str = "ed25519", passphrase: str = "", options: tuple[str, ...] = ()) -> Path:
        path = tmp_path / name
        command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "a comment", "-f", str(path), *options]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        return path

    return make


@pytest.fixture
def agent_socket(tmp_path: Path) -> Iterator[Path]:
    """Run a real ssh-agent for the time of a test."""
    path = tmp_path / "agent.sock"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        yield path
        agent.terminate()


def ssh_add(socket_path: Path, *arguments: str | Path) -> None:
    """Run ssh-add against the agent at `socket_path`."""
    environment = {"SSH_AUTH_SOCK": str(socket_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(
        ["ssh-add", *map(str, arguments)],
        check=True,
        capture_output=True,
        env=environment,
        timeout=30,
    )
