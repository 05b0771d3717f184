"""Keys in a running ssh-agent, spoken to over its socket (draft-miller-ssh-agent).

Only plain Ed25519 keys are seen. An agent is another program: its answers are bounded in size and time, and a
signature it returns is verified before it is used.
"""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, Refused
from medperf_git.signing.ed25519 import is_valid
from medperf_git.signing.keys import KEY_TYPE, PublicKey
from medperf_git.signing.wire import FieldReader, pack_string

REQUEST_IDENTITIES, IDENTITIES_ANSWER = 11, 12
SIGN_REQUEST, SIGN_RESPONSE = 13, 14
REPLY_LIMIT = 256 * 1024  # as OpenSSH's own
LIST_SECONDS = 5.0
SIGN_SECONDS = 60.0  # an agent may ask its owner to confirm

_USE_A_FILE = "start one with `eval $(ssh-agent)` and `ssh-add`, or name a key file"


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """One Ed25519 key that an agent holds."""

    public: PublicKey
    socket_path: Path
    comment: str = ""

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes that the agent signs `message` with; Refused when it will not.

        EnvironmentProblem: the agent is gone or does not answer. IntegrityBroken: its signature does not verify.
        """
        flags = bytes(4)
        request = bytes([SIGN_REQUEST]) + pack_string(self.public.blob) + pack_string(message) + flags
        reply = _ask(self.socket_path, request, seconds=SIGN_SECONDS)
        if reply[:1] != bytes([SIGN_RESPONSE]):
            hint = (
                f"is the key still there (`ssh-add -l`), and did you confirm? If not, `ssh-add` {self.comment}".rstrip()
            )
            raise Refused(f"the ssh-agent did not sign with {self.public.fingerprint}", hint=hint)
        signature = _read_signature(reply[1:])
        if not is_valid(self.public, signature, message):
            raise IntegrityBroken("the signature from the ssh-agent does not verify", hint="use the key file instead")
        return signature


def agent_signers(socket_path: Path | None) -> tuple[AgentSigner, ...]:
    """List the Ed25519 keys of the agent at `socket_path` (usually `$SSH_AUTH_SOCK`), in the agent's order.

    EnvironmentProblem when there is no agent, or it does not speak the protocol.
    """
    if socket_path is None:
        raise EnvironmentProblem("no ssh-agent is running (SSH_AUTH_SOCK is not set)", hint=_USE_A_FILE)
    reply = _ask(socket_path, bytes([REQUEST_IDENTITIES]), seconds=LIST_SECONDS)
    if reply[:1] != bytes([IDENTITIES_ANSWER]):
        raise EnvironmentProblem("the ssh-agent does not list its keys", hint="is it locked? `ssh-add -X` unlocks it")
    found = []
    try:
        reader = FieldReader(reply[1:])
        for _ in range(reader.number()):
            blob, comment = reader.string(), reader.string()
            if blob.startswith(pack_string(KEY_TYPE.encode())):
                found.append((blob, comment.decode("utf-8", "replace")))
        reader.finish()
    except ValueError as error:
        raise EnvironmentProblem(f"the ssh-agent's list of keys is malformed: {error}", hint=_USE_A_FILE) from error
    return tuple(signer for blob, comment in found for signer in _usable(blob, socket_path, comment=comment))


def _usable(blob: bytes, socket_path: Path, *, comment: str) -> tuple[AgentSigner, ...]:
    """Return the signer of a listed key, or nothing for a key that could never sign here."""
    try:
        return (AgentSigner(PublicKey.from_blob(blob), socket_path, comment),)
    except Refused:
        return ()


def _read_signature(reply: bytes) -> bytes:
    try:
        outer = FieldReader(reply)
        inner = FieldReader(outer.string())
        outer.finish()
        if inner.string() != KEY_TYPE.encode():
            raise ValueError("it is of another type")
        signature = inner.string()
        inner.finish()
    except ValueError as error:
        raise IntegrityBroken(f"the ssh-agent's signature is malformed: {error}", hint="use the key file") from error
    return signature


def _ask(socket_path: Path, request: bytes, *, seconds: float) -> bytes:
    """Send one request on a connection of its own; return the answer without its length, within `seconds`."""
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise EnvironmentProblem("this system has no ssh-agent that can be spoken to", hint="name a key file")
    deadline = time.monotonic() + seconds
    try:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(socket_path))
            connection.sendall(pack_string(request))
            size = int.from_bytes(_receive(connection, 4, deadline=deadline), "big")
            if not 1 <= size <= REPLY_LIMIT:
                raise EnvironmentProblem(f"the ssh-agent announces an answer of {size} bytes", hint=_USE_A_FILE)
            return _receive(connection, size, deadline=deadline)
    except OSError as error:
        reason = "it did not answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise EnvironmentProblem(f"the ssh-agent at {socket_path} failed: {reason}", hint=_USE_A_FILE) from error


def _receive(connection: socket.socket, size: int, *, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("it closed the connection")
        data += piece
    return data
