"""The one local folder: keys, verified copies of registries, drafts, what waits to be sent.

Nobody but its owner may read it. Every file in it is written beside its place and renamed, so that a crash leaves
the old bytes or the new ones.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem

VARIABLE = "MEDPERF_GIT_HOME"


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return the local folder: `$MEDPERF_GIT_HOME`, else the system's place for a program's data."""
    chosen = environ.get(VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs  # noqa: PLC0415  (not needed where the variable is set)

    return Path(platformdirs.user_data_dir("medperf-git", appauthor=False))


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, and those above it up to the first that exists."""
    reachable(path)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        hint = f"check the folder, or choose another with {VARIABLE}"
        raise EnvironmentProblem(f"cannot make the folder {path}: {error.strerror}", hint=hint) from error
    return path


def reachable(path: Path) -> Path:
    """Return a folder of ours, which may not exist yet; EnvironmentProblem where it lies on a disk that is not there.

    `storage move` leaves a link to another disk: without that disk nothing is lost, and nothing may be made anew.
    """
    if path.is_symlink() and not path.exists():
        hint = "mount that disk, then run the same command again; nothing is lost"
        raise EnvironmentProblem(f"{path} leads to {path.readlink()}, which is not there", hint=hint)
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise EnvironmentProblem(f"{path} cannot be read", hint="see who owns it and who may read it")
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel releases, also when this process is killed; waits until it is free."""
    private_folder(path.parent)
    with path.open("a", encoding="utf-8") as stream:
        try:
            import fcntl  # noqa: PLC0415  (not on Windows, where one command at a time is up to the person)

            fcntl.flock(stream, fcntl.LOCK_EX)
        except ImportError:
            pass
        yield


def write_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step that survives a crash; EnvironmentProblem when the disk refuses."""
    private_folder(path.parent)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        hint = "make room on the disk, or check who may write there"
        raise EnvironmentProblem(f"cannot write {path}: {error.strerror}", hint=hint) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, keys sorted."""
    write_file(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an absent file is an empty one; `Damaged` when it is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        hint = "see who owns it and who may read it"
        raise EnvironmentProblem(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise Damaged(path, str(error)) from error
    if not isinstance(value, dict):
        raise Damaged(path, "it holds no object")
    return value


class Damaged(EnvironmentProblem):
    """A file of ours that somebody or something else has written to."""

    def __init__(self, path: Path, why: str, *, hint: str = "") -> None:
        told = hint or "move the file away; what it said is asked for or fetched again"
        super().__init__(f"{path} is damaged: {why}", hint=told)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
