"""Private keys in OpenSSH files, read with care and written once.

A file that others may read is refused, as ssh does. The public half stands in the clear, so a passphrase is asked
only when something is to be signed, and at most once for each `FileSigner`. A new key never overwrites a file.
"""

import base64
import binascii
import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.signing.keys import MAKE_ONE, PublicKey
from medperf_git.signing.wire import FieldReader

AskPassphrase = Callable[[Path], str]

FILE_LIMIT = 64 * 1024
_BEGIN, _END = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"


class FileSigner:
    """Guards one private key: opened at the first signature, its passphrase asked at most once."""

    __slots__ = ("_ask", "_data", "_fault", "_private", "_protected", "path", "public")

    def __init__(self, path: Path, data: bytes, *, passphrase: AskPassphrase | None = None) -> None:
        self.path = path
        self.public, self._protected = _read_outside(path, data)
        self._data = data
        self._ask = passphrase
        self._private: Ed25519PrivateKey | None = None
        self._fault: Refused | None = None

    @classmethod
    def load(cls, path: Path, *, passphrase: AskPassphrase | None = None) -> Self:
        """Read the key file at `path`; a protected one is opened later, with what `passphrase(path)` returns.

        EnvironmentProblem: no such file, unreadable. Refused: others may read it, it is no OpenSSH Ed25519 key.
        """
        return cls(path, _read_guarded(path), passphrase=passphrase)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the pure Ed25519 signature over `message`; Refused on a wrong passphrase."""
        if self._fault:
            raise self._fault
        if self._private is None:
            self._private = self._open()
        return self._private.sign(message)

    def _open(self) -> Ed25519PrivateKey:
        passphrase = self._passphrase() if self._protected else None
        try:
            private = load_ssh_private_key(self._data, passphrase)
        except UnsupportedAlgorithm as error:
            hint = f"encrypt it again with `ssh-keygen -p -Z aes256-ctr -f {self.path}`"
            raise EnvironmentProblem(f"{self.path} is encrypted in a way not known here: {error}", hint=hint) from error
        except (ValueError, TypeError, InvalidTag) as error:
            self._fault = self._does_not_open()
            raise self._fault from error
        if not isinstance(private, Ed25519PrivateKey) or private.public_key().public_bytes_raw() != self.public.raw:
            hint = f"restore {self.path} from a backup, or {MAKE_ONE}"
            raise IntegrityBroken(f"the two halves of {self.path} do not belong together", hint=hint)
        return private

    def _passphrase(self) -> bytes:
        if self._ask is None:
            hint = f"run `ssh-add {self.path}` first, then the agent signs"
            raise EnvironmentProblem(f"{self.path} needs a passphrase and nobody can be asked here", hint=hint)
        return self._ask(self.path).encode()

    def _does_not_open(self) -> Refused:
        if self._protected:
            return Refused(f"the passphrase does not open {self.path}", hint="run the command again and type it anew")
        return Refused(f"{self.path} is damaged", hint=f"restore it from a backup, or {MAKE_ONE}")


def generate_key(path: Path, *, passphrase: str | None, comment: str = "") -> PublicKey:
    """Make a key pair: `path` (OpenSSH format, mode 0600) and `path`.pub; both new, or neither is written.

    Without a passphrase (None or empty) the file is not encrypted. Refused when either file exists already.
    """
    if not comment.isprintable():
        raise Refused("the comment of a key is one line without control characters", hint="give a shorter name")
    private = Ed25519PrivateKey.generate()
    public = PublicKey(private.public_key().public_bytes_raw())
    lock: KeySerializationEncryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock)
    public_path = path.with_name(path.name + ".pub")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _claimed(path), _claimed(public_path):
            _fill(public_path, f"{public.openssh} {comment}".rstrip().encode() + b"\n", mode=0o644)
            _fill(path, secret, mode=0o600)
    except OSError as error:
        hint = "choose a folder that exists and that you may write to"
        raise EnvironmentProblem(f"{path} could not be written: {error.strerror}", hint=hint) from error
    return public


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Take the name `path` with an empty file; give it back if the body fails. Refused when it is taken."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError as error:
        raise Refused(f"{path} exists already; a key is never overwritten", hint="choose another file name") from error
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _fill(path: Path, data: bytes, *, mode: int) -> None:
    """Replace the claimed file by `data` in one step that survives a crash."""
    handle, name = tempfile.mkstemp(prefix=".new-key-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read_guarded(path: Path) -> bytes:
    """Return the bytes of a regular file that only its owner may read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is not a file", hint="give the path of a private key, for example ~/.ssh/id_ed25519")
        if os.name == "posix" and status.st_mode & 0o077:
            raise Refused(f"others on this machine may read {path}", hint=f"run `chmod 600 {path}`")
        if status.st_size > FILE_LIMIT:
            raise Refused(f"{path} is too large for a key", hint="give the path of a private key")
        return path.read_bytes()
    except OSError as error:
        hint = "check the path, or make a key with `medperf-git key new`"
        raise EnvironmentProblem(f"the key file {path} cannot be read: {error.strerror}", hint=hint) from error


def _read_outside(path: Path, data: bytes) -> tuple[PublicKey, bool]:
    """Return the public half and whether the private half is encrypted (OpenSSH's PROTOCOL.key)."""
    try:
        text = data.decode("ascii").strip()
        if not (text.startswith(_BEGIN) and text.endswith(_END)):
            raise Refused(f"{path} is {_other_kind(text)}, not a private key in OpenSSH format", hint=MAKE_ONE)
        body = base64.b64decode("".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
        reader = FieldReader(body)
        if reader.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("the mark `openssh-key-v1` is missing")
        cipher, _kdf, _kdf_options, count = reader.string(), reader.string(), reader.string(), reader.number()
        if count != 1:
            raise ValueError(f"it holds {count} keys instead of one")
        return PublicKey.from_blob(reader.string()), cipher != b"none"
    except (ValueError, binascii.Error) as error:
        hint = f"restore it from a backup, or {MAKE_ONE}"
        raise Refused(f"{path} is not a readable OpenSSH private key: {error}", hint=hint) from error


def _other_kind(text: str) -> str:
    if text.startswith(("ssh-", "ecdsa-", "sk-")):
        return "a public key"
    if text.startswith("-----BEGIN"):
        return "a key in PEM format"
    return "something else"
