"""Look at a bare repository that serves as a registry: is everything there that keeps main what was judged?

Who may write into its folder can go around every hook; that is said too.
"""

import os
import re
import shlex
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import UsageProblem
from medperf_git.flows.house_examined import Examined
from medperf_git.flows.server_hook import interpreter_of, is_current
from medperf_git.registry.bare import PROTECTION, SERVING, read_settings
from medperf_git.registry.objects import Store

_REF = re.compile(r"refs/heads/(?:main|submit/[0-9a-f]{32})")
_LARGEST = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bare:
    """A bare repository as it was found."""

    path: Path
    settings: dict[str, str]

    @property
    def repair(self) -> str:
        """The command that writes hook and settings anew."""
        return f"medperf-git doctor --install-hook {shlex.quote(str(self.path))}"


def examine_bare(path: Path) -> list[Examined]:
    """Look at everything; UsageProblem when there is no bare repository."""
    if not ((path / "HEAD").is_file() and (path / "objects").is_dir()):
        raise UsageProblem(f"{path} is no bare repository", hint="give the folder that holds HEAD, objects/ and hooks/")
    bare = Bare(path.absolute(), read_settings(path))
    return [finding for look in LOOKS for finding in look(bare)]


def _hook(bare: Bare) -> Iterator[Examined]:
    if "core.hookspath" in bare.settings:
        found = f"core.hooksPath leads to {bare.settings['core.hookspath']}: hooks/pre-receive is not asked"
        remedy = f"git --git-dir={shlex.quote(str(bare.path))} config --unset core.hooksPath"
        yield Examined("fail", "hook is asked", found, remedy)
    hook = bare.path / "hooks" / "pre-receive"
    if not os.access(hook, os.X_OK):
        yield Examined("fail", "hook", "its pre-receive hook is missing: it takes everything", bare.repair)
        return
    text = hook.read_text(encoding="utf-8", errors="replace")
    python = interpreter_of(text)
    if python is None or not is_current(text, python=python):
        yield Examined("fail", "hook", "hooks/pre-receive is not the text of this release", bare.repair)
    elif not os.access(python, os.X_OK):
        yield Examined("fail", "hook", f"its interpreter {python} is gone: every push is refused", bare.repair)
    else:
        yield Examined("ok", "hook", "pre-receive judges every push")


def _protection(bare: Bare) -> Iterator[Examined]:
    for name, wanted in PROTECTION.items():
        got = bare.settings.get(name.lower(), "")
        good = 0 < _size(got) <= _LARGEST if name == "receive.maxInputSize" else got == wanted
        yield Examined("ok" if good else "fail", name, got or "not set", "" if good else bare.repair)


def _serving(bare: Bare) -> Iterator[Examined]:
    missing = [name for name, wanted in SERVING.items() if bare.settings.get(name.lower(), "") != wanted]
    if missing:
        found = f"{', '.join(missing)} not set: everybody must fetch all of it, nobody can keep a light copy"
        yield Examined("warn", "light copies", found, bare.repair)
    else:
        yield Examined("ok", "light copies", "what nobody reads need not be fetched")


def _refs(bare: Bare) -> Iterator[Examined]:
    store = Store.open(bare.path, trust_owner=True)
    others = [name for name in store.refs("refs/") if not _REF.fullmatch(name)]
    if others:
        listed = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
        remedy = f"git --git-dir={shlex.quote(str(bare.path))} update-ref -d REF"
        yield Examined("fail", "refs", f"other refs than main and submit/*: {listed}", remedy)
    else:
        yield Examined("ok", "refs", "main and proposals only")
    head = (bare.path / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    good = head == "ref: refs/heads/main"
    remedy = f"git --git-dir={shlex.quote(str(bare.path))} symbolic-ref HEAD refs/heads/main"
    yield Examined("ok" if good else "fail", "HEAD", head, "" if good else remedy)


def _permissions(bare: Bare) -> Iterator[Examined]:
    if os.name != "posix":
        return
    parts = [bare.path, bare.path / "config", bare.path / "hooks", bare.path / "hooks" / "pre-receive"]
    modes = {part: stat.S_IMODE(part.stat().st_mode) for part in parts if part.exists()}
    for bit, state, who in ((0o002, "fail", "everybody"), (0o020, "warn", "its group")):
        loose = [str(part) for part, mode in modes.items() if mode & bit]
        if loose:
            flag = "o-w" if bit == 0o002 else "g-w"
            remedy = f"chmod {flag} {' '.join(map(shlex.quote, loose))}"
            found = f"{who} may write {', '.join(loose)} and go around the hook"
            yield Examined("fail" if state == "fail" else "warn", "permissions", found, remedy)
            return
    yield Examined("ok", "permissions", "only its owner may change hook and settings")


def _size(text: str) -> int:
    """Return a size as Git writes it, `256m` too; 0 where it is none."""
    match = re.fullmatch(r"([0-9]{1,15})([kKmMgG]?)", text)
    return int(match.group(1)) * 1024 ** " kmg".index(match.group(2).lower() or " ") if match else 0


LOOKS: tuple[Callable[[Bare], Iterator[Examined]], ...] = (_hook, _protection, _serving, _refs, _permissions)
