"""The token for a forge: from the environment, from the forge's own command line, or from Git's credential store.

It goes to the host it belongs to and nowhere else; it is never printed, never written, never an argument of a command.
"""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from medperf_git.errors import UsageProblem
from medperf_git.forge.browser import web_page
from medperf_git.forge.host import Host
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import Credential

VARIABLE = "MEDPERF_GIT_TOKEN"
VARIABLE_HOST = "MEDPERF_GIT_TOKEN_HOST"  # whose token it is; without it, that of whichever registry is used
_SECONDS = 20
_LONGEST = 4096
# Tokens that these tools would say for whatever host they are asked about, so they are asked without them.
_UNBOUND = ("OAUTH_TOKEN", "GL_TOKEN", "CI_JOB_TOKEN", "JOB_TOKEN")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with a token, and whose token it is: the host that one of `named_by` names, else `home`."""

    name: str
    home: str = ""
    named_by: tuple[str, ...] = ()

    def is_for(self, host: str, environ: Mapping[str, str]) -> bool:
        """Tell whether the token belongs to a host."""
        named = [_host_in(environ[name]) for name in self.named_by if environ.get(name)]
        return host in (named or [self.home])


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a kind of forge keeps tokens: variables, the command that tells one, the user name that Git says with it.

    Forgejo's and Gitea's tools (tea, fj, berg) print no token; those of them that can answer `git credential`.
    """

    variables: tuple[Variable, ...]
    command: tuple[str, ...] = ()
    username: str = "x-access-token"


KEPT: Mapping[Host, Kept] = {
    Host.GITHUB: Kept(
        (
            Variable("GH_TOKEN", "github.com"),
            Variable("GITHUB_TOKEN", "github.com", ("GITHUB_SERVER_URL",)),
            Variable("GH_ENTERPRISE_TOKEN", named_by=("GH_HOST",)),
            Variable("GITHUB_ENTERPRISE_TOKEN", named_by=("GH_HOST",)),
        ),
        ("gh", "auth", "token", "--hostname", "{name}"),
    ),
    Host.GITLAB: Kept(
        (
            Variable("GITLAB_TOKEN", "gitlab.com", ("GITLAB_HOST", "GL_HOST")),
            Variable("GITLAB_ACCESS_TOKEN", "gitlab.com", ("GITLAB_HOST", "GL_HOST")),
        ),
        ("glab", "config", "get", "token", "--host", "{name}"),
        username="oauth2",
    ),
    Host.FORGEJO: Kept(
        (
            Variable("FORGEJO_TOKEN", "codeberg.org", ("FORGEJO_HOST", "FORGEJO_SERVER_URL")),
            Variable("GITEA_TOKEN", "gitea.com", ("GITEA_INSTANCE_URL", "GITEA_SERVER_URL")),
            Variable("GITEA_SERVER_TOKEN", "gitea.com", ("GITEA_SERVER_URL",)),
        )
    ),
    Host.PAGURE: Kept((Variable("PAGURE_TOKEN", "pagure.io", ("PAGURE_HOST",)),)),
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
    if (token := token_in(environ, host, name)) is not None:
        return token
    if kept and kept.command and (said := _said_by([word.format(name=name) for word in kept.command], environ)):
        return Token(said, f"`{kept.command[0]}`")
    return _ask_git(remote.url if remote.transport is Transport.HTTPS else web_page(remote.url), environ)


def token_in(environ: Mapping[str, str], host: Host, name: str) -> Token | None:
    """Return the token for the host of a name that stands in the environment; UsageProblem for what can be none."""
    kept = KEPT.get(host)
    own = [one.name for one in (kept.variables if kept else ()) if one.is_for(name, environ)]
    bound = environ.get(VARIABLE_HOST, "").strip()
    for variable in (*((VARIABLE,) if not bound or _host_in(bound) == name else ()), *own):
        if secret := environ.get(variable, "").strip():
            if not _is_token(secret):
                raise UsageProblem(f"{variable} holds no token", hint="set it to the token alone, without blanks")
            return Token(secret, variable)
    return None


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


def _host_in(text: str) -> str:
    """Return the host of an address or of a bare name."""
    return urlsplit(text if "//" in text else f"//{text}").netloc.rpartition("@")[2].lower()


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and 0 < len(text) <= _LONGEST


def _said_by(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the one line that a forge's own command prints; empty where it is not here or knows nothing."""
    done = _run(command, environ)
    line = done.stdout.strip() if done is not None and done.returncode == 0 else ""
    return line if _is_token(line) else ""


def _ask_git(address: str, environ: Mapping[str, str]) -> Token | None:
    """Ask `git credential fill` with the person's own configuration; it may not prompt."""
    parts = urlsplit(address)
    question = f"protocol=https\nhost={parts.netloc}\npath={parts.path.lstrip('/')}\n\n"
    done = _run(["git", "credential", "fill"], environ, question)
    if done is None or done.returncode != 0:
        return None
    answer = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not _is_token(answer.get("password", "")):
        return None
    return Token(answer["password"], "`git credential`", answer.get("username", ""))


def _run(command: Sequence[str], environ: Mapping[str, str], said: str = "") -> subprocess.CompletedProcess[str] | None:
    secret = {VARIABLE, *_UNBOUND, *(one.name for kept in KEPT.values() for one in kept.variables)}
    own = {name: value for name, value in environ.items() if not name.startswith("GIT_") and name not in secret}
    silent = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": "", "GCM_INTERACTIVE": "never"}
    try:
        return subprocess.run(
            command,
            input=said,
            capture_output=True,
            text=True,
            errors="replace",
            env={**own, **silent, "GH_PROMPT_DISABLED": "1"},
            cwd="/",
            timeout=_SECONDS,
            start_new_session=True,  # without a terminal of its own nothing can ask there
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
