"""A registry of a real earlier run that comes with this program, to look at without an engine.

It is unpacked into a bare repository of its own, which then plays the Git host. `turn_one_digit` and `commit_it` are
what somebody can do who holds that host: history looks continued, and one digit of a signed result is another.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from medperf_git.errors import EnvironmentProblem
from medperf_git.records.schemas import asset_folder
from medperf_git.registry.bare import open_copy
from medperf_git.registry.commits import Author, set_ref, write_commit
from medperf_git.registry.objects import Store
from medperf_git.registry.remotes import Remote
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.transport import fetch

_MAIN = "refs/heads/main"
_DIGIT = re.compile(rb"(?m)^    value: 0\.\d*?([1-8])$")


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded: the bundle of the registry, and what is said about the run."""

    bundle: Path
    registry: str
    benchmark: str
    played: str
    machine: str
    software: str
    data: str


@dataclass(frozen=True, slots=True)
class Turned:
    """A result in which one digit is another than its hospital signed: the line before and after, and a file of it."""

    path: str
    before: str
    after: str
    file: Path


def recording() -> Recording:
    """Return the recording that came with this program."""
    folder = asset_folder("examples") / "breast-cancer" / "recorded"
    try:
        told = json.loads((folder / "recorded.json").read_text(encoding="utf-8"))
        if not all(isinstance(value, str) for value in told.values()):
            raise TypeError("a value is no text")
        return Recording(folder / "registry.bundle", **told)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        hint = "install medperf-git again; the recording lies beside its schemas"
        raise EnvironmentProblem(f"the recorded registry cannot be read: {error}", hint=hint) from error


def unpack(recorded: Recording, registry: Path) -> None:
    """Make the recorded registry a bare repository, as a Git host would hold it."""
    open_copy(registry)
    try:
        fetch(registry, Remote.at_path(recorded.bundle), [f"+{_MAIN}:{_MAIN}"])
    except EnvironmentProblem as problem:
        hint = f"{problem.hint}; if Git is well, install medperf-git again"
        raise EnvironmentProblem(f"the recorded registry cannot be unpacked: {problem.message}", hint=hint) from problem


def turn_one_digit(registry: Path, out: Path) -> Turned:
    """Write the first result that has decimals, and its signature, below `out`, one digit of it one higher."""
    store, tip = _open(registry)
    main = Snapshot.at(store, tip)
    path, data, digit = _first_decimal(main)
    changed = data[:digit] + bytes([data[digit] + 1]) + data[digit + 1 :]
    (out / path).parent.mkdir(parents=True)
    for name, _ in main.iter_blob_ids(path.rpartition("/")[0]):
        if name.startswith(path):
            (out / name).write_bytes(changed if name == path else main.blob(name) or b"")
    return Turned(path, _line(data, digit), _line(changed, digit), out / path)


def commit_it(registry: Path, turned: Turned, *, at: datetime) -> None:
    """Put it on main, as somebody can who holds the Git host: no hook is asked."""
    store, tip = _open(registry)
    somebody = Author("Somebody who holds the Git host", "somebody@example.org", at)
    files = {turned.path: turned.file.read_bytes()}
    set_ref(store, _MAIN, write_commit(store, tip, files, message="Tidy up", author=somebody))


def _open(registry: Path) -> tuple[Store, str]:
    store = Store.open(registry)
    tip = store.ref(_MAIN)
    if tip is None:
        raise EnvironmentProblem(f"{registry} has no main", hint="play it again in another folder")
    return store, tip


def _first_decimal(main: Snapshot) -> tuple[str, bytes, int]:
    """Return the first result with a value that has decimals: its path, its bytes, and where a digit stands."""
    for path, _ in main.iter_blob_ids("results"):
        data = main.blob(path) or b""
        found = _DIGIT.search(data) if path.endswith(".yaml") else None
        if found:
            return path, data, found.start(1)
    raise EnvironmentProblem("no result has a value with decimals", hint="install medperf-git again")


def _line(data: bytes, at: int) -> str:
    return data[data.rindex(b"\n", 0, at) + 1 : data.index(b"\n", at)].decode("utf-8").strip()
