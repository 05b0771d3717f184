"""A light copy of a registry on another machine: over TLS with a token, and over SSH, through the real hook."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from medperf_git.registry import transport
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, proposal_ref, submission_id, write_commit
from medperf_git.registry.history import line_between
from medperf_git.registry.light import LightSupply
from medperf_git.registry.light_start import begin_at
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.transport import (
    MAIN_REFSPEC,
    PROPOSALS_REFSPEC,
    UPSTREAM_MAIN,
    Access,
    Push,
    PushOutcome,
    fetch,
    mark_light,
    push,
)
from tests.story.test_light import pin_of, pinned
from tests.support.https_git import TOKEN, USER, serving
from tests.support.people import Human, Town
from tests.support.registry_builder import NORTH
from tests.support.story import RESULT, TREE, house_of, send


def test_over_tls_a_result_is_submitted_from_a_light_copy(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "LIGHT_DEPTH", 2)
    record = house_of(town).result(NORTH, TREE)
    with serving(town.folder, tmp_path, clock=town.clock) as host:
        north = Human("north", town.folder / "laptops/north", town.clock)
        helper = f"!f() {{ echo username={USER}; echo password={TOKEN}; }}; f"
        (north.folder / ".gitconfig").write_text(f'[credential]\n\thelper = "{helper}"\n', encoding="utf-8")
        monkeypatch.setenv("SSL_CERT_FILE", str(host.certificate))
        address = f"{host.url}/heart.git#{pinned(town).partition('#')[2]}"
        north.run("registry", "add", address, "--light")
        north.run("join", "--as", "north", "--key", north.key, "--yes", code=1)
        assert send(north, record).merged
        assert ("git-receive-pack", USER) in host.asked
        north.run("sync")
        assert pin_of(north).commit == town.main
        assert pin_of(north).trusted is not None


@dataclass(frozen=True)
class Ssh:
    """A server on loopback, and the configuration by which it is reached."""

    url: str
    config: Path


@pytest.fixture
def ssh(town: Town, tmp_path: Path) -> Iterator[Ssh]:
    """Serve the registry by an SSH server of its own, which passes on no protocol version: Git speaks its oldest."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert server, "install openssh-server: `make tools`"
    keys = tmp_path / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name], check=True)
    (keys / "user.pub").rename(keys / "authorized")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (keys / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys}/host\nAuthorizedKeysFile {keys}/authorized\n"
        "PasswordAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n"
        f"PermitRootLogin prohibit-password\nSetEnv HOME={tmp_path}\n"
    )
    host_key = (keys / "host.pub").read_text(encoding="utf-8")
    (keys / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    (keys / "config").write_text(
        f"Host *\n  IdentityFile {keys}/user\n  IdentitiesOnly yes\n  UserKnownHostsFile {keys}/known\n"
        "  StrictHostKeyChecking yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([server, "-D", "-f", keys / "sshd", "-E", keys / "log"]) as process:
        try:
            _wait_for(port, process)
            yield Ssh(f"ssh://{getpass.getuser()}@127.0.0.1:{port}{town.repository}", keys / "config")
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the SSH server does not answer")


@pytest.mark.skipif(sys.platform == "win32", reason="there is another server there")
def test_over_ssh_an_old_protocol_serves_a_light_copy_too(town: Town, ssh: Ssh, tmp_path: Path) -> None:
    house = house_of(town)
    store, remote, access = open_copy(tmp_path / "copy.git"), Remote.parse(ssh.url), Access(ssh_config=ssh.config)
    mark_light(store.path, 2)
    supply = LightSupply(store, remote, lambda: access)
    store.supply = supply
    fetch(store.path, remote, [MAIN_REFSPEC, PROPOSALS_REFSPEC], access=access)
    main = store.ref(UPSTREAM_MAIN)
    assert main == town.main
    assert begin_at(store, main, expected=house.id, now=town.clock()).trusted == main
    assert Snapshot.at(store, main).blob(RESULT) == house.files[RESULT]
    assert len(line_between(store, main, None)) == 20 * int(town.git("rev-list", "--count", "--first-parent", "main"))
    proposal = house.propose(house.result(NORTH, TREE)).sign("north", head=main)
    commit = write_commit(
        store, main, proposal.files, message="Add\n", author=Author("north", "north@example.invalid", town.clock())
    )
    ref = proposal_ref(submission_id(proposal.files))
    (result,) = push(store.path, remote, [Push(ref, commit)], access=access)
    assert result.outcome is PushOutcome.ACCEPTED
    assert town.git("rev-parse", ref) == commit
    assert supply.questions > 5
