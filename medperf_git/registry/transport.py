"""Fetch from and push to a registry with the `git` command.

Git sees no configuration but what stands here and in the local copy: no system or user file, no `GIT_*` of the
caller. What SSH and TLS need stays: `HOME` and `SSH_AUTH_SOCK` (known hosts, keys, agent), certificate files and
proxies. A credential travels in the environment of the one process, bound to one host, never in arguments or
messages. Redirects are not followed. What arrives is checked by Git itself (`transfer.fsckObjects`).
"""

import base64
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from medperf_git.errors import EnvironmentProblem, IntegrityBroken, UsageProblem
from medperf_git.registry.objects import is_commit_id
from medperf_git.registry.remotes import Remote, Transport, known_host, ssh_words

MAIN = "refs/heads/main"
UPSTREAM_MAIN = "refs/upstream/main"
UPSTREAM_PROPOSALS = "refs/upstream/submit/"
UPSTREAM_PULLS = "refs/upstream/pull/"
MAIN_REFSPEC = f"+{MAIN}:{UPSTREAM_MAIN}"
PROPOSALS_REFSPEC = f"+refs/heads/submit/*:{UPSTREAM_PROPOSALS}*"

MAX_LISTING = 4 * 1024 * 1024

AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Everything else of the caller's environment is left out.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"}
    | {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}
    | {"SYSTEMROOT", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "TEMP", "TMP"}
)
_REF = r"refs/[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*(?:/\*)?"
_FETCHED = re.compile(rf"\+?(?:{_REF}|[0-9a-f]{{40}}):{_REF}")
_LISTED = re.compile(_REF)
_PUSHED = re.compile(r"refs/[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/ -]*")
# What ssh says in English (LC_ALL=C); it decides nothing but which sentence a person reads.
_HOST_CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
_HOST_UNKNOWN = "Host key verification failed"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a secret for one https host; the secret is never shown."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a remote beyond its address: a credential, another ssh configuration file, a private CA."""

    credential: Credential | None = None
    ssh_config: Path | None = None
    ca_file: Path | None = None


NO_ACCESS = Access()


