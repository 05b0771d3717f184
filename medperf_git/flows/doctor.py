"""Look at what this machine has and lacks: each finding says what to do about it."""

import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from medperf_git.errors import MedperfGitError, UsageProblem
from medperf_git.flows.config import Config, Known
from medperf_git.flows.context import Context
from medperf_git.flows.doctor_engines import engines
from medperf_git.flows.house_bare import examine_bare
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.house_forge import TABLES, examine_forge
from medperf_git.flows.keyring import list_keys
from medperf_git.flows.server_hook import hook_text
from medperf_git.forge.host import Host, host_of
from medperf_git.registry.bare import hook_of, install_hook, protect
from medperf_git.registry.remotes import Remote, Transport
from medperf_git.registry.transport import MAIN, list_refs

OLDEST_GIT = (2, 30)
_FIRST_DAY = 1_760_000_000  # no machine that runs this release has an earlier time


def examine(context: Context) -> list[Examined]:
    """Look at everything, in the order in which a person meets it."""
    return [finding for look in LOOKS for finding in look(context)]


def examine_host(context: Context, url: str | None, *, host: str | None = None) -> list[Examined]:
    """Look at the host of a registry, by its address or the current registry's: a bare repository or a forge."""
    known = None if url else Config.load(context.home).choose(context.registry)[1]
    address = known.url if known else (url or "").partition("#")[0]
    remote = Remote.parse(address)
    kind = Host(host) if host else known.kind if known else host_of(address)
    if remote.transport is Transport.PATH:
        return examine_bare(Path(remote.url))
    if kind is Host.PLAIN:
        hint = "say --host github, gitlab, forgejo or pagure; on a plain Git server run `doctor forge PATH` there"
        raise UsageProblem(f"nothing tells what kind of host {address} is", hint=hint)
    if kind not in TABLES:
        hint = "let only people push to it who ask `medperf-git check` first; every reader judges again"
        raise UsageProblem(f"the settings of {address} are told by no interface that is known here", hint=hint)
    return examine_forge(remote.url, kind, environ=context.environ)


def renew_hook(repository: Path, *, dry_run: bool = False) -> Path:
    """Write the hook of a bare repository anew, for the interpreter of now, and its protective settings."""
    if not (repository / "HEAD").is_file():
        raise UsageProblem(f"{repository} is no bare repository", hint="give the folder that holds HEAD and hooks/")
    if dry_run:
        return hook_of(repository)
    protect(repository)
    return install_hook(repository, hook_text(repository.absolute()))


def _git(_context: Context) -> Iterator[Examined]:
    remedy = "install Git 2.30 or later from your system's packages"
    try:
        done = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        yield Examined("fail", "git", "not found", remedy)
        return
    numbers = re.search(r"(\d+)\.(\d+)", done.stdout)
    version = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
    good = version >= OLDEST_GIT
    yield Examined("ok" if good else "fail", "git", done.stdout.strip(), "" if good else remedy)


def _home(context: Context) -> Iterator[Examined]:
    folder = context.home
    if not folder.exists():
        yield Examined("ok", "home folder", f"{folder} (made when first needed)")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        yield Examined("fail", "home folder", f"{folder} can be read by others", f"chmod 700 {folder}")
    elif not os.access(folder, os.W_OK):
        yield Examined("fail", "home folder", f"{folder} cannot be written", "see who owns it")
    else:
        free = shutil.disk_usage(folder).free // 10**9
        yield Examined(
            "ok" if free >= 5 else "warn", "home folder", f"{folder}, {free} GB free", "" if free >= 5 else "make room"
        )


def _keys(context: Context) -> Iterator[Examined]:
    rows, problems = list_keys(context)
    remedy = "`medperf-git join` finds or makes one; reading and trying out need none"
    yield Examined("ok" if rows else "warn", "keys", f"{len(rows)} Ed25519 keys", "" if rows else remedy)
    for problem in problems:
        yield Examined("warn", "keys", problem, "mend it, or go on without that key")


def _clock(_context: Context) -> Iterator[Examined]:
    good = time.time() > _FIRST_DAY
    yield Examined(
        "ok" if good else "fail", "clock", time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()), "" if good else "set it"
    )


def _registries(context: Context) -> Iterator[Examined]:
    known = Config.load(context.home).registries
    if not known:
        yield Examined("ok", "registries", "none known yet", "`medperf-git registry add URL`")
    for alias, registry in known.items():
        yield _registry(alias, registry)


def _registry(alias: str, known: Known) -> Examined:
    what = f"registry {alias}"
    try:
        remote = Remote.parse(known.url)
        refs = list_refs(remote)
        if MAIN not in refs:
            return Examined("fail", what, "it has no main", "check the address")
        wrong = _unprotected(remote)
    except MedperfGitError as problem:
        return Examined("fail", what, problem.message, problem.hint)
    if gone := [one for one in wrong if one.what == "hook"]:
        return Examined("fail", what, gone[0].found, gone[0].remedy)
    if wrong:
        told = f"{len(wrong)} protective settings are missing"
        return Examined("warn", what, told, f"medperf-git doctor forge {remote.url}")
    return Examined("ok", what, f"{known.url}, {len(refs) - 1} open proposals")


def _unprotected(remote: Remote) -> list[Examined]:
    """Return what a bare repository on this machine lacks; another host is asked by `doctor forge` only."""
    if remote.transport is not Transport.PATH:
        return []
    return [one for one in examine_bare(Path(remote.url)) if one.state == "fail"]


LOOKS: tuple[Callable[[Context], Iterator[Examined]], ...] = (_git, engines, _home, _keys, _clock, _registries)
