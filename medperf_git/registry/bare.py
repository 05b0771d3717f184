"""Create the bare repositories this software lives in: a registry to push to, and the local copy of one."""

import os
from pathlib import Path

import pygit2
from pygit2.enums import RepositoryInitFlag

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.registry.objects import Store

# What Git itself refuses before the hook is asked: damaged or deceptive objects, and more than one push may bring.
# The hook allows the deletion of merged proposals and no other, so deletions may reach it.
PROTECTION: dict[str, str] = {
    "receive.fsckObjects": "true",
    "transfer.fsckObjects": "true",
    "receive.maxInputSize": str(256 * 1024 * 1024),
    "receive.denyDeletes": "false",
}
# What lets others keep a light copy: that they may leave out what they do not read, and ask for it later by its id.
# Protocol version 2 gives any id as it is; this is for those whom an SSH server leaves with an older one. Nobody gets
# more than they had: whoever may read may read all, and a refused push leaves no object behind (quarantine).
SERVING: dict[str, str] = {
    "uploadpack.allowFilter": "true",
    "uploadpack.allowAnySHA1InWant": "true",
}
_MAIN = "main"


def create_registry(path: Path, *, pre_receive: str) -> Store:
    """Create an empty bare repository whose `pre-receive` hook is the text `pre_receive`.

    UsageProblem: something is there already. EnvironmentProblem: the disk refuses.
    """
    store = _create(path)
    protect(store.path)
    install_hook(store.path, pre_receive)
    return store


def open_copy(path: Path) -> Store:
    """Open the local copy of a registry, made first where it does not exist yet."""
    if (path / "HEAD").exists():
        return Store.open(path)
    return _create(path)


def hook_of(repository: Path) -> Path:
    """Return where the hook of a bare repository lies."""
    return repository / "hooks" / "pre-receive"


def install_hook(repository: Path, text: str) -> Path:
    """Write the `pre-receive` hook of a bare repository and return its path; replaces an older one at once."""
    hook = hook_of(repository)
    hook.parent.mkdir(exist_ok=True)
    fresh = hook.with_name(f".pre-receive.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    fresh.chmod(0o755)
    fresh.replace(hook)
    return hook


def protect(repository: Path) -> None:
    """Write the settings of `PROTECTION` and `SERVING` into a bare repository; others are left as they are."""
    try:
        config = pygit2.Config(str(repository / "config"))
        for name, value in (PROTECTION | SERVING).items():
            config[name] = value
    except (pygit2.GitError, OSError) as error:
        hint = "run this as the user who owns the repository"
        raise EnvironmentProblem(f"cannot write the settings of {repository}: {error}", hint=hint) from error


def read_settings(repository: Path) -> dict[str, str]:
    """Return the settings that a repository itself holds, names in lower case; the last of several counts."""
    try:
        return {entry.name: str(entry.value) for entry in pygit2.Config(str(repository / "config"))}
    except (pygit2.GitError, OSError) as error:
        raise EnvironmentProblem(
            f"cannot read the settings of {repository}: {error}", hint="see who owns it"
        ) from error


def _create(path: Path) -> Store:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageProblem(f"{path} is there already and is not empty", hint="choose a folder that does not exist yet")
    flags = RepositoryInitFlag.BARE | RepositoryInitFlag.MKPATH | RepositoryInitFlag.NO_REINIT
    try:
        pygit2.init_repository(str(path), flags=flags, initial_head=_MAIN)
    except (pygit2.GitError, OSError) as error:
        hint = "check that the folder above exists and that you may write there"
        raise EnvironmentProblem(f"cannot create a repository at {path}: {error}", hint=hint) from error
    return Store.open(path)
