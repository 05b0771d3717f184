"""Fetch and verify what is new."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_workspace


@click.command()
@registry_option
@json_option
def sync(registry: str | None, as_json: bool) -> None:
    """Fetch and verify what is new on main, step by step."""
    workspace = open_workspace(registry)
    report = workspace.refresh()
    verified = report.verified if report else 0
    steps = report.pin.steps if report and report.pin else 0
    if as_json:
        echo_json(
            {
                "head": workspace.head,
                "verified": verified,
                "steps": steps,
                "reached": report is not None,
                "freshness": workspace.freshness,
            }
        )
    elif report:
        echo_text(f"{workspace.alias}: {verified} new steps verified, {steps} in all; main is {workspace.head[:12]}")
        echo_text(f"  {workspace.freshness}")
        for commit in report.set_aside:
            echo_text(f"  {commit[:12]} was invalid and is set aside: what it added counts as absent")
