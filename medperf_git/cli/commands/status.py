"""Where my proposals stand."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_workspace


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also what is merged or replaced.")
@registry_option
@json_option
def status(everything: bool, registry: str | None, as_json: bool) -> None:
    """Show where your proposals stand, how old they are, and who is waited for.

    What has been open for 30 days is named again below, with how else it can travel.
    """
    from medperf_git.flows.status import list_submissions  # noqa: PLC0415

    rows = list_submissions(open_workspace(registry, refresh=True), everything=everything)
    if as_json:
        echo_json(rows)
        return
    table(rows, ["id", "what", "age", "state", "waits_for"], empty="nothing of yours is unfinished")
    for row in rows:
        if row["url"]:
            said = f" ({row['there']})" if row["there"] else ""
            echo_text(f"{row['id']}: {row['url']}{said}")
        if row["warning"]:
            echo_text(f"! {row['warning']}")
