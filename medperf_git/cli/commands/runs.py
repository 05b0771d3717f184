"""`runs`: the runs on this machine, their state and their logs; stop them, report on them, make room."""

from pathlib import Path

import click

from medperf_git.cli.commands._shared import listing
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context

_QUIET: tuple[object, ...] = ("", None, False, [])


@click.group()
def runs() -> None:
    """Look at the runs on this machine, stop them, make room."""


@runs.command("ls")
@json_option
def ls(as_json: bool) -> None:
    """List the runs, newest first, with the disk that each takes."""
    from medperf_git.flows.runbook import list_runs  # noqa: PLC0415

    rows = list_runs(open_context().home)
    listing(rows, as_json=as_json, empty="no runs yet; `medperf-git run BENCHMARK --dataset D` starts one")


@runs.command()
@click.argument("run", required=False)
@json_option
def show(run: str | None, as_json: bool) -> None:
    """Show RUN (the latest): each model, how it ended, how long its steps took, what came of it."""
    from medperf_git.flows.runbook import find_run, last_words, show_run  # noqa: PLC0415

    home = open_context().home
    shown = show_run(home, run)
    if as_json:
        echo_json(shown)
        return
    for key, value in shown.items():
        if key != "models" and value not in _QUIET:
            told = ", ".join(value) if isinstance(value, list) else value
            echo_text(f"{key.replace('_', ' ')}: {told}")
    columns = ("model", "outcome", "attempt", "infer", "evaluate", "memory", "values")
    listing(shown["models"], as_json=False, columns=columns, empty="no model has run")
    for row in shown["models"]:
        if row["explanation"]:
            echo_text(f"{row['model']}: {row['explanation']}")
    if shown["error"] and (words := last_words(find_run(home, run)).splitlines()[-5:]):
        echo_text("the last it said:")
        for line in words:
            echo_text(f"  {line}")


@runs.command()
@click.argument("run", required=False)
@click.option("--model", metavar="REF", help="Only of this model.")
@click.option("--tail", type=click.IntRange(1), help="Only the last lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on as they grow, until the run ends.")
def logs(run: str | None, model: str | None, tail: int | None, follow: bool) -> None:
    """Print the logs of the containers of RUN (the latest); they never leave this machine."""
    from medperf_git.flows.runbook import follow_logs, iter_logs  # noqa: PLC0415

    home = open_context().home
    if follow:
        before = ""
        for title, text in follow_logs(home, run, model=model):
            if title != before:
                echo_text(title, bold=True)
                before = title
            echo_text(text.removesuffix("\n"))
        return
    for log in iter_logs(home, run, model=model):
        echo_text(log.title, bold=True)
        for line in log.tail(tail) if tail else log.pieces():
            echo_text(line)


@runs.command()
@click.argument("run", required=False)
@click.option("--wait", metavar="DURATION", default="60s", show_default=True, help="How long it may take to stop.")
@click.option("--kill", is_flag=True, help="End it after that, and remove its containers.")
def stop(run: str | None, wait: str, kill: bool) -> None:
    """Stop RUN (the latest) in order: what is finished is kept, and `run --resume` goes on with it."""
    from medperf_git.flows.settings import parse_duration  # noqa: PLC0415
    from medperf_git.flows.stopping import stop_run  # noqa: PLC0415

    for line in stop_run(open_context(), run, wait_seconds=parse_duration(wait), kill=kill):
        echo_text(line)


@runs.command()
@click.argument("run", required=False)
@click.option("--model", metavar="REF", help="About this model (default: the one that failed).")
@click.option("--lines", type=click.IntRange(0, 10_000), default=100, show_default=True, help="Of its log, at most.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page.")
@json_option
def report(run: str | None, model: str | None, lines: int, out: Path | None, as_json: bool) -> None:
    """Write a page about RUN (the latest) for the owner of a model; nothing is sent.

    Limits, exit code, times, peaks, digests and the last lines of its log, with the names of files and cases, paths
    and long numbers masked. Read it, then send it yourself.
    """
    from medperf_git.flows.run_report import build_report, write_report  # noqa: PLC0415

    page = build_report(open_context().home, run, model=model, lines=lines)
    path = write_report(page, out)
    if as_json:
        echo_json({"file": str(path), "run": page.run_id, "model": str(page.model), "masked": list(page.masked)})
        return
    echo_text(f"written: {path}; nothing was sent")
    echo_text(f"masked: {', '.join(page.masked)}")
    echo_text("read it, a container may print anything; then send it to the model's owner yourself")


@runs.command()
@click.argument("run", required=False, nargs=-1)
@click.option("--older-than", metavar="DURATION", help="Runs of which nothing was noted for so long, like 30d.")
@click.option("--keep", type=click.IntRange(0), help="All but so many of the newest.")
@click.option("--predictions", is_flag=True, help="Only the predictions; outcomes, values and logs stay.")
@click.option("--force", is_flag=True, help="Also what was not submitted or not finished.")
@yes_option
@dry_run_option
@json_option
def prune(
    run: tuple[str, ...],
    *,
    older_than: str | None,
    keep: int | None,
    predictions: bool,
    force: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove runs, or their predictions, and say how much disk that frees.

    Never a run that is under way; what was not submitted or not finished only with --force. Without kept predictions,
    a new metrics container needs the models to run again.
    """
    from medperf_git.flows.pruning import Choice, plan_pruning  # noqa: PLC0415
    from medperf_git.flows.pruning import prune as remove  # noqa: PLC0415
    from medperf_git.flows.settings import parse_duration  # noqa: PLC0415

    context = open_context(yes=yes)
    age = parse_duration(older_than) if older_than else None
    choice = Choice(names=run, older_than=age, keep=keep, predictions=predictions, force=force)
    found = plan_pruning(context, choice)
    going, rows = [one for one in found if not one.stays], [one.row() for one in found]
    if not as_json:
        listing(rows, as_json=False, columns=("run", "state", "frees", "stays"), empty="no runs")
    if dry_run or not going or not context.agrees(f"Remove {_what(len(going), predictions=predictions)}?"):
        _say_pruned(rows, 0, as_json=as_json)
        return
    gone = remove(context, going, choice)
    now = {one.run.run_id: one for one in gone}
    for row, one in zip(rows, found, strict=True):
        if (stays := now.get(one.run.run_id, one).stays) != one.stays:
            row |= {"stays": stays, "frees": "0 B", "bytes": 0}
            echo_text(f"{one.run.run_id} stays: {stays}", err=True)
    _say_pruned(rows, sum(one.freed for one in gone), as_json=as_json)


def _what(count: int, *, predictions: bool) -> str:
    return f"the predictions of {count} run(s)" if predictions else f"{count} run(s) with all they kept"


def _say_pruned(rows: list[dict[str, object]], freed: int, *, as_json: bool) -> None:
    from medperf_git.flows.amounts import size_text  # noqa: PLC0415

    if as_json:
        echo_json({"runs": rows, "freed_bytes": freed})
        return
    echo_text(f"freed: {size_text(freed)}" if freed else "nothing was removed")
