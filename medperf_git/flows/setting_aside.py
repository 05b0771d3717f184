"""Set an invalid step of main aside: the record by which the maintainers heal a registry that somebody broke."""

from medperf_git.errors import Refused
from medperf_git.flows.propose import Draft, Proposed, next_link, propose
from medperf_git.flows.workspace import Workspace
from medperf_git.records import layout
from medperf_git.records.models import Quarantine
from medperf_git.records.times import format_time
from medperf_git.registry.quarantine import quarantinable

REASONS = ("forged", "accident", "unreadable", "other")


def is_broken_step(workspace: Workspace, text: str) -> bool:
    """Tell whether `text` (7 digits or more) names the step at which everybody stops now."""
    return workspace.broken is not None and len(text) >= 7 and workspace.broken.commit.startswith(text)


def set_aside(workspace: Workspace, *, reason: str, dry_run: bool = False) -> Proposed:
    """Propose that all paths which the invalid step added count as absent.

    Refused: it did more than a record can set aside. Nobody has gone past it, so the host may set main back to the last
    valid step, or a step may restore exact bytes.
    """
    if workspace.broken is None:
        raise Refused("no step of main is invalid", hint="nothing to do")
    commit = workspace.broken.commit
    paths = quarantinable(workspace.store, commit)
    if not paths:
        why = "did more than add containers, datasets, requests or results, so no record can set it aside"
        hint = f"set main back to {workspace.head[:12]}, which nobody's copy minds, or put its exact bytes on top"
        raise Refused(f"commit {commit[:12]} {why}", hint=hint)
    number, previous = next_link(workspace.view, layout.QUARANTINE)
    record = Quarantine(
        created=format_time(workspace.context.clock()),
        previous=previous,
        commit=commit,
        paths=tuple(sorted(paths)),
        reason=reason if reason in REASONS else "other",  # type: ignore[arg-type]  # it is one of them
    )
    draft = Draft(layout.numbered(layout.QUARANTINE, number), record)
    return propose(workspace, [draft], title=f"Set commit {commit[:12]} aside", dry_run=dry_run)
