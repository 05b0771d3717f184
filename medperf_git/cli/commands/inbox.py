"""What waits for me."""

from typing import TYPE_CHECKING, Any

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.flows.wording import cell, cut

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = ("what", "about", "by", "age", "judge", "waits_for", "do")
_TITLE = 60  # columns of a title, which somebody else chose


@click.command()
@click.option("--all", "everything", is_flag=True, help="All open proposals, also those that wait for others.")
@registry_option
@json_option
def inbox(everything: bool, registry: str | None, as_json: bool) -> None:
    """Show what waits for you: signatures, merges, decisions on datasets and models.

    Each line says since when, by whom it was proposed, what the judge says, and the command to run.
    """
    from medperf_git.flows.inbox import list_inbox  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True, healing=True)
    rows = list_inbox(workspace, everything=everything)
    if as_json:
        echo_json(rows)
        return
    table([_line(row) for row in rows], _COLUMNS, empty=f"nothing waits for you in {workspace.alias}")
    for row in rows:
        _findings(row)
    if any(row["what"] == "decide" for row in rows):
        echo_text("to say no: `reject` in place of `approve`; for all at once: medperf-git approve --all")


def _line(row: "Mapping[str, Any]") -> dict[str, Any]:
    """Return one line of the table, with a title that cannot break it."""
    about = cut(cell(row["about"]), _TITLE)
    short = f" (submit/{row['proposal'][:12]})" if row["proposal"] else ""
    count = len(row["findings"])
    told = f", {count} finding{'s' if count > 1 else ''}" if count else ""
    return {**row, "about": about + short, "judge": f"{row['verdict']}{told}"}


def _findings(row: "Mapping[str, Any]") -> None:
    """Print what the judge found in one proposal, under its name."""
    from medperf_git.records.findings import Finding  # noqa: PLC0415

    if not row["findings"]:
        return
    echo_text()
    echo_text(f"submit/{row['proposal'][:12]}: {cut(cell(row['about']), _TITLE)}", bold=True)
    echo_findings(Finding.from_value(one) for one in row["findings"])
