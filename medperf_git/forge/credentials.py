"""The token for a forge: from the environment, from the forge's own command line, or from Git's credential store.

It goes to the host it belongs to and nowhere else; it is never printed, never written, never an argument of a command.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from medperf_git.forge.browser import web_page
from medperf_git.forge.host import Host
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Credential

VARIABLE = "MEDPERF_GIT_TOKEN"
_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a kind of forge keeps tokens: variables, the host that they belong to, the variable that names another
    host of theirs, the command that tells one, and the user name that Git says beside it.
    """

    variables: tuple[str, ...]
    home: str
    named_by: str
    command: tuple[str, ...] = ()
    username: str = "x-access-token"


KEPT: Mapping[Host, Kept] = {
    Host.GITHUB: Kept(
        ("GH_TOKEN", "GITHUB_TOKEN"), "github.com", "GH_HOST", ("gh", "auth", "token", "--hostname", "{name}")
    ),
    Host.GITLAB: Kept(
        ("GITLAB_TOKEN",),
        "gitlab.com",
        "GITLAB_HOST",
        ("glab", "config", "get", "token", "--host", "{name}"),
        username="oauth2",
    ),
    Host.FORGEJO: Kept(("FORGEJO_TOKEN", "GITEA_TOKEN"), "codeberg.org", "FORGEJO_HOST"),
    Host.PAGURE: Kept(("PAGURE_TOKEN",), "pagure.io", "PAGURE_HOST"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token, where it was found, and the user name that was kept beside it."""

    secret: str = field(repr=False)
    origin: str
    username: str = ""


def find_token(remote: Remote, host: Host, environ: Mapping[str, str]) -> Token | None:
    """Return the token for the forge behind an address, None when there is none."""
    if remote.transport is Transport.PATH:
        return None
    name = urlsplit(web_page(remote.url)).netloc
    kept = KEPT.get(host)
    if token := environ.get(VARIABLE):
        return Token(token.strip(), VARIABLE)
    if kept and name in (kept.home, environ.get(kept.named_by)):
        for variable in kept.variables:
            if token := environ.get(variable):
                return Token(token.strip(), variable)
    if kept and kept.command and (token := _said_by([word.format(name=name) for word in kept.command], environ)):
        return Token(token, f"`{kept.command[0]}`")
    return _ask_git(remote.url if remote.transport is Transport.HTTPS else web_page(remote.url), environ)


def find_credential(remote: Remote, environ: Mapping[str, str], host: Host = Host.PLAIN) -> Credential | None:
    """Return what Git says to an https remote, None when there is nothing to say or nothing is asked."""
    if remote.transport is not Transport.HTTPS:
        return None
    token = find_token(remote, host, environ)
    return credential_of(token, host) if token else None


def credential_of(token: Token, host: Host, *, username: str = "") -> Credential:
    """Return a token as Git says it: with the name kept beside it, else `username`, else the forge's usual one."""
    usual = KEPT[host].username if host in KEPT else "x-access-token"
    return Credential(token.username or username or usual, token.secret)


def _said_by(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the one line that a forge's own command prints; empty where it is not here or knows nothing."""
    done = _run(command, environ)
    line = done.stdout.strip() if done is not None and done.returncode == 0 else ""
    return line if line.isprintable() and " " not in line else ""


def _ask_git(address: str, environ: Mapping[str, str]) -> Token | None:
    """Ask `git credential fill` with the person's own configuration; it may not prompt."""
    parts = urlsplit(address)
    question = f"protocol=https\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
    done = _run(["git", "credential", "fill"], environ, question)
    if done is None or done.returncode != 0:
        return None
    answer = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not answer.get("password"):
        return None
    return Token(answer["password"], "`git credential`", answer.get("username", ""))


def _run(command: Sequence[str], environ: Mapping[str, str], said: str = "") -> subprocess.CompletedProcess[str] | None:
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    environment = {**own, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GH_PROMPT_DISABLED": "1"}
    try:
        return subprocess.run(
            command,
            input=said,
            capture_output=True,
            text=True,
            env=environment,
            cwd="/",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
