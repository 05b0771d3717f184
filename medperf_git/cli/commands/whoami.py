"""Who I am."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_workspace


@click.command()
@registry_option
@json_option
def whoami(registry: str | None, as_json: bool) -> None:
    """Show who you are in the current registry, and with which key you sign."""
    from medperf_git.flows.people import describe_me  # noqa: PLC0415

    told = describe_me(open_workspace(registry, refresh=True))
    if as_json:
        echo_json(told)
        return
    for key, value in told.items():
        echo_text(f"{key + ':':<10} {value}")
