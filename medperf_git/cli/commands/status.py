"""Where my proposals stand."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, table
from medperf_git.cli.session import open_workspace


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is merged or replaced.")
@registry_option
@json_option
def status(everything: bool, registry: str | None, as_json: bool) -> None:
    """Show where your proposals stand, how old they are, and who is waited for."""
    from medperf_git.flows.status import list_submissions  # noqa: PLC0415

    rows = list_submissions(open_workspace(registry, refresh=True), everything=everything)
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["id", "what", "age", "state", "waits_for"], empty="nothing of yours is unfinished")
