"""Admit a member."""

import click

from medperf_git.cli.commands.sign import ask_and_sign
from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.session import open_workspace


@click.command()
@click.argument("member")
@registry_option
@dry_run_option
@yes_option
@json_option
def admit(member: str, *, registry: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Admit a new member: sign its introduction, as a maintainer."""
    from medperf_git.flows.admission import find_introduction  # noqa: PLC0415

    workspace = open_workspace(registry, yes=yes, refresh=True, healing=True)
    ask_and_sign(workspace, find_introduction(workspace, member), as_json=as_json, dry_run=dry_run)
