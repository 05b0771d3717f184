"""What this program keeps on this machine, how much of it, and what may go.

`prune` removes what is made or fetched again by itself, and what killed commands left behind. Prepared data, runs and
what a person has corrected go only by their own commands, or when they are named.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medperf_git.errors import EnvironmentProblem, Refused, UsageProblem
from medperf_git.flows.carrying_data import remove_leftovers
from medperf_git.flows.context import Context
from medperf_git.flows.home import private_folder, reachable
from medperf_git.flows.prepared import iter_prepared
from medperf_git.flows.unchanged import telling
from medperf_git.runner.durable import locked
from medperf_git.runner.preparation import PreparationFolder, lock_of
from medperf_git.runner.relocate import relocate
from medperf_git.runner.scratch import remove_abandoned
from medperf_git.runner.store import RunStore
from medperf_git.runner.trees import remove_tree
from medperf_git.runner.watch import usage

Area = Literal["datasets", "runs", "cache"]
AREAS: tuple[Area, ...] = ("datasets", "runs", "cache")
_HIDDEN = 1 << 60
_MAY_GO = "yes"
_LEFT_BEHIND = "when unused"


@dataclass(frozen=True, slots=True)
class Stored:
    """Something that takes room: what it is, where it lies, bytes, files, and whether `prune` removes it."""

    what: str
    place: Path
    size: int
    files: int
    prune: str

    def as_row(self) -> dict[str, Any]:
        """Return it as a line of a table."""
        return {
            "what": self.what,
            "size": readable(self.size),
            "bytes": self.size,
            "files": self.files,
            "prune": self.prune,
            "place": str(self.place),
        }


def stored(home: Path) -> list[Stored]:
    """Return all that lies in the home folder, the largest of each kind first."""
    for area in AREAS:
        reachable(home / area)
    rows = [*_datasets(home), *_preparations(home), *_runs(home), *_others(home)]
    return [row for row in rows if row.size or row.files]


def free_line(home: Path) -> str:
    """Say how much is free on the disks of the home folder."""
    disks: dict[int, int] = {}
    for place in (home, *(home / area for area in AREAS)):
        if place.exists():
            disks.setdefault(place.stat().st_dev, shutil.disk_usage(place).free)
    return "free: " + ", ".join(readable(free) for free in disks.values())


def prune(
    context: Context, *, preparations: bool, dry_run: bool, reap: Callable[[], object] = lambda: None
) -> list[Stored]:
    """Remove what may go and return it; with `preparations` the unfinished ones too, which may hold a person's work.

    `reap` ends the containers of commands that are gone, which may still use the scratch; EnvironmentProblem when the
    engine cannot be asked, and the scratch stays.
    """
    home = context.home
    for area in AREAS:
        reachable(home / area)
    gone: list[Stored] = []
    scratch = home / "scratch"
    before = _measured("scratch of commands that are gone", scratch, _LEFT_BEHIND)
    if before.size and not dry_run:
        try:
            reap()
        except EnvironmentProblem as problem:
            context.say(f"the scratch stays: {problem.message}")
        else:
            remove_abandoned(scratch)
    at_work = any(scratch.glob("*.lock")) if scratch.is_dir() else False
    if at_work and not dry_run:
        context.say("a command is at work with containers: the cache stays")
    left = _measured("scratch of commands that are gone", scratch, _LEFT_BEHIND)
    if dry_run or left.size < before.size:
        gone.append(
            Stored(before.what, scratch, before.size - (0 if dry_run else left.size), before.files, before.prune)
        )
    for row in [*([] if at_work else _cache(home)), *_moved_away(home)]:
        gone.append(row)
        if not dry_run:
            remove_tree(row.place)
    gone += _pruned_import(home, dry_run=dry_run)
    for row in _preparations(home) if preparations else ():
        gone += _pruned_preparation(row, dry_run=dry_run)
    return [row for row in gone if row.size or row.files]


def move(context: Context, area: Area, to: Path) -> Path:
    """Move all datasets, runs or the cache to another disk; `Refused` while anything is at work on them."""
    home = context.home
    if not to.is_dir():
        raise UsageProblem(f"there is no folder {to}", hint="mount the disk, make the folder, then repeat")
    private_folder(home / area)
    target = to.resolve() / f"medperf-git-{area}"
    with ExitStack() as stack:
        for lock in _locks(home, area):
            try:
                stack.enter_context(locked(lock))
            except BlockingIOError as error:
                raise Refused(f"a command is at work on the {area}", hint="wait until it has ended") from error
        relocate(home / area, target, progress=telling(context.say, f"moving the {area}"))
    return target


def _locks(home: Path, area: Area) -> Iterator[Path]:
    """Yield the locks that whoever uses an area holds; every command with containers uses the cache."""
    yield from sorted((home / "scratch").glob("*.lock"))
    if area == "datasets":
        yield from (lock_of(folder) for folder in sorted((home / "datasets").glob(".*.partial")))
    if area == "runs":
        yield from (run.path / "lock" for run in RunStore(home / "runs").runs())


def _datasets(home: Path) -> list[Stored]:
    rows = []
    for one in iter_prepared(home):
        note = ", its files lie elsewhere" if one.places else ""
        rows.append(_measured(f"dataset {one.name} ({one.cases} cases, number {one.number}{note})", one.folder, "no"))
    return sorted(rows, key=lambda row: -row.size)


def _preparations(home: Path) -> list[Stored]:
    rows = []
    for folder in sorted((home / "datasets").glob(".*.partial")):
        _, _, name = folder.name.removesuffix(".partial").rpartition(".")
        standing = str(PreparationFolder(folder).state().get("standing", "unknown"))
        rows.append(_measured(f"unfinished preparation of {name} ({standing})", folder, "with --preparations"))
    return rows


def _runs(home: Path) -> list[Stored]:
    return [_measured("runs", home / "runs", "by `runs prune`")]


def _cache(home: Path) -> list[Stored]:
    return [
        _measured("fetched files of records", home / "cache" / "assets", _MAY_GO),
        _measured("unpacked files of records", home / "cache" / "unpacked", _MAY_GO),
    ]


def _others(home: Path) -> list[Stored]:
    known = {"datasets", "runs", "cache", "scratch"}
    rows = [*_cache(home), _measured("scratch", home / "scratch", _LEFT_BEHIND)]
    rows.append(_measured("an import that was stopped", home / "datasets" / ".import", _LEFT_BEHIND))
    rows += _moved_away(home)
    known |= {row.place.name for row in rows}
    places = sorted(home.iterdir()) if home.is_dir() else []
    return rows + [_measured(place.name, place, "no") for place in places if place.is_dir() and place.name not in known]


def _moved_away(home: Path) -> list[Stored]:
    """Return old folders that a move was stopped before it removed; the link beside them leads to the new one."""
    pairs = [(home / f".{area}.moved", home / area) for area in AREAS]
    return [
        _measured(f"old place of the {area.name}, which were moved", old, _MAY_GO)
        for old, area in pairs
        if old.is_dir() and not old.is_symlink() and area.is_symlink() and area.is_dir()
    ]


def _pruned_import(home: Path, *, dry_run: bool) -> list[Stored]:
    row = _measured("an import that was stopped", home / "datasets" / ".import", _LEFT_BEHIND)
    try:
        if not dry_run:
            remove_leftovers(home)
    except BlockingIOError:
        return []
    return [row]


def _pruned_preparation(row: Stored, *, dry_run: bool) -> list[Stored]:
    lock = lock_of(row.place)
    try:
        with locked(lock):
            if not dry_run:
                remove_tree(row.place)
                lock.unlink(missing_ok=True)
    except BlockingIOError:
        return []
    return [row]


def _measured(what: str, place: Path, may_go: str) -> Stored:
    size, files = usage(place.resolve())
    return Stored(what, place, size if size < _HIDDEN else 0, files, may_go)


def readable(size: int) -> str:
    """Return bytes as people read them."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