class PushOutcome(StrEnum):
    """What became of one pushed ref."""

    ACCEPTED = "accepted"
    UP_TO_DATE = "up-to-date"
    NOT_FORWARD = "not-forward"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Push:
    """Point `ref` of the remote at `commit`, or delete it (None); never by force."""

    ref: str
    commit: str | None


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of one ref, Git's reason, and every line the remote's hook said."""

    ref: str
    outcome: PushOutcome
    reason: str
    messages: tuple[str, ...]


def fetch(copy: Path, remote: Remote, refspecs: Sequence[str], *, access: Access = NO_ACCESS) -> None:
    """Fetch `refspecs` (full ref names) into the bare repository `copy`.

    EnvironmentProblem: unreachable, not allowed, or what arrived is not sound.
    """
    for refspec in refspecs:
        if not _FETCHED.fullmatch(refspec):
            raise UsageProblem(f"{refspec!r} is not a refspec of full ref names", hint="name refs in full")
    options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--prune"]
    done = _git(copy, ["fetch", *options, "--end-of-options", remote.url, *refspecs], remote, access)
    if done.code != 0:
        raise _failed("cannot fetch", remote, done)


def list_refs(
    remote: Remote, patterns: Sequence[str] = (MAIN, "refs/heads/submit/*"), *, access: Access = NO_ACCESS
) -> dict[str, str]:
    """Return the refs of the remote that match, by name; EnvironmentProblem when it cannot be reached."""
    for pattern in patterns:
        if not _LISTED.fullmatch(pattern):
            raise UsageProblem(f"{pattern!r} is not a pattern of full ref names", hint="name refs in full")
    with tempfile.TemporaryDirectory() as nowhere:
        command = ["ls-remote", "--quiet", "--refs", "--end-of-options", remote.url, *patterns]
        done = _git(Path(nowhere), command, remote, access)
    if done.code != 0:
        raise _failed("cannot list the branches of", remote, done)
    pairs = (line.split("\t", 1) for line in done.output.splitlines() if "\t" in line)
    return {ref: commit for commit, ref in pairs if is_commit_id(commit)}


def push(
    copy: Path, remote: Remote, pushes: Sequence[Push], *, access: Access = NO_ACCESS, options: Sequence[str] = ()
) -> tuple[PushResult, ...]:
    """Push commits of `copy`; return what became of each ref.

    `options` are push options (`topic=x`). EnvironmentProblem: the remote could not be reached or did not answer.
    """
    command = ["push", "--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no", "--no-follow-tags"]
    for option in options:
        if not _OPTION.fullmatch(option):
            raise UsageProblem(f"{option!r} is not a push option", hint="use letters, digits and ._=/-")
        command.append(f"--push-option={option}")
    done = _git(copy, [*command, "--end-of-options", remote.url, *map(_push_refspec, pushes)], remote, access)
    messages = tuple(_remote_lines(done.errors))
    results = tuple(_push_results(done.output, messages))
    if not results:
        raise _failed("cannot push to", remote, done)
    return results


@dataclass(frozen=True, slots=True)
class _Done:
    code: int
    output: str
    errors: str


def _push_refspec(wanted: Push) -> str:
    if not _PUSHED.fullmatch(wanted.ref):
        raise UsageProblem(f"{wanted.ref!r} is not a full ref name", hint="this is a bug if you did not type it")
    if wanted.commit is not None and not is_commit_id(wanted.commit):
        raise UsageProblem(f"{wanted.commit!r} is not a full commit id", hint="this is a bug if you did not type it")
    return f"{wanted.commit or ''}:{wanted.ref}"


def _push_results(output: str, messages: tuple[str, ...]) -> list[PushResult]:
    """Read `<flag> TAB <from>:<to> TAB <summary>` lines (git-push(1), "Output")."""
    results = []
    for line in output.splitlines():
        flag, _, rest = line.partition("\t")
        refs, _, summary = rest.partition("\t")
        if len(flag) == 1 and ":" in refs:
            ref = refs.rpartition(":")[2]
            results.append(PushResult(ref, _outcome(flag, summary), clean(summary), messages))
    return results


def _outcome(flag: str, summary: str) -> PushOutcome:
    if flag == "=":
        return PushOutcome.UP_TO_DATE
    if flag != "!":
        return PushOutcome.ACCEPTED
    # `[rejected]` is Git's own word on this side, `[remote rejected]` is the server's (git-push(1)). What the
    # server says when somebody moved the ref meanwhile is the same thing as not being a fast-forward.
    return PushOutcome.REFUSED if summary.startswith("[remote rejected]") else PushOutcome.NOT_FORWARD


def _remote_lines(errors: str) -> list[str]:
    lines = (line.removeprefix("remote:").strip() for line in errors.splitlines() if line.startswith("remote:"))
    return [line for line in lines if line]


def _git(copy: Path, arguments: Sequence[str], remote: Remote, access: Access) -> _Done:
    command = ["git", f"--git-dir={copy.absolute()}", *arguments]
    environment = build_environment(os.environ, remote, access)
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd="/"
            )
        except OSError as error:
            hint = "install Git 2.30 or later, and see that it is on PATH"
            raise EnvironmentProblem("the git command cannot be started", hint=hint) from error
        with process:
            output = _limited(process)
        errors.seek(0)
        said = errors.read(MAX_LISTING)
    return _Done(process.returncode, output, clean(_without(said.decode("utf-8", "replace"), access)))


def _limited(process: subprocess.Popen[bytes]) -> str:
    """Return all output; a remote that never ends is cut off."""
    stream: IO[bytes] | None = process.stdout
    data = stream.read(MAX_LISTING + 1) if stream else b""
    if len(data) > MAX_LISTING:
        process.kill()
        raise EnvironmentProblem("the remote lists more branches than we read", hint="ask its maintainer to tidy up")
    return data.decode("utf-8", "replace")


def build_environment(caller: Mapping[str, str], remote: Remote, access: Access = NO_ACCESS) -> dict[str, str]:
    """Return the whole environment of one git process."""
    kept = {name: value for name, value in caller.items() if name in _KEPT}
    fixed = {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": _ssh(access),
        "GIT_ADVICE": "0",
    }
    return kept | fixed | _as_variables(_settings(remote, access, authorities_of(caller)))


def authorities_of(caller: Mapping[str, str]) -> str | None:
    """Return the file of authorities that this person trusts for TLS; None for those that come along."""
    return next((caller[name] for name in AUTHORITIES if caller.get(name)), None)


def _ssh(access: Access) -> str:
    """Return how Git calls ssh: a host whose key is not known, or is another one, is never talked to.

    A person's own configuration cannot switch that off; a first connection by hand makes a host known.
    """
    command = ["ssh", "-oConnectTimeout=30", "-oServerAliveInterval=15", "-oServerAliveCountMax=4"]
    command.append("-oStrictHostKeyChecking=yes")
    if access.ssh_config is not None:
        command += ["-F", str(access.ssh_config.absolute())]
    return shlex.join(command)


def _settings(remote: Remote, access: Access, authorities: str | None) -> list[tuple[str, str]]:
    settings = [
        ("protocol.allow", "never"),
        (f"protocol.{remote.transport}.allow", "always"),
        ("safe.bareRepository", "explicit"),
        ("transfer.fsckObjects", "true"),
        ("transfer.credentialsInUrl", "die"),
        ("http.followRedirects", "false"),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "60"),
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        ("core.askPass", ""),
        ("credential.helper", ""),
        ("fetch.recurseSubmodules", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
    ]
    if access.ca_file is not None or authorities is not None:  # Git over GnuTLS reads none of these variables
        settings.append(("http.sslCAInfo", str(access.ca_file or authorities)))
    if access.credential is not None:
        if remote.transport is not Transport.HTTPS:
            raise UsageProblem("a token is of use for an https address only", hint="leave it out, or use https")
        settings.append((f"http.{remote.origin}.extraHeader", f"Authorization: Basic {_basic(access.credential)}"))
    return settings


def _as_variables(settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return settings as `GIT_CONFIG_COUNT` and its pairs: unlike `-c`, they are in nobody's process list."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def _basic(credential: Credential) -> str:
    return base64.b64encode(f"{credential.username}:{credential.secret}".encode()).decode("ascii")


def _without(text: str, access: Access) -> str:
    """Return text with no trace of the credential."""
    if access.credential is None or not access.credential.secret:
        return text
    return text.replace(_basic(access.credential), "***").replace(access.credential.secret, "***")


def clean(text: str) -> str:
    """Return what a remote said without anything that a terminal would act upon."""
    return _CONTROL.sub("", text)


def _failed(what: str, remote: Remote, done: _Done) -> EnvironmentProblem | IntegrityBroken:
    hints = {
        Transport.HTTPS: "check the address, the network and the token; a moved repository needs its new address",
        Transport.SSH: "check the address, the network and your key: `ssh -T` to the same host must work",
        Transport.PATH: "check the path, and that the repository belongs to you",
    }
    if remote.transport is Transport.SSH and _HOST_CHANGED in done.errors:
        hint = (
            "do not go on; ask whoever runs the host, over another way, whether it has a new key. Only if so: "
            f"`ssh-keygen -R {known_host(remote)}`, then connect once by hand and compare the fingerprint"
        )
        return IntegrityBroken(f"{what} {remote.url}: the host shows another key than the one known here", hint=hint)
    if remote.transport is Transport.SSH and _HOST_UNKNOWN in done.errors:
        hint = (
            f"connect once by hand, `{ssh_words(remote)}`, compare the fingerprint it shows with what whoever runs the "
            "host publishes, and say yes only if they are equal; then run this again"
        )
        return EnvironmentProblem(f"{what} {remote.url}: the key of its host is not known here", hint=hint)
    said = " / ".join(line for line in done.errors.splitlines() if line.strip())[-1000:]
    return EnvironmentProblem(
        f"{what} {remote.url}: {said or f'git ended with {done.code}'}", hint=hints[remote.transport]
    )
