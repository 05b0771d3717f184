"""Fetch and verify what is new."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_workspace


@click.command()
@click.option("--full", is_flag=True, help="Make a light copy a whole one: fetch everything, verify from the genesis.")
@registry_option
@json_option
def sync(full: bool, registry: str | None, as_json: bool) -> None:
    """Fetch and verify what is new on main, step by step."""
    workspace = open_workspace(registry)
    if full and workspace.known.light:
        from medperf_git.flows.light import make_whole  # noqa: PLC0415  (seldom wanted)

        make_whole(workspace)
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
                "light": workspace.known.light,
            }
        )
    elif report:
        since = "since this light copy began" if workspace.known.light else "in all"
        echo_text(f"{workspace.alias}: {verified} new steps verified, {steps} {since}; main is {workspace.head[:12]}")
        echo_text(f"  {workspace.freshness}")
        for commit in report.set_aside:
            echo_text(f"  {commit[:12]} was invalid and is set aside: what it added counts as absent")
