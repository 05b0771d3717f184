"""Which keys this person has: the agent's, those of the home folder, those in `~/.ssh`."""

from pathlib import Path

from medperf_git.flows.context import Context
from medperf_git.signing.signers import Keyring, key_files_in


def gather_keys(context: Context, *, extra: str | None = None) -> Keyring:
    """Look for every Ed25519 key; nothing is decrypted and nobody is asked yet."""
    socket = context.environ.get("SSH_AUTH_SOCK")
    files = [Path(extra)] if extra else []
    files += key_files_in(keys_folder(context.home))
    if own := context.environ.get("HOME"):
        files += key_files_in(Path(own) / ".ssh")
    return Keyring.gather(
        agent_socket=Path(socket) if socket else None,
        key_files=dict.fromkeys(files),
        passphrase=lambda path: context.person.passphrase(f"Passphrase of {path}"),
    )


def keys_folder(home: Path) -> Path:
    """Return the folder in which keys are made."""
    return home / "keys"
