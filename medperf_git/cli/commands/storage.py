"""`storage`: what takes room on this machine, what may go, and how to move it to another disk."""

from pathlib import Path

import click

from medperf_git.cli.commands._shared import listing
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context

_COLUMNS = ("what", "size", "files", "prune", "place")


@click.group()
def storage() -> None:
    """What this program keeps on this machine: datasets, runs, what it fetched."""


@storage.command()
@json_option
def show(as_json: bool) -> None:
    """Show what takes room, where it lies, and what `storage prune` would remove."""
    from medperf_git.flows.storing import free_line, readable, stored  # noqa: PLC0415

    home = open_context().home
    found = stored(home)
    listing([row.as_row() for row in found], as_json=as_json, columns=_COLUMNS, empty="nothing is kept here yet")
    if not as_json and found:
        echo_text(f"together: {readable(sum(row.size for row in found))} in {home}; {free_line(home)}")


@storage.command()
@click.option("--preparations", is_flag=True, help="Unfinished preparations too; a person's work may be in them.")
@json_option
@yes_option
@dry_run_option
def prune(preparations: bool, as_json: bool, yes: bool, dry_run: bool) -> None:
    """Remove what is fetched or made again by itself, and what stopped commands left behind."""
    from medperf_git.flows.storing import prune as pruned  # noqa: PLC0415
    from medperf_git.flows.storing import readable  # noqa: PLC0415

    context = open_context(yes=yes)
    planned = pruned(context, preparations=preparations, dry_run=True)
    if not dry_run and planned and preparations:
        for row in planned:
            echo_text(f"{row.what}: {readable(row.size)} in {row.place}", err=True)
        if not context.agrees("Remove all of this?"):
            echo_text("nothing was removed")
            return
    gone = planned if dry_run else pruned(context, preparations=preparations, dry_run=False, reap=_reap)
    rows = [row.as_row() for row in gone]
    if as_json:
        echo_json(rows)
        return
    listing(rows, as_json=False, columns=("what", "size", "files", "place"), empty="there is nothing to remove")
    if rows:
        echo_text(f"{'would free' if dry_run else 'freed'} {readable(sum(row.size for row in gone))}")


@storage.command()
@click.argument("area", type=click.Choice(["datasets", "runs", "cache"]))
@click.option("--to", required=True, type=click.Path(path_type=Path, file_okay=False), help="A folder on that disk.")
def move(area: str, to: Path) -> None:
    """Move the datasets, the runs or the cache to another disk; every byte is compared before the old ones go."""
    from medperf_git.flows.storing import AREAS  # noqa: PLC0415
    from medperf_git.flows.storing import move as moved  # noqa: PLC0415

    chosen = next(one for one in AREAS if one == area)
    echo_text(f"{area} moved to {moved(open_context(), chosen, to)}; commands find everything as before")


def _reap() -> None:
    from medperf_git.flows.bench import opened_engine  # noqa: PLC0415  (only where something was left behind)
    from medperf_git.flows.settings import RunSettings  # noqa: PLC0415

    with opened_engine(RunSettings()) as engine:
        engine.reap()
