"""Who can sign here: the keys of an agent first, then those in files.

A source that fails does not hide the others; what went wrong with it is told when the wanted key is not found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from medperf_git.errors import MedperfGitError, Refused
from medperf_git.signing.agent import AgentSigner, agent_signers
from medperf_git.signing.files import AskPassphrase, FileSigner, generate_key
from medperf_git.signing.keys import KEY_TYPE, PublicKey

__all__ = [
    "AgentSigner",
    "AskPassphrase",
    "FileSigner",
    "Keyring",
    "Signer",
    "agent_signers",
    "find_signer",
    "generate_key",
    "key_files_in",
]


class Signer(Protocol):
    """Whoever can make a signature with one key."""

    @property
    def public(self) -> PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of a pure Ed25519 signature over `message`."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """The signers that were found, agent before files, each key once; and why a source gave none."""

    signers: tuple[Signer, ...]
    problems: tuple[MedperfGitError, ...] = ()

    @classmethod
    def gather(
        cls, *, agent_socket: Path | None, key_files: Iterable[Path], passphrase: AskPassphrase | None = None
    ) -> Self:
        """Look into the agent (unless None) and the files; nothing is decrypted and nobody is asked."""
        found: dict[PublicKey, Signer] = {}
        problems: list[MedperfGitError] = []
        if agent_socket is not None:
            try:
                for agent_signer in agent_signers(agent_socket):
                    found.setdefault(agent_signer.public, agent_signer)
            except MedperfGitError as problem:
                problems.append(problem)
        for path in key_files:
            try:
                file_signer = FileSigner.load(path, passphrase=passphrase)
                found.setdefault(file_signer.public, file_signer)
            except MedperfGitError as problem:
                problems.append(problem)
        return cls(tuple(found.values()), tuple(problems))

    def find(self, wanted: str) -> Signer:
        """Return the signer of a key line or a fingerprint `SHA256:…`; Refused tells where was looked."""
        fingerprint = PublicKey.from_openssh(wanted).fingerprint if wanted.startswith(f"{KEY_TYPE} ") else wanted
        for signer in self.signers:
            if signer.public.fingerprint == fingerprint:
                return signer
        told = "".join(f"; {problem.message}" for problem in self.problems)
        hint = next((problem.hint for problem in self.problems if problem.hint), "")
        raise Refused(
            f"the private half of {fingerprint} was not found among {len(self.signers)} keys here{told}",
            hint=hint or "run `ssh-add` with its file, or name the file of the key",
        )


def find_signer(
    wanted: str, *, agent_socket: Path | None, key_files: Iterable[Path], passphrase: AskPassphrase | None = None
) -> Signer:
    """Return who can sign with the key line or fingerprint `wanted`, the agent before a file (Refused)."""
    return Keyring.gather(agent_socket=agent_socket, key_files=key_files, passphrase=passphrase).find(wanted)


def key_files_in(folder: Path) -> tuple[Path, ...]:
    """List the private key files in `folder` (usually `~/.ssh`) whose .pub beside them is an Ed25519 key."""
    publics = sorted(folder.glob("*.pub")) if folder.is_dir() else []
    return tuple(path.with_suffix("") for path in publics if path.with_suffix("").is_file() and _is_usable(path))


def _is_usable(public_path: Path) -> bool:
    try:
        PublicKey.from_openssh(public_path.read_text(encoding="utf-8"))
    except (MedperfGitError, OSError, UnicodeDecodeError):
        return False
    return True
