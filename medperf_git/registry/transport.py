"""Fetch from and push to a registry with the `git` command.

Git sees no configuration but what stands here and in the local copy: no system or user file, no `GIT_*` of the
caller. What SSH and TLS need stays: `HOME` and `SSH_AUTH_SOCK` (known hosts, keys, agent), certificate files and
proxies. A credential travels in the environment of the one process, bound to one host, never in arguments or
messages. Redirects are not followed. What arrives is checked by Git itself (`transfer.fsckObjects`).

A light copy bears a mark (`mark_light`): into it main and proposals are fetched as commits alone, some way back, and
`fetch_objects` brings the rest as it is needed. Git is told so in the environment too, so the copy's own
configuration stays that of any bare repository; nothing is left to Git's own fetching on demand.

A host that falls silent is given up: Git itself watches a transfer only once it goes (`http.lowSpeedTime`), so its
progress is asked for and watched here too, while it connects, over SSH, and when the other side thinks.
"""

import base64
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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

LIGHT_DEPTH = 256  # some 100 KB of commits
ALL_HISTORY = 0
COMMITS_ALONE, NO_CONTENTS = "tree:0", "blob:none"

_ONE_PACK = ("fetch.unpackLimit", "1")  # what comes is one file, whose size tells all
_LIGHT = "light"  # a file in the copy: how many commits back it goes
_UPSTREAM = "upstream"
_FILTER = re.compile(r"tree:0|blob:none|blob:limit=[0-9]+")

SLOW_SECONDS = 40  # so long a transfer may go at less than 1000 bytes a second
ALIVE_SECONDS = 15  # an SSH host that misses three such signs of life is gone
# After so long without a word a host is given up. Our own hook says nothing while it judges, which takes some seconds.
SILENT_SECONDS = {Transport.HTTPS: 50.0, Transport.SSH: 55.0, Transport.PATH: float("inf")}

# Where a person says which authorities they trust, the first that is set; Git and the forges' interfaces go by it.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

# Everything else of the caller's environment is left out.
_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"}
    | {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"}
    | {"SYSTEMROOT", "COMSPEC", "PATHEXT", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "TEMP", "TMP"}
)
_FETCH = ("--quiet", "--progress", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
_REF = r"refs/[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*(?:/\*)?"
_FETCHED = re.compile(rf"\+?(?:{_REF}|[0-9a-f]{{40}}):{_REF}")
_LISTED = re.compile(_REF)
_PUSHED = re.compile(r"refs/[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)+")
_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=/ -]*")
# What ssh says in English (LC_ALL=C); it decides nothing but which sentence a person reads.
_HOST_CHANGED = "REMOTE HOST IDENTIFICATION HAS CHANGED"
_HOST_UNKNOWN = "Host key verification failed"
_PROGRESS = re.compile(r"(?:remote: )?[A-Z][A-Za-z ]+: +\d.*, done\. *")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Silence(EnvironmentProblem):
    """A host that was given up, since it said nothing for too long."""


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


def fetch(
    copy: Path, remote: Remote, refspecs: Sequence[str], *, access: Access = NO_ACCESS, most: int | None = None
) -> None:
    """Fetch `refspecs` (full ref names) into the bare repository `copy`, with `most` at most so many bytes (Linux).

    EnvironmentProblem: unreachable, not allowed, more than that, or what arrived is not sound.
    """
    for refspec in refspecs:
        if not _FETCHED.fullmatch(refspec):
            raise UsageProblem(f"{refspec!r} is not a refspec of full ref names", hint="name refs in full")
    depth = light_depth(copy)
    if depth is None:
        command = ["fetch", *_FETCH, "--prune", "--end-of-options", remote.url, *refspecs]
    else:
        some = [f"--depth={depth}"] if depth else []
        command = ["fetch", *_FETCH, "--prune", *some, f"--filter={COMMITS_ALONE}", _UPSTREAM, *refspecs]
    more = [*(_promised(remote) if depth is not None else ()), *([_ONE_PACK] if most is not None else [])]
    done = _git(copy, command, remote, access, more=more, most=most)
    if done.code != 0 and most is not None:
        for left in (copy / "objects" / "pack").glob(
            "tmp_pack_*"
        ):  # of this fetch: whoever fetches holds the copy's lock
            left.unlink(missing_ok=True)
    if done.code != 0:
        raise _failed("cannot fetch", remote, done)


