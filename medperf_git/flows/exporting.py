"""A commit of a registry → one of the formats in which others read results, on disk.

Nothing is exported that was not verified: a commit other than the verified head is judged from the genesis on first.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.naming import find
from medperf_git.flows.sites import InvalidStep, resolve_commit
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.exporting.archive import render_zip
from medperf_git.leaderboard.exporting.formats import Format, format_named
from medperf_git.leaderboard.exporting.release import read_origin
from medperf_git.leaderboard.exporting.rendering import render_export
from medperf_git.records.models import Benchmark
from medperf_git.records.names import Ref
from medperf_git.records.times import format_time
from medperf_git.registry.history import line_between
from medperf_git.registry.objects import Store
from medperf_git.registry.snapshot import Snapshot
from medperf_git.registry.sync import audit

_ID_BYTES = 20  # of one commit in a line of history


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: in which format, of which commit, about what, where, how many files."""

    format: str
    standard: str
    commit: str
    registry_id: str
    benchmark: str
    out: Path
    files: int


def export_here(
    workspace: Workspace,
    name: str,
    *,
    benchmark: str | None,
    at: str | None,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Export a verified commit of the chosen registry (`at` None: main as last verified) to `out`.

    Raises `UsageProblem` for an unknown format or benchmark, and where `out` holds anything.
    """
    one = format_named(name)
    check_out(one, out)
    commit = _verified(workspace, at, progress)
    view = Snapshot.at(workspace.store, commit)
    ref = find(view, Benchmark, benchmark, member=workspace.member).ref if benchmark else None
    files = _rendered(workspace.store, view, one, commit=commit, registry=workspace.registry_id, ref=ref)
    place = write_export(one, files, out)
    about = str(ref) if ref else ""
    return Exported(one.name, one.standard, commit, workspace.registry_id, about, place, len(files))


def _verified(workspace: Workspace, at: str | None, progress: Callable[[int, int], None] | None) -> str:
    if at is None or at in ("main", workspace.head):
        return workspace.head
    commit = resolve_commit(workspace.store, at)
    now = workspace.context.clock()
    report = audit(workspace.store, commit, expected=workspace.registry_id, progress=progress, now=now)
    if report.stopped is not None:
        raise InvalidStep(
            f"commit {report.stopped.commit[:12]} is not valid; nothing is exported from it",
            report.stopped.judgement.findings,
            hint="tell the maintainers of the registry",
        )
    return commit


def _rendered(
    store: Store, view: Snapshot, one: Format, *, commit: str, registry: str, ref: Ref | None
) -> Mapping[str, bytes]:
    steps = len(line_between(store, commit, None)) // _ID_BYTES
    step_time = format_time(store.commit(commit).time)
    origin = read_origin(view, commit=commit, registry_id=registry, step_time=step_time, steps=steps)
    return render_export(one, view, origin, ref)


def check_out(one: Format, out: Path) -> None:
    """Refuse a place that holds something: nothing is ever written over."""
    if out.is_dir():
        if any(out.iterdir()):
            raise UsageProblem(f"{out} is not empty", hint="choose a new or empty folder; nothing is written over")
    elif out.exists() or out.is_symlink():
        raise UsageProblem(f"{out} is there already", hint="choose another name; nothing is written over")
    elif out.suffix == ".zip" and not one.zips:
        raise UsageProblem(
            f"{one.name} is not written as a zip archive", hint="name a folder or, for one file, the file"
        )


def write_export(one: Format, files: Mapping[str, bytes], out: Path) -> Path:
    """Put the files at `out` in one step: one file, one zip archive, or a folder; return where they are."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as waiting:
            fresh = Path(waiting) / "new"
            if out.is_dir() or not (one.single or out.suffix == ".zip"):
                for name, data in files.items():
                    (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                    (fresh / name).write_bytes(data)
                if out.is_dir():
                    out.rmdir()  # an empty one
            else:
                fresh.write_bytes(next(iter(files.values())) if one.single else render_zip(files))
            fresh.rename(out)
    except OSError as error:
        raise EnvironmentProblem(
            f"the export could not be written to {out}: {error.strerror}", hint="check free space and permissions"
        ) from error
    return out
