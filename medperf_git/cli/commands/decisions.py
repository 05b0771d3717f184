"""The commands that decide: approve, reject, withdraw, reinstate, prioritise, dispute, resolve."""

from collections.abc import Callable
from string import hexdigits
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medperf_git.cli.closing import proposed_value, report_proposed
from medperf_git.cli.commands._shared import created_now, fresh_workspace, send
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.errors import Interrupted

if TYPE_CHECKING:
    from medperf_git.flows.decisions import AssociationEvent, Decision, NoticeEvent
    from medperf_git.flows.propose import Proposed
    from medperf_git.flows.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


def _ending(function: F) -> F:
    """Add `--yes`, `--dry-run`, `--json`."""
    return yes_option(dry_run_option(json_option(function)))


def _subjects(function: F) -> F:
    """Add what every decision on an association takes: references, `--benchmark`, `--all`, and how to end."""
    everything = click.option("--all", "everything", is_flag=True, help="Everything that waits for you.")
    benchmark = click.option("--benchmark", metavar="REF", help="In this benchmark.")
    refs = click.argument("refs", nargs=-1, metavar="REF...")
    return refs(benchmark(everything(_ending(function))))


def _about_records(default: str) -> Callable[[F], F]:
    """Add what every notice takes: references, a reason, and how to end."""

    def add(function: F) -> F:
        text = "Why: error-found, consent-withdrawn, data-problem, container-problem, implausible, duplicate, …"
        reason = click.option("--reason", default=default, show_default=True, help=text)
        refs = click.argument("refs", nargs=-1, required=True, metavar="REF...")
        return refs(reason(_ending(function)))

    return add


@click.command()
@_subjects
def approve(refs: tuple[str, ...], benchmark: str | None, everything: bool, **ending: bool) -> None:
    """Say yes to datasets and models that ask to join a benchmark.

    Shows what would be written, and what a committee decides on, before it asks. All of it goes in one proposal,
    or in as few as the registry's limits allow.
    """
    _decide("approve", refs, benchmark=benchmark, everything=everything, **ending)


@click.command()
@_subjects
def reject(refs: tuple[str, ...], benchmark: str | None, everything: bool, **ending: bool) -> None:
    """Say no to datasets and models that ask to join a benchmark.

    Shows what would be written, and what a committee decides on, before it asks. All of it goes in one proposal,
    or in as few as the registry's limits allow.
    """
    _decide("reject", refs, benchmark=benchmark, everything=everything, **ending)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--priority", type=click.IntRange(-1000, 1000), required=True, help="Greater runs earlier.")
@click.option("--benchmark", metavar="REF", help="In this benchmark.")
@_ending
def prioritise(refs: tuple[str, ...], priority: int, benchmark: str | None, **ending: bool) -> None:
    """Say in which order the models of a benchmark run."""
    _decide("prioritise", refs, benchmark=benchmark, priority=priority, **ending)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--benchmark", metavar="REF", help="Leave this benchmark; without it, the record itself is withdrawn.")
@click.option("--reason", default="other", show_default=True, help="Why the record is withdrawn.")
@_ending
def withdraw(refs: tuple[str, ...], benchmark: str | None, reason: str, **ending: bool) -> None:
    """Withdraw a cube, dataset, benchmark or result; with --benchmark, leave a benchmark.

    Maintainers set an invalid step of main aside by naming its commit.
    """
    if benchmark:
        _decide("withdraw", refs, benchmark=benchmark, **ending)
    elif not _set_aside(refs, reason, **ending):
        _notify("withdraw", refs, reason, **ending)


