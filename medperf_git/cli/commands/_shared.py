"""What the commands that write and list records share: sending with a word about who is waited for, listings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.records.record import Stored
from medperf_git.records.times import format_time

if TYPE_CHECKING:
    from medperf_git.flows.propose import Draft, Proposed
    from medperf_git.flows.workspace import Workspace


def fresh_workspace(*, yes: bool = False) -> "Workspace":
    """Open the chosen registry with what is new in it."""
    return open_workspace(yes=yes, refresh=True)


def created_now(workspace: "Workspace") -> str:
    """Return the time as records write it."""
    return format_time(workspace.context.clock())


def send(
    workspace: "Workspace",
    drafts: "Sequence[Draft]",
    *,
    title: str,
    dry_run: bool = False,
    meanwhile: str = "",
    silent: bool = False,
) -> "Proposed":
    """Sign and submit records, then say (unless `silent`) who is waited for and what can be done meanwhile."""
    from medperf_git.flows.propose import propose  # noqa: PLC0415  (loads Git and keys)

    proposed = propose(workspace, drafts, title=title, dry_run=dry_run)
    if silent:
        return proposed
    if dry_run:
        echo_text(f"would submit {len(drafts)} record(s): {title}")
        for draft in drafts:
            echo_text(f"  {draft.path}")
        after = f"; it would wait for {proposed.waits_for}" if proposed.waits_for else ""
        echo_text(f"the judge says: {proposed.verdict.outcome}{after}; nothing was sent")
        return proposed
    echo_text(f"{'merged' if proposed.merged else 'submitted'}: {title}")
    if proposed.url:
        echo_text(f"  {proposed.url}")
    if proposed.waits_for and not proposed.merged:
        echo_text(f"waiting for: {proposed.waits_for}")
    if meanwhile:
        echo_text(f"meanwhile: {meanwhile}")
    return proposed


def listing(rows: Iterable[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str] = (), empty: str) -> None:
    """Print rows as a table (of `columns`, or all) or as one JSON document with everything."""
    listed = [dict(row) for row in rows]
    if as_json:
        echo_json(listed)
        return
    table(listed, list(columns) or None, empty=empty)


def show_record(workspace: "Workspace", stored: Stored, *, as_json: bool, facts: Mapping[str, Any]) -> None:
    """Print one record: what is known about it, then its exact bytes."""
    from medperf_git.records.convert import value_of  # noqa: PLC0415

    if as_json:
        echo_json({**facts, "path": stored.path, "digest": stored.digest, "record": value_of(stored.record)})
        return
    echo_text(stored.path, bold=True)
    for key, value in facts.items():
        if value not in ("", None):
            echo_text(f"  {key}: {value}")
    echo_text()
    echo_text((workspace.view.blob(stored.path) or b"").decode("utf-8", "replace"))


def marks_text(workspace: "Workspace", path: str) -> str:
    """Return what notices say of a record, in words."""
    from medperf_git.records.folds import marks_of  # noqa: PLC0415

    marks = marks_of(workspace.view, path)
    return ", ".join(word for word, on in (("withdrawn", marks.withdrawn), ("disputed", marks.disputed)) if on)
