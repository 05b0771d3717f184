"""`run`: every approved model of a benchmark on one dataset, in a sandbox, on this machine."""

import click

from medperf_git.cli.commands._options import engine_options, settings_of
from medperf_git.cli.commands._shared import fresh_workspace, listing
from medperf_git.cli.options import dry_run_option, json_option
from medperf_git.cli.output import echo_json, echo_text


@click.command()
@click.argument("benchmark")
@click.option("--dataset", required=True, metavar="REF", help="On this dataset, prepared here.")
@click.option("--model", "models", multiple=True, metavar="REF", help="Only this model, also one that has a result.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the last run of both, whichever models it had.",
)
@click.option("--max-parallel", type=click.IntRange(1, 64), default=1, show_default=True, help="Models at a time.")
@engine_options
@dry_run_option
@json_option
def run(
    benchmark: str,
    dataset: str,
    *,
    models: tuple[str, ...],
    resume: bool,
    max_parallel: int,
    dry_run: bool,
    as_json: bool,
    **engine: object,
) -> None:
    """Run every approved model of BENCHMARK without a result on a dataset; needs no key.

    The data stays here, models get no network. A model that fails does not stop the others. The same command, or
    --resume, goes on after an interruption.
    """
    from medperf_git.flows.running import plan_run, run_planned  # noqa: PLC0415

    workspace = fresh_workspace()
    settings = settings_of(engine, max_parallel=max_parallel)
    planned = plan_run(workspace, benchmark, dataset=dataset, models=models, settings=settings, resume=resume)
    if dry_run:
        wanted = ("model", "image", "gpu", "memory", "time", "fits")
        listing(planned.needs(), as_json=as_json, columns=wanted, empty="nothing to run: every model has a result")
        return
    if not planned.models:
        echo_json([]) if as_json else echo_text(
            "nothing to run: every approved model has a result; repeat with --model"
        )
        return
    done = run_planned(workspace, planned, settings)
    if as_json:
        echo_json(done.as_value())
    else:
        columns = ("model", "outcome", "seconds", "values")
        listing(done.rows(), as_json=False, columns=columns, empty="nothing was run")
        for line in done.notes():
            echo_text(line)
        echo_text(f"next: medperf-git review {done.run_id}")
    done.raise_if_nothing_succeeded()
