"""The commands that decide: approve, reject, withdraw, reinstate, prioritise, dispute, resolve."""

from collections.abc import Callable
from string import hexdigits
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medperf_git.cli.closing import report_proposed
from medperf_git.cli.commands._shared import created_now, fresh_workspace, send
from medperf_git.cli.options import dry_run_option, yes_option
from medperf_git.cli.output import echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.errors import Interrupted

if TYPE_CHECKING:
    from medperf_git.flows.decisions import AssociationEvent, Decision, NoticeEvent
    from medperf_git.flows.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


def _subjects(function: F) -> F:
    """Add what every decision on an association takes: references, `--benchmark`, `--all`, `--yes`, `--dry-run`."""
    everything = click.option("--all", "everything", is_flag=True, help="Everything that waits for you.")
    benchmark = click.option("--benchmark", metavar="REF", help="In this benchmark.")
    refs = click.argument("refs", nargs=-1, metavar="REF...")
    return refs(benchmark(everything(yes_option(dry_run_option(function)))))


def _about_records(default: str) -> Callable[[F], F]:
    """Add what every notice takes: references, a reason, `--yes`, `--dry-run`."""

    def add(function: F) -> F:
        text = "Why: error-found, consent-withdrawn, data-problem, container-problem, implausible, duplicate, …"
        reason = click.option("--reason", default=default, show_default=True, help=text)
        refs = click.argument("refs", nargs=-1, required=True, metavar="REF...")
        return refs(reason(yes_option(dry_run_option(function))))

    return add


@click.command()
@_subjects
def approve(refs: tuple[str, ...], benchmark: str | None, everything: bool, yes: bool, dry_run: bool) -> None:
    """Say yes to datasets and models that ask to join a benchmark."""
    _decide("approve", refs, benchmark=benchmark, everything=everything, yes=yes, dry_run=dry_run)


@click.command()
@_subjects
def reject(refs: tuple[str, ...], benchmark: str | None, everything: bool, yes: bool, dry_run: bool) -> None:
    """Say no to datasets and models that ask to join a benchmark."""
    _decide("reject", refs, benchmark=benchmark, everything=everything, yes=yes, dry_run=dry_run)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--priority", type=click.IntRange(-1000, 1000), required=True, help="Greater runs earlier.")
@click.option("--benchmark", metavar="REF", help="In this benchmark.")
@yes_option
@dry_run_option
def prioritise(refs: tuple[str, ...], priority: int, benchmark: str | None, yes: bool, dry_run: bool) -> None:
    """Say in which order the models of a benchmark run."""
    _decide("prioritise", refs, benchmark=benchmark, yes=yes, dry_run=dry_run, priority=priority)


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--benchmark", metavar="REF", help="Leave this benchmark; without it, the record itself is withdrawn.")
@click.option("--reason", default="other", show_default=True, help="Why the record is withdrawn.")
@yes_option
@dry_run_option
def withdraw(refs: tuple[str, ...], benchmark: str | None, reason: str, yes: bool, dry_run: bool) -> None:
    """Withdraw a cube, dataset, benchmark or result; with --benchmark, leave a benchmark.

    Maintainers set an invalid step of main aside by naming its commit.
    """
    if benchmark:
        _decide("withdraw", refs, benchmark=benchmark, yes=yes, dry_run=dry_run)
    elif not _set_aside(refs, reason, yes=yes, dry_run=dry_run):
        _notify("withdraw", refs, reason, yes, dry_run)


def _set_aside(refs: tuple[str, ...], reason: str, *, yes: bool, dry_run: bool) -> bool:
    """Set the step aside at which everybody stops, when it is what is named; tell whether it was."""
    from medperf_git.flows.setting_aside import is_broken_step, set_aside  # noqa: PLC0415

    if len(refs) != 1 or not all(letter in hexdigits for letter in refs[0]):
        return False
    workspace = open_workspace(yes=yes, refresh=True, healing=True)
    if not is_broken_step(workspace, refs[0]):
        return False
    if not dry_run and not workspace.context.agrees("Sign that everything this step added counts as absent?"):
        raise Interrupted("not signed", hint="nothing was sent")
    report_proposed(set_aside(workspace, reason=reason, dry_run=dry_run), dry_run=dry_run)
    return True


@click.command()
@_about_records("resolved")
def reinstate(refs: tuple[str, ...], reason: str, yes: bool, dry_run: bool) -> None:
    """Take back a withdrawal."""
    _notify("reinstate", refs, reason, yes, dry_run)


@click.command()
@_about_records("implausible")
def dispute(refs: tuple[str, ...], reason: str, yes: bool, dry_run: bool) -> None:
    """As committee, mark a result (by its 12 digits) as disputed."""
    _notify("dispute", refs, reason, yes, dry_run)


@click.command()
@_about_records("resolved")
def resolve(refs: tuple[str, ...], reason: str, yes: bool, dry_run: bool) -> None:
    """As committee, end a dispute."""
    _notify("resolve", refs, reason, yes, dry_run)


def _decide(
    event: "AssociationEvent",
    refs: tuple[str, ...],
    *,
    benchmark: str | None,
    yes: bool,
    dry_run: bool,
    everything: bool = False,
    priority: int | None = None,
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
    _confirm_and_send(workspace, event, decisions, dry_run)


def _notify(event: "NoticeEvent", refs: tuple[str, ...], reason: str, yes: bool, dry_run: bool) -> None:
    from medperf_git.flows.decisions import notices  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    member, created = workspace.require_member(), created_now(workspace)
    decisions = notices(workspace.view, event, refs, member=member, created=created, reason=reason)
    _confirm_and_send(workspace, event, decisions, dry_run)


def _confirm_and_send(workspace: "Workspace", event: str, decisions: "list[Decision]", dry_run: bool) -> None:
    columns = ("about", "benchmark", "was", "becomes")
    table([decision.as_value() for decision in decisions], columns)
    count = f"{len(decisions)} decision{'s' if len(decisions) > 1 else ''}"
    if not dry_run and not workspace.context.agrees(f"Sign {count} ({event})?"):
        echo_text("nothing was sent")
        return
    names = ", ".join(decision.about for decision in decisions[:3])
    more = f" and {len(decisions) - 3} more" if len(decisions) > 3 else ""
    send(workspace, [one.draft for one in decisions], title=f"{event.capitalize()} {names}{more}", dry_run=dry_run)
