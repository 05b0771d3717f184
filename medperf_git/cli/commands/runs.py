"""`runs`: the runs on this machine, their state and their logs."""

import click

from medperf_git.cli.commands._shared import listing
from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context


@click.group()
def runs() -> None:
    """Look at the runs on this machine."""


@runs.command("ls")
@json_option
def ls(as_json: bool) -> None:
    """List the runs, newest first."""
    from medperf_git.flows.runbook import list_runs  # noqa: PLC0415

    rows = list_runs(open_context().home)
    listing(rows, as_json=as_json, empty="no runs yet; `medperf-git run BENCHMARK --dataset D` starts one")


@runs.command()
@click.argument("run", required=False)
@json_option
def show(run: str | None, as_json: bool) -> None:
    """Show RUN (the latest): each model, how it ended, what came of it."""
    from medperf_git.flows.runbook import show_run  # noqa: PLC0415

    shown = show_run(open_context().home, run)
    if as_json:
        echo_json(shown)
        return
    for key, value in shown.items():
        if key != "models":
            echo_text(f"{key}: {value}")
    columns = ("model", "outcome", "attempt", "seconds", "memory", "values")
    listing(shown["models"], as_json=False, columns=columns, empty="no model has run")
    for row in shown["models"]:
        if row["explanation"]:
            echo_text(f"{row['model']}: {row['explanation']}")


@runs.command()
@click.argument("run", required=False)
@click.option("--model", metavar="REF", help="Only of this model.")
@click.option("--tail", type=click.IntRange(1), help="Only the last lines.")
def logs(run: str | None, model: str | None, tail: int | None) -> None:
    """Print the logs of the containers of RUN (the latest); they never leave this machine."""
    from medperf_git.flows.runbook import iter_logs  # noqa: PLC0415

    for title, text in iter_logs(open_context().home, run, model=model):
        echo_text(title, bold=True)
        lines = text.splitlines()
        echo_text("\n".join(lines[-tail:] if tail else lines))
