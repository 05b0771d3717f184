"""Members of a registry, and the life of one's own keys."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.closing import report_proposed
from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_workspace

if TYPE_CHECKING:
    from medperf_git.flows.rotating import Updated

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
recovery_option = click.option("--recovery", type=_FILE, metavar="FILE", help="Your recovery key, from its safe place.")


@click.group()
def member() -> None:
    """List and show members; change your own keys."""


@member.command()
@registry_option
@json_option
def ls(registry: str | None, as_json: bool) -> None:
    """List the members."""
    from medperf_git.flows.people import list_members  # noqa: PLC0415

    rows = list_members(open_workspace(registry, refresh=True))
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["member", "title", "role", "status"])


@member.command()
@click.argument("name", required=False)
@registry_option
@json_option
def show(name: str | None, registry: str | None, as_json: bool) -> None:
    """Show a member: title, status, keys (default: you)."""
    from medperf_git.flows.people import describe_member  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True)
    told = describe_member(workspace, name or workspace.require_member())
    if as_json:
        echo_json(told)
        return
    for key, value in told.items():
        if isinstance(value, list):
            echo_text(f"{key}:")
            for line in value:
                echo_text(f"  {line}")
        else:
            echo_text(f"{key + ':':<10} {value}")


@member.command()
@click.option(
    "--key", type=_FILE, metavar="FILE", help="The new key, or the .pub file of its holder (default: one is made)."
)
@click.option(
    "--overlap", type=click.IntRange(0, 3650), default=30, show_default=True, help="Days until the old keys end."
)
@click.option("--keep", is_flag=True, help="The old keys go on: you have one more.")
@click.option("--drop", multiple=True, metavar="KEY", help="A key that ends at once (its fingerprint).")
@click.option("--cosign-results", type=click.IntRange(1, 5), help="How many of your keys must sign a result.")
@click.option("--cosign-datasets", type=click.IntRange(1, 5), help="How many of your keys must sign a dataset.")
@click.option("--no-key", is_flag=True, help="Bring no new key; only drop keys or change how many must sign.")
@click.option("--lost", is_flag=True, help="Every key is lost: ask the maintainers, wait, and run this again.")
@click.option("--as", "name", metavar="MEMBER", help="Who you are, on a new machine.")
@recovery_option
@registry_option
@dry_run_option
@yes_option
@json_option
def rotate(
    *,
    key: Path | None,
    overlap: int,
    keep: bool,
    drop: tuple[str, ...],
    cosign_results: int | None,
    cosign_datasets: int | None,
    no_key: bool,
    lost: bool,
    name: str | None,
    recovery: Path | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring a new signing key; the old ones go on for the overlap, then end."""
    from medperf_git.flows.rotating import Rotation, cosigning_of, recover  # noqa: PLC0415
    from medperf_git.flows.rotating import rotate as rotate_keys  # noqa: PLC0415

    workspace = open_workspace(registry, yes=yes, refresh=True)
    workspace.act_as(name, None)
    if lost:
        _close(recover(workspace, key=key, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
        return
    wish = Rotation(
        key=key,
        keep_old=keep,
        overlap_days=overlap,
        drop=drop,
        cosigning=cosigning_of(workspace, dataset=cosign_datasets, result=cosign_results),
        add=not no_key,
    )
    _close(rotate_keys(workspace, wish, recovery=recovery, dry_run=dry_run), as_json=as_json, dry_run=dry_run)


@member.command()
@click.argument("key", required=False)
@click.option(
    "--since", metavar="STEP|DAY", help="Last step, or day before which, it was still yours alone (default: now)."
)
@click.option(
    "--reason",
    type=click.Choice(["stolen", "lost", "left", "other"]),
    default="stolen",
    show_default=True,
    help="Why it counts no more.",
)
@click.option("--all", "everything", is_flag=True, help="Retire: leave the registry.")
@recovery_option
@registry_option
@dry_run_option
@yes_option
@json_option
def revoke(
    *,
    key: str | None,
    since: str | None,
    reason: str,
    everything: bool,
    recovery: Path | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let KEY (its fingerprint) count no more; results it signed after --since become disputed."""
    from typing import cast  # noqa: PLC0415

    from medperf_git.errors import UsageProblem  # noqa: PLC0415
    from medperf_git.flows import rotating  # noqa: PLC0415

    if (key is None) != everything:
        raise UsageProblem(
            "name one KEY, or say --all to leave the registry", hint="`medperf-git member show` lists keys"
        )
    workspace = open_workspace(registry, yes=yes, refresh=True)
    if key is None:
        done = rotating.retire(workspace, recovery=recovery, dry_run=dry_run)
    else:
        why = cast("rotating.Reason", reason)
        done = rotating.revoke(workspace, key, since=since, reason=why, recovery=recovery, dry_run=dry_run)
    _close(done, as_json=as_json, dry_run=dry_run)


def _close(done: "Updated", *, as_json: bool, dry_run: bool) -> None:
    """Say which keys were made, what follows, and what became of the proposal."""
    if not as_json:
        for path in done.made:
            echo_text(f"new key: {path}")
        for note in done.notes:
            echo_text(note)
    report_proposed(done.proposed, as_json=as_json, dry_run=dry_run)
