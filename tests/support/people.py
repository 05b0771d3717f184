"""People with fixed keys and their own home folders, and a registry they share through real Git and the real hook.

town = Town(tmp_path)
ana = town.found("ana")                  # begins the registry
bob = town.join("bob")                   # joins, and ana admits
bob.run("status").out                    # in this process, through the boundary
bob.spawn("status").stdout               # as a program
bob.run("sign", "0123", code=1).err      # a code other than 0 must be named
"""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from medperf_git.cli import boundary, session
from medperf_git.flows.context import Context
from medperf_git.flows.workspace import Workspace
from medperf_git.signing.files import FileSigner
from medperf_git.signing.keys import PublicKey
from tests.support.clock import TestClock

_KEPT = ("PATH", "SSL_CERT_FILE", "LANG", "TMPDIR", "DOCKER_HOST", "COVERAGE_PROCESS_START")


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """The standard output as JSON."""
        return json.loads(self.out)


class NobodyThere:
    """A person who is never asked anything; a question fails the test."""

    def passphrase(self, prompt: str) -> str:
        """Fail: no test key has a passphrase."""
        raise AssertionError(prompt)

    def new_passphrase(self, prompt: str) -> str:
        """Fail: no test key has a passphrase."""
        raise AssertionError(prompt)

    def confirm(self, question: str) -> bool:
        """Fail: tests say --yes."""
        raise AssertionError(question)


@dataclass
class Human:
    """One person on an own machine: a name, a home folder, a clock, keys that follow from the name."""

    name: str
    folder: Path
    clock: TestClock = field(default_factory=TestClock)

    def __post_init__(self) -> None:
        """Write the two keys."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, seed in ((self.key, self.name), (self.recovery, f"{self.name}:recovery")):
            write_key(path, seed)

    @property
    def home(self) -> Path:
        """The home folder of medperf-git."""
        return self.folder / "medperf-git"

    @property
    def key(self) -> Path:
        """The file of the signing key."""
        return self.folder / ".ssh" / "id_ed25519"

    @property
    def recovery(self) -> Path:
        """A second key, for what needs one."""
        return self.folder / "recovery" / "key"

    @property
    def environ(self) -> dict[str, str]:
        """The whole environment of this person's programs."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": str(self.folder), "MEDPERF_GIT_HOME": str(self.home)}

    def run(self, *argv: object, code: int = 0) -> Said:
        """Run one command in this process; AssertionError when it ends otherwise than with `code`."""
        out, err = io.StringIO(), io.StringIO()
        with self.at_machine(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = boundary.main([str(word) for word in argv])
        said = Said(ended, out.getvalue(), err.getvalue())
        assert said.code == code, f"{self.name}: {argv} ended with {ended}\n{said.out}\n{said.err}"
        return said

    def spawn(self, *argv: object, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run one command as a program of its own."""
        command = [sys.executable, "-m", "medperf_git", *map(str, argv)]
        options: dict[str, Any] = {"env": self.environ, "capture_output": True, "text": True, "timeout": 120, **more}
        return subprocess.run(command, check=False, **options)

    def context(self, registry: str | None = None) -> Context:
        """Return the context of this person for calling flows directly."""
        return Context(self.home, self.clock, NobodyThere(), lambda _: None, registry, self.environ, assume_yes=True)

    def workspace(self) -> Workspace:
        """Open the current registry, with what is new in it."""
        workspace = Workspace.open(self.context())
        workspace.refresh()
        return workspace

    def signer(self) -> FileSigner:
        """Return who signs as this person."""
        return FileSigner.load(self.key)

    @contextlib.contextmanager
    def at_machine(self) -> Iterator[None]:
        """Be this person: environment and clock."""
        with mock.patch.dict(os.environ, self.environ, clear=True), mock.patch.object(session, "now", self.clock):
            yield


@dataclass
class Town:
    """People around one registry, a bare repository with the hook in a temporary folder."""

    folder: Path
    name: str = "heart"
    people: dict[str, Human] = field(default_factory=dict)
    clock: TestClock = field(default_factory=TestClock)

    @property
    def repository(self) -> Path:
        """The bare repository that everybody pushes to."""
        return self.folder / f"{self.name}.git"

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.repository)

    @property
    def founder(self) -> Human:
        """Who began the registry."""
        return next(iter(self.people.values()))

    def human(self, name: str) -> Human:
        """Return a person of this town; all share one clock."""
        if name not in self.people:
            self.people[name] = Human(name, self.folder / "people" / name, self.clock)
        return self.people[name]

    def found(self, name: str) -> Human:
        """Let somebody begin the registry."""
        human = self.human(name)
        human.run("init", self.url, "--name", self.name, "--as", name, "--key", human.key, "--yes")
        # The hook has the machine's clock, the people of a town one of their own, which stands still.
        self.git("config", "medperf-git.stepAge", str(100 * 365 * 86400))
        return human

    def add(self, name: str) -> Human:
        """Let somebody know the registry without being a member."""
        human = self.human(name)
        human.run("registry", "add", self.url)
        return human

    def ask(self, name: str) -> Human:
        """Let somebody ask to join."""
        human = self.human(name)
        human.run("join", self.url, "--as", name, "--key", human.key, "--yes")
        return human

    def join(self, name: str) -> Human:
        """Let somebody join and be admitted by the founder."""
        human = self.ask(name)
        self.founder.run("admit", name, "--yes")
        human.run("sync")
        return human

    def git(self, *argv: str, check: bool = True) -> str:
        """Run git in the bare repository, as nobody in particular."""
        command = ["git", f"--git-dir={self.repository}", *argv]
        done = subprocess.run(command, capture_output=True, text=True, check=check, env=git_environ())
        return done.stdout.strip()

    @property
    def main(self) -> str:
        """The commit of main."""
        return self.git("rev-parse", "refs/heads/main")


def git_environ() -> dict[str, str]:
    """Return an environment in which git sees no configuration but the repository's."""
    who = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in _WHO.items()}
    fixed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    return {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent", **fixed, **who}


_WHO = {"NAME": "mallory", "EMAIL": "mallory@example.invalid", "DATE": "2026-11-25T11:08:00Z"}


def write_key(path: Path, seed: str) -> PublicKey:
    """Write an OpenSSH key pair that follows from a text."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed.encode()).digest())
    public = PublicKey(private.public_key().public_bytes_raw())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.with_name(path.name + ".pub").write_text(f"{public.openssh} {seed}\n", encoding="utf-8")
    return public