def fetch_objects(copy: Path, remote: Remote, ids: Sequence[str], what: str, *, access: Access = NO_ACCESS) -> None:
    """Fetch trees and blobs by their ids into a light copy; `what` is Git's filter for what lies below the trees.

    EnvironmentProblem: unreachable, or the other side does not have or does not give one of them.
    """
    if not all(map(is_commit_id, ids)) or not _FILTER.fullmatch(what):
        raise UsageProblem("these are not ids of Git objects", hint="this is a bug")
    command = ["fetch", *_FETCH, f"--filter={what}", "--stdin", _UPSTREAM]
    # Without this Git would tell what it has, and be sent differences to what a light copy lacks.
    more = [*_promised(remote), ("fetch.negotiationAlgorithm", "noop")]
    done = _git(copy, command, remote, access, said="".join(f"{one}\n" for one in ids), more=more)
    if done.code != 0:
        raise _failed("cannot fetch from", remote, done)


def fetch_older(copy: Path, remote: Remote, tip: str, by: int | None, *, access: Access = NO_ACCESS) -> None:
    """Fetch `by` more commits of history behind those that a light copy has of `tip`; None fetches all there are."""
    if not is_commit_id(tip):
        raise UsageProblem(f"{tip!r} is not a full commit id", hint="this is a bug")
    deeper = "--unshallow" if by is None else f"--deepen={by}"
    command = ["fetch", *_FETCH, deeper, f"--filter={COMMITS_ALONE}", _UPSTREAM, tip]
    done = _git(copy, command, remote, access, more=_promised(remote))
    if done.code != 0:
        raise _failed("cannot fetch older history from", remote, done)


def mark_light(copy: Path, depth: int | None = None) -> None:
    """Make a copy a light one, which goes `depth` commits back (None: as many as usual; ALL_HISTORY: to the first)."""
    depth = LIGHT_DEPTH if depth is None else depth
    fresh = copy / f".{_LIGHT}.{os.getpid()}"
    fresh.write_text(f"{depth}\n", encoding="ascii")
    fresh.replace(copy / _LIGHT)


