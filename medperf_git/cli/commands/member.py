"""Members of a registry."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_workspace


@click.group()
def member() -> None:
    """List and show members."""


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
