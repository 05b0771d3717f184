"""What waits for me."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, table
from medperf_git.cli.session import open_workspace


@click.command()
@click.option("--all", "everything", is_flag=True, help="All open proposals, also those that wait for others.")
@registry_option
@json_option
def inbox(everything: bool, registry: str | None, as_json: bool) -> None:
    """Show what waits for you: signatures, merges, decisions on datasets and models."""
    from medperf_git.flows.status import list_inbox  # noqa: PLC0415

    rows = list_inbox(open_workspace(registry, refresh=True, healing=True), everything=everything)
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["what", "about", "waits_for", "do"], empty="nothing waits for you")