def light_depth(copy: Path) -> int | None:
    """Return how many commits back a light copy goes; None for a whole one."""
    try:
        text = (copy / _LIGHT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EnvironmentProblem(f"cannot read {copy / _LIGHT}: {error}", hint="see who owns it") from error
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else LIGHT_DEPTH


def list_refs(
    remote: Remote, patterns: Sequence[str] = (MAIN, "refs/heads/submit/*"), *, access: Access = NO_ACCESS
) -> dict[str, str]:
    """Return the refs of the remote that match, by name; EnvironmentProblem when it cannot be reached."""
    for pattern in patterns:
        if not _LISTED.fullmatch(pattern):
            raise UsageProblem(f"{pattern!r} is not a pattern of full ref names", hint="name refs in full")
    with tempfile.TemporaryDirectory() as nowhere:
        command = ["ls-remote", "--quiet", "--refs", "--end-of-options", remote.url, *patterns]
        heard = Path(nowhere) / "heard"
        done = _git(Path(nowhere), command, remote, access, heard=heard)
        spoke = remote.transport is not Transport.HTTPS or (heard.is_file() and heard.stat().st_size > 0)
    if done.code != 0:
        raise _failed("cannot list the branches of", remote, done)
    if not spoke:  # Git takes any page for the listing of an old-fashioned host without branches
        said = "what answers there is no Git host"
        raise _failed("cannot list the branches of", remote, _Done(1, "", said))
    pairs = (line.split("\t", 1) for line in done.output.splitlines() if "\t" in line)
    return {ref: commit for commit, ref in pairs if is_commit_id(commit)}


def push(
    copy: Path, remote: Remote, pushes: Sequence[Push], *, access: Access = NO_ACCESS, options: Sequence[str] = ()
) -> tuple[PushResult, ...]:
    """Push commits of `copy`; return what became of each ref.

    `options` are push options (`topic=x`). EnvironmentProblem: the remote could not be reached or did not answer.
    """
    command = [
        "push",
        "--porcelain",
        "--progress",
        "--no-verify",
        "--no-signed",
        "--recurse-submodules=no",
        "--no-follow-tags",
    ]
    if light_depth(copy) is not None:
        command.append("--no-thin")  # a thin pack is made of differences to what a light copy lacks
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
    silent: bool = False


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


def _git(
    copy: Path,
    arguments: Sequence[str],
    remote: Remote,
    access: Access,
    *,
    heard: Path | None = None,
    said: str = "",
    more: Sequence[tuple[str, str]] = (),
    most: int | None = None,
) -> _Done:
    """Run git with `said` on its standard input and `more` settings; no file that it writes is larger than `most`.

    `heard` is a file for what the other side said in Git's own protocol, to tell it from no Git host.
    """
    command = ["git", f"--git-dir={copy.absolute()}", *arguments]
    environment = build_environment(os.environ, remote, access, more)
    if heard is not None:
        environment["GIT_TRACE_PACKET"] = str(heard)
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as stdin:
        stdin.write(said.encode("ascii"))
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd="/",
                process_group=0 if _in_own_group(remote) else None,
            )
        except OSError as error:
            hint = "install Git 2.30 or later, and see that it is on PATH"
            raise EnvironmentProblem("the git command cannot be started", hint=hint) from error
        if most is not None:
            _cap_files(process.pid, most)
        with process, _watching(process, errors, remote) as gone:
            output = _limited(process)
            process.wait()
        errors.seek(0)
        told = _without(_settled(errors.read(MAX_LISTING).decode("utf-8", "replace")), access)
    return _Done(process.returncode, output, clean(told), gone.is_set())


def _cap_files(process: int, most: int) -> None:
    """Let a process and all that it will start write no larger file; a system that cannot do that has no such cap."""
    try:
        import resource  # noqa: PLC0415  (not on every system)

        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
    except (ImportError, AttributeError, OSError):
        return


def _in_own_group(remote: Remote) -> bool:
    """Tell whether git and its helpers can be ended together; SSH stays with the terminal, where it may ask."""
    return remote.transport is Transport.HTTPS and os.name == "posix"


@contextmanager
def _watching(process: subprocess.Popen[bytes], errors: IO[bytes], remote: Remote) -> Iterator[threading.Event]:
    """End a process that writes nothing on standard error for too long, or far too much; the event tells the former."""
    ended, gone, seconds = threading.Event(), threading.Event(), SILENT_SECONDS[remote.transport]

    def watch() -> None:
        size, since = 0, time.monotonic()
        while not ended.wait(min(0.25, seconds / 4)):
            now = os.fstat(errors.fileno()).st_size
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > seconds:
                gone.set()
            if gone.is_set() or size > 4 * MAX_LISTING:
                _end(process, remote)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield gone
    except BaseException:  # the person interrupted us: a group of its own does not hear of that
        _end(process, remote)
        raise
    finally:
        ended.set()
        watcher.join()


def _end(process: subprocess.Popen[bytes], remote: Remote) -> None:
    with suppress(ProcessLookupError):
        if _in_own_group(remote):
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()


