"""What happened in a registry."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, table
from medperf_git.cli.session import open_workspace


@click.command()
@click.option("-n", "--number", type=click.IntRange(1), default=20, show_default=True, help="How many steps.")
@registry_option
@json_option
def log(number: int, registry: str | None, as_json: bool) -> None:
    """List what was merged, the newest first."""
    from medperf_git.flows.history import list_steps  # noqa: PLC0415

    rows = list_steps(open_workspace(registry, refresh=True), number)
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["when", "commit", "what"])
