"""The history of a registry: what was merged, and whether all of it is valid."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from medperf_git.flows.light import require_whole
from medperf_git.flows.workspace import Workspace
from medperf_git.records.times import format_time
from medperf_git.registry.sync import SyncReport, audit
from medperf_git.registry.transport import UPSTREAM_MAIN

if TYPE_CHECKING:
    from medperf_git.registry.whole import WholeReport


def check_records(workspace: Workspace) -> "WholeReport":
    """Fetch what is new and check every record of main by itself; what was valid here before is not read again."""
    from medperf_git.registry.cache import Verified  # noqa: PLC0415  (only here)
    from medperf_git.registry.whole import check_whole  # noqa: PLC0415

    require_whole(workspace, "checking every record")
    workspace.forge.fetch(workspace.copy)
    tip = workspace.store.ref(UPSTREAM_MAIN) or workspace.head
    say = workspace.context.say

    def progress(done: int, folders: int) -> None:
        if done % 50 == 0:
            say(f"checked {done} of {folders} folders")

    known = Verified.load(workspace.pin_file.with_name("verified"))
    report = check_whole(workspace.store, tip, known=known, progress=progress)
    known.save()
    return report


def audit_registry(workspace: Workspace) -> SyncReport:
    """Fetch what is new and judge every step from the genesis again, pins forgotten."""
    require_whole(workspace, "an audit")
    workspace.forge.fetch(workspace.copy)
    tip = workspace.store.ref(UPSTREAM_MAIN) or workspace.head
    say = workspace.context.say

    def progress(done: int, steps: int) -> None:
        if done % 200 == 0:
            say(f"verified {done} of {steps} steps")

    return audit(workspace.store, tip, expected=workspace.registry_id, progress=progress, now=workspace.context.clock())


def list_steps(workspace: Workspace, number: int) -> list[dict[str, object]]:
    """Return the latest steps of main, the newest first, as plain values."""
    return [_step(workspace, commit) for commit in islice(_newest_first(workspace), number)]


def _newest_first(workspace: Workspace) -> Iterator[str]:
    at: str | None = workspace.head
    while at:
        yield at
        at = next(iter(workspace.store.commit(at).parents), None)


def _step(workspace: Workspace, commit_id: str) -> dict[str, object]:
    commit = workspace.store.commit(commit_id)
    lines = [line for line in workspace.store.message(commit_id).splitlines() if line]
    what = lines[1] if len(lines) > 1 and lines[0].startswith("Merge submit/") else (lines or [""])[0]
    proposal = lines[0].removeprefix("Merge submit/") if lines and lines[0].startswith("Merge submit/") else ""
    return {"when": format_time(commit.time), "commit": commit_id[:12], "what": what, "proposal": proposal}