def _set_aside(refs: tuple[str, ...], reason: str, *, yes: bool, dry_run: bool, as_json: bool) -> bool:
    """Set the step aside at which everybody stops, when it is what is named; tell whether it was."""
    from medperf_git.flows.setting_aside import is_broken_step, set_aside  # noqa: PLC0415

    if len(refs) != 1 or not all(letter in hexdigits for letter in refs[0]):
        return False
    workspace = open_workspace(yes=yes, refresh=True, healing=True)
    if not is_broken_step(workspace, refs[0]):
        return False
    if not dry_run and not workspace.context.agrees("Sign that everything this step added counts as absent?"):
        raise Interrupted("not signed", hint="nothing was sent")
    report_proposed(set_aside(workspace, reason=reason, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
    return True


@click.command()
@_about_records("resolved")
def reinstate(refs: tuple[str, ...], reason: str, **ending: bool) -> None:
    """Take back a withdrawal."""
    _notify("reinstate", refs, reason, **ending)


@click.command()
@_about_records("implausible")
def dispute(refs: tuple[str, ...], reason: str, **ending: bool) -> None:
    """As committee, mark a result (by its 12 digits) as disputed."""
    _notify("dispute", refs, reason, **ending)


@click.command()
@_about_records("resolved")
def resolve(refs: tuple[str, ...], reason: str, **ending: bool) -> None:
    """As committee, end a dispute."""
    _notify("resolve", refs, reason, **ending)


def _decide(
    event: "AssociationEvent",
    refs: tuple[str, ...],
    *,
    benchmark: str | None,
    everything: bool = False,
    priority: int | None = None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from medperf_git.flows.decisions import decide  # noqa: PLC0415

    if bool(refs) == everything:
        raise click.UsageError("name what you decide on, or say --all for everything that waits for you")
    workspace = fresh_workspace(yes=yes)
    decisions = decide(
        workspace.view,
        event,
        refs,
        member=workspace.require_member(),
        created=created_now(workspace),
        benchmark=benchmark,
        everything=everything,
        priority=priority,
    )
    _confirm_and_send(workspace, event, decisions, dry_run=dry_run, as_json=as_json)


def _notify(
    event: "NoticeEvent", refs: tuple[str, ...], reason: str, *, yes: bool, dry_run: bool, as_json: bool
) -> None:
    from medperf_git.flows.decisions import notices  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    member, created = workspace.require_member(), created_now(workspace)
    decisions = notices(workspace.view, event, refs, member=member, created=created, reason=reason)
    _confirm_and_send(workspace, event, decisions, dry_run=dry_run, as_json=as_json)


def _confirm_and_send(
    workspace: "Workspace", event: str, decisions: "list[Decision]", *, dry_run: bool, as_json: bool
) -> None:
    """Show what would be written, ask once, and send it in as few proposals as the registry's limits allow."""
    from medperf_git.flows.batches import say_parts, split_decisions  # noqa: PLC0415
    from medperf_git.flows.under_way import refuse_decided  # noqa: PLC0415
    from medperf_git.records.folds import registry_state  # noqa: PLC0415

    decisions = refuse_decided(workspace, decisions)
    registry = registry_state(workspace.view)
    parts = split_decisions(decisions, registry.limits) if registry else [decisions]
    _show(decisions, err=as_json)
    if registry and (said := say_parts(parts, registry.limits)):
        echo_text(said, err=as_json)
    count = f"{len(decisions)} decision{'s' if len(decisions) > 1 else ''}"
    done: list[Proposed] = []
    try:
        if dry_run or workspace.context.agrees(f"Sign {count} ({event})?"):
            _send_parts(workspace, event, parts, done=done, dry_run=dry_run, as_json=as_json)
        elif not as_json:
            echo_text("nothing was sent")
    finally:  # what was sent is told, also when a later part fails
        if as_json:
            value = {"decisions": [one.as_value() for one in decisions], "sent": bool(done) and not dry_run}
            echo_json({**value, "proposals": [proposed_value(one) for one in done]})


def _show(decisions: "list[Decision]", *, err: bool) -> None:
    """Print the table of what would be written, with the facts that somebody decides on where there are any."""
    from medperf_git.flows.decision_facts import COLUMNS  # noqa: PLC0415

    facts = [name for name in COLUMNS if any(one.facts.get(name) for one in decisions)]
    table([one.as_value() for one in decisions], ["about", "benchmark", "was", "becomes", *facts], err=err)


def _send_parts(
    workspace: "Workspace",
    event: str,
    parts: "list[list[Decision]]",
    *,
    done: "list[Proposed]",
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send each part in turn; what became of it is kept in `done`, also when a later one fails."""
    for number, part in enumerate(parts, start=1):
        names = ", ".join(one.about for one in part[:3])
        more = f" and {len(part) - 3} more" if len(part) > 3 else ""
        which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        title = f"{event.capitalize()} {names}{more}{which}"
        drafts = [one.draft for one in part]
        done.append(send(workspace, drafts, title=title, dry_run=dry_run, silent=as_json))