def _settled(errors: str) -> str:
    """Return what stays to be read of lines that Git writes over again and again to show its progress."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in errors.split("\n"))
    return "\n".join(line for line in lines if not _PROGRESS.fullmatch(line))


def _limited(process: subprocess.Popen[bytes]) -> str:
    """Return all output; a remote that never ends is cut off."""
    stream: IO[bytes] | None = process.stdout
    data = stream.read(MAX_LISTING + 1) if stream else b""
    if len(data) > MAX_LISTING:
        process.kill()
        raise EnvironmentProblem("the remote lists more branches than we read", hint="ask its maintainer to tidy up")
    return data.decode("utf-8", "replace")


def build_environment(
    caller: Mapping[str, str], remote: Remote, access: Access = NO_ACCESS, more: Sequence[tuple[str, str]] = ()
) -> dict[str, str]:
    """Return the whole environment of one git process; `more` settings come after those of every process."""
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
    return kept | fixed | _trusted(caller, access) | _as_variables([*_settings(remote, access), *more])


def _ssh(access: Access) -> str:
    """Return how Git calls ssh: a host whose key is not known, or is another one, is never talked to.

    A person's own configuration cannot switch that off; a first connection by hand makes a host known.
    """
    alive = [f"-oServerAliveInterval={ALIVE_SECONDS}", "-oServerAliveCountMax=3"]
    command = ["ssh", "-oConnectTimeout=30", *alive, "-oStrictHostKeyChecking=yes"]
    if access.ssh_config is not None:
        command += ["-F", str(access.ssh_config.absolute())]
    return shlex.join(command)


def _settings(remote: Remote, access: Access) -> list[tuple[str, str]]:
    settings = [
        ("protocol.allow", "never"),
        (f"protocol.{remote.transport}.allow", "always"),
        ("safe.bareRepository", "explicit"),
        ("transfer.fsckObjects", "true"),
        ("transfer.credentialsInUrl", "die"),
        ("http.followRedirects", "false"),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", str(SLOW_SECONDS)),
        ("core.hooksPath", os.devnull),
        ("core.fsmonitor", "false"),
        ("core.askPass", ""),
        ("credential.helper", ""),
        ("fetch.recurseSubmodules", "false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
    ]
    if access.ca_file is not None:
        settings.append(("http.sslCAInfo", str(access.ca_file)))
    if access.credential is not None:
        if remote.transport is not Transport.HTTPS:
            raise UsageProblem("a token is of use for an https address only", hint="leave it out, or use https")
        settings.append((f"http.{remote.origin}.extraHeader", f"Authorization: Basic {_basic(access.credential)}"))
    return settings


def _promised(remote: Remote) -> list[tuple[str, str]]:
    """Tell a fetch that the other side has promised whatever the copy lacks (partial-clone of Git's own documentation).

    Nothing else is told so, a push above all: it would fetch every folder of the registry that it looks for in vain.
    """
    promised = {"url": remote.url, "promisor": "true", "partialclonefilter": COMMITS_ALONE}
    return [(f"remote.{_UPSTREAM}.{name}", value) for name, value in promised.items()]


def _trusted(caller: Mapping[str, str], access: Access) -> dict[str, str]:
    """Return the variable that says whom to trust: Git built with GnuTLS, as Debian's, knows none of the usual ones."""
    named = None if access.ca_file else next((caller[name] for name in AUTHORITIES if caller.get(name)), None)
    if not named:
        return {}
    return {"GIT_SSL_CAPATH" if Path(named).is_dir() else "GIT_SSL_CAINFO": named}


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
        Transport.HTTPS: "check the address, the network and the token; a moved repository needs its new address; "
        "a proxy or a page to log in may stand between",
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
    if done.silent:
        seconds = f"{SILENT_SECONDS[remote.transport]:g}"
        hint = "check the network and any proxy; nothing is lost, run the same command again later"
        return Silence(f"{what} {remote.url}: it has said nothing for {seconds} s", hint=hint)
    said = " / ".join(line for line in done.errors.splitlines() if line.strip())[-1000:]
    return EnvironmentProblem(
        f"{what} {remote.url}: {said or f'git ended with {done.code}'}", hint=hints[remote.transport]
    )
