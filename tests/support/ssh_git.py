"""A Git host of its own: a real sshd on loopback that lets keys run Git and nothing else.

with serving(folder, keys) as host:
    host.url(repository)          # ssh://root@127.0.0.1:40022/…/heart.git
    own_ssh(home, key)            # a PATH for somebody whose ssh keeps to their own home
    host.trust(home)              # what a person writes once they have compared the fingerprint
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 15


@dataclass(frozen=True)
class SshHost:
    """Where the host is, and its own key."""

    port: int
    host_key: Path

    def url(self, repository: Path) -> str:
        """Return the address of a repository there."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{repository}"

    def trust(self, home: Path, key: str = "") -> None:
        """Let a person know the host by its key, or by another one."""
        trust(home, self.port, key or self.host_key.with_suffix(".pub").read_text(encoding="utf-8"))


def own_ssh(home: Path, key: Path) -> str:
    """Return a PATH on which `ssh` uses this key and the hosts known in this home: ssh itself follows no HOME."""
    known, config = home / ".ssh" / "known_hosts", home / ".ssh" / "config"
    text = f"Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
    config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.write_text(text, encoding="utf-8")
    wrapper = home / "bin" / "ssh"
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o700)
    return f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"


def trust(home: Path, port: int, key: str) -> None:
    """Let a person know a host of this machine by its key."""
    line = " ".join([f"[127.0.0.1]:{port}", *key.split()[:2]])
    (home / ".ssh" / "known_hosts").write_text(line + "\n", encoding="utf-8")


@contextmanager
def serving(folder: Path, keys: Sequence[str]) -> Iterator[SshHost]:
    """Run an sshd that knows `keys` (lines of `authorized_keys`); its own key is made in `folder`."""
    host_key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    only_git = 'restrict,command="exec git-shell -c \\"$SSH_ORIGINAL_COMMAND\\""'
    allowed = folder / "allowed"
    allowed.write_text("".join(f"{only_git} {key}\n" for key in keys), encoding="utf-8")
    allowed.chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = folder / "sshd_config"
    lines = (
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {allowed}",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "StrictModes no",
        "PidFile none",
        "PermitRootLogin prohibit-password",
    )
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([sshd, "-D", "-f", config, "-E", folder / "sshd.log"]) as process:
        try:
            _wait(port, process)
            yield SshHost(port, host_key)
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd does not answer")
