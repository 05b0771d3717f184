"""Which keys this person has: the agent's, those of the home folder, those in `~/.ssh`."""

from pathlib import Path

from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder
from medperf_git.signing.keys import PublicKey
from medperf_git.signing.signers import FileSigner, Keyring, Signer, generate_key, key_files_in


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


def make_key(context: Context, name: str, *, path: Path | None) -> tuple[Path, PublicKey]:
    """Make a key for me; the passphrase is asked, with `assume_yes` there is none."""
    target = (path or keys_folder(context.home) / name).absolute()
    asked = "Passphrase for the new key (empty for none)"
    passphrase = "" if context.assume_yes else context.person.new_passphrase(asked)
    private_folder(target.parent)
    return target, generate_key(target, passphrase=passphrase or None, comment=target.name)


def list_keys(context: Context) -> tuple[list[dict[str, str]], list[str]]:
    """Return the keys that can sign here, as plain values, and why a source gave none."""
    ring = gather_keys(context)
    rows = [
        {"fingerprint": signer.public.fingerprint, "where": _where(signer), "key": signer.public.openssh}
        for signer in ring.signers
    ]
    return rows, [problem.message for problem in ring.problems]


def _where(signer: Signer) -> str:
    if isinstance(signer, FileSigner):
        return str(signer.path)
    return f"ssh-agent {getattr(signer, 'comment', '')}".rstrip()
