"""Is a prepared dataset what it was: every byte read again, and the files named that are not. Names stay here."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from medperf_git.errors import IntegrityBroken
from medperf_git.flows.prepared import Prepared
from medperf_git.runner.manifest import ManifestEntry, Progress, digest_of_entries, manifest_of
from medperf_git.runner.preparation import read_manifest

_EVERY_SECONDS = 2.0
_MOST_NAMED = 10
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """Files that are other than the manifest says, by `role/path`; `known` is whether there is a manifest to ask."""

    changed: Names
    missing: Names
    new: Names
    known: bool = True

    def lines(self) -> Iterator[str]:
        """Say which files they are."""
        for what, names in (("changed", self.changed), ("missing", self.missing), ("new", self.new)):
            yield from (f"{what}: {name}" for name in names[:_MOST_NAMED])
            if len(names) > _MOST_NAMED:
                yield f"{what}: {len(names) - _MOST_NAMED} more"
        if not self.known:
            yield "which files they are is not known: no manifest was kept beside this dataset"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"changed": list(self.changed), "missing": list(self.missing), "new": list(self.new)}


class Changed(IntegrityBroken):
    """The files of a dataset are not what they were."""

    def __init__(self, message: str, *, hint: str, differences: Differences) -> None:
        super().__init__(message, hint=hint)
        self.differences = differences


def refuse_changed(prepared: Prepared, *, progress: Progress | None = None) -> int:
    """Raise `Changed` unless the files are what they were when prepared; return how many there are."""
    entries = manifest_of(prepared.roots, progress=progress)
    found = digest_of_entries(entries)
    if found == prepared.content:
        return len(entries)
    differences = differences_of(prepared, entries)
    named = [*differences.lines()]
    raise Changed(
        f"the files of {prepared.name} have changed: expected {prepared.content}, got {found}",
        hint="restore them from a backup, or prepare the dataset again as a new version" + _listed(named),
        differences=differences,
    )


def differences_of(prepared: Prepared, entries: tuple[ManifestEntry, ...]) -> Differences:
    """Compare files as they are with the manifest that was kept."""
    kept = read_manifest(prepared.folder)
    if kept is None or digest_of_entries(kept) != prepared.content:
        return Differences((), (), (), known=False)
    before = {f"{entry.role}/{entry.path}": entry for entry in kept}
    now = {f"{entry.role}/{entry.path}": entry for entry in entries}
    return Differences(
        changed=tuple(name for name in before if name in now and before[name] != now[name]),
        missing=tuple(name for name in before if name not in now),
        new=tuple(name for name in now if name not in before),
    )


def telling(say: Callable[[str], None], about: str) -> Progress:
    """Return a progress that says per cent, every two seconds and once at its end where it said anything."""
    began = told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told < _EVERY_SECONDS:
            return
        told = now
        speed = done / (now - began) / 1e6
        say(f"{about}: {100 * done // max(1, total)} % of {total / 1e9:.1f} GB ({speed:.0f} MB/s)")

    return tell


def _listed(lines: list[str]) -> str:
    return "".join(f"\n  {line}" for line in lines)
