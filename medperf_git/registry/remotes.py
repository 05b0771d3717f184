"""Addresses of registries: which are allowed, and how they are written.

`https` and `ssh` URLs, `user@host:path`, and plain paths of this machine; nothing else, whatever Git could do
with it (`ext::`, `file://`, `-oProxyCommand=…`). Credentials are never part of an address.
"""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from medperf_git.errors import UsageProblem

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
_PATH = r"(?!-)[A-Za-z0-9._~/%+@=,-]+"
_HTTPS = re.compile(rf"https://{_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}(?::[0-9]{{1,5}})?/{_PATH}")
_SCP = re.compile(rf"{_USER}@{_HOST}:{_PATH}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::?")
_DRIVE = re.compile(r"[A-Za-z]:[\\/][^\\/:]")
_HINT = "give https://host/path, ssh://user@host/path, user@host:path, or the path of a folder on this machine"


class Transport(StrEnum):
    """How an address is reached."""

    HTTPS = "https"
    SSH = "ssh"
    PATH = "file"


@dataclass(frozen=True, slots=True)
class Remote:
    """An address that was looked at; `url` is what Git is given."""

    url: str
    transport: Transport

    @classmethod
    def parse(cls, text: str, *, drives: bool = os.name == "nt") -> "Remote":
        """Read an address without its `#mg1:…`; UsageProblem when it is not allowed.

        A path may hold spaces, an address not; where the system has `drives`, a path may begin with one.
        """
        if drives and _DRIVE.match(text) and text.isprintable():
            return cls.at_path(Path(text))
        if not text.strip() or text.startswith("-") or re.search(r"[\x00-\x1f\x7f\\]", text):
            raise UsageProblem("this is not an address of a registry", hint=_HINT)
        if _HTTPS.fullmatch(text):
            return cls(text, Transport.HTTPS)
        if _SSH.fullmatch(text) or _SCP.fullmatch(text):
            return cls(text, Transport.SSH)
        if text.lower().startswith("https://") and "@" in text.partition("//")[2].partition("/")[0]:
            hint = "leave the part before @ out; the token comes from the environment or from your forge's own tool"
            raise UsageProblem("an address holds no user name, password or token", hint=hint)
        if _SCHEME.match(text) or "::" in text or (":" in text.partition("/")[0]):
            # The address itself is not repeated: it may hold a password.
            raise UsageProblem("this kind of address is not allowed", hint=_HINT)
        return cls.at_path(Path(text))

    @classmethod
    def at_path(cls, path: Path) -> "Remote":
        """Return the address of a repository on this machine."""
        return cls(path.absolute().as_posix(), Transport.PATH)

    @property
    def origin(self) -> str:
        """Scheme, host and port of an https address, to which a credential is bound."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/"


def ssh_words(remote: Remote) -> str:
    """Return the command by which a person connects to the host of an SSH address."""
    user, host, port = _ssh_place(remote)
    return " ".join(["ssh", "-T", *(["-p", port] if port else []), f"{user}@{host}" if user else host])


def known_host(remote: Remote) -> str:
    """Return the name under which ssh knows the host of an SSH address, quoted for a shell where it must be."""
    _, host, port = _ssh_place(remote)
    return f"'[{host}]:{port}'" if port and port != "22" else host


def _ssh_place(remote: Remote) -> tuple[str, str, str]:
    """Return user, host and port of an SSH address; empty where it names none."""
    if "://" not in remote.url:
        user, _, rest = remote.url.partition("@")
        return user, rest.partition(":")[0], ""
    parts = urlsplit(remote.url)
    return parts.username or "", parts.hostname or "", str(parts.port or "")
