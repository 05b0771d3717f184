"""`review`: what would leave this house, in plain words and exact bytes."""

import click

from medperf_git.cli.commands._shared import fresh_workspace
from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@json_option
def review(runs: tuple[str, ...], as_json: bool) -> None:
    """Show what would leave if the results of RUN (the latest) were submitted; only what was reviewed can be."""
    from medperf_git.flows.reviewing import review_run  # noqa: PLC0415

    workspace = fresh_workspace()
    reviews = [review_run(workspace, run) for run in runs or (None,)]
    if as_json:
        echo_json([one.as_value() for one in reviews])
        return
    for one in reviews:
        for line in one.lines():
            echo_text(line)
        if one.records:
            echo_text(f"next: medperf-git result submit {one.run_id}")
