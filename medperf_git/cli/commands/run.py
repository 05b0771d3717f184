"""`run`: every approved model of a benchmark on one dataset, in a sandbox, on this machine."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from medperf_git.cli.commands._options import engine_options, settings_of
from medperf_git.cli.commands._shared import fresh_workspace, listing
from medperf_git.cli.options import dry_run_option, json_option
from medperf_git.cli.output import echo_json, echo_text

if TYPE_CHECKING:
    from medperf_git.flows.running import FinishedRun, PlannedRun
    from medperf_git.flows.workspace import Workspace

_NOT_AGAIN = ("dataset", "detach", "dry_run", "as_json")
_NEEDS = ("model", "image", "fetch", "disk", "gpu", "memory", "time", "fits")


@click.command()
@click.argument("benchmark")
@click.option("--dataset", required=True, metavar="REF", help="On this dataset, prepared here.")
@click.option("--model", "models", multiple=True, metavar="REF", help="Only this model, also one that has a result.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the last run of both, whichever models it had.",
)
@click.option("--detach", is_flag=True, help="Go on by itself, also after you log out.")
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
    detach: bool,
    max_parallel: int,
    dry_run: bool,
    as_json: bool,
    **engine: object,
) -> None:
    """Run every approved model of BENCHMARK without a result on a dataset; needs no key.

    The data stays here, models get no network. A model that fails does not stop the others. The same command, or
    --resume, goes on after an interruption. Ctrl-C and a closed terminal stop it in order; with --detach it goes on.
    """
    from medperf_git.flows.running import plan_run  # noqa: PLC0415

    workspace = fresh_workspace()
    settings = settings_of(engine, max_parallel=max_parallel)
    planned = plan_run(workspace, benchmark, dataset=dataset, models=models, settings=settings, resume=resume)
    if dry_run:
        _say_needs(workspace, planned, as_json=as_json)
    elif not planned.models:
        echo_json([]) if as_json else echo_text(
            "nothing to run: every approved model has a result; repeat with --model"
        )
    elif detach:
        _detach(workspace, planned, _words(click.get_current_context()), as_json=as_json)
    else:
        _run(workspace, planned, as_json=as_json)


def _say_needs(workspace: "Workspace", planned: "PlannedRun", *, as_json: bool) -> None:
    needs = planned.needs(workspace.context.home)
    if as_json:
        echo_json(needs.as_value())
        return
    rows = [*needs.rows(), needs.totals()] if needs.models else []
    listing(rows, as_json=False, columns=_NEEDS, empty="nothing to run: every model has a result")
    for line in needs.notes():
        echo_text(line)


def _detach(workspace: "Workspace", planned: "PlannedRun", options: Sequence[str], *, as_json: bool) -> None:
    from medperf_git.flows.detaching import detach  # noqa: PLC0415

    plan = planned.plan
    words = ["-R", workspace.alias, "run", str(plan.benchmark.ref), "--dataset", str(plan.dataset.ref), *options]
    started = detach(workspace.context, plan.run_id, words)
    if as_json:
        echo_json(started.as_value())
        return
    for line in started.lines():
        echo_text(line)


def _run(workspace: "Workspace", planned: "PlannedRun", *, as_json: bool) -> None:
    from medperf_git.cli.live import run_progress  # noqa: PLC0415
    from medperf_git.flows.running import run_planned  # noqa: PLC0415

    parallel = planned.settings.max_parallel
    with run_progress(planned.plan_refs(), planned.expected_seconds(), parallel=parallel) as show:
        done = run_planned(workspace, planned, planned.settings, on_event=show)
    if as_json:
        echo_json(done.as_value())
    else:
        _say_outcomes(done)
    done.raise_if_nothing_succeeded()


def _say_outcomes(done: "FinishedRun") -> None:
    columns = ("model", "outcome", "seconds", "values")
    listing(done.rows(), as_json=False, columns=columns, empty="nothing was run")
    for line in done.notes():
        echo_text(line)
    echo_text(done.summary())
    echo_text(f"next: medperf-git review {done.run_id}")


def _words(context: click.Context) -> list[str]:
    """Return the options of this command as they are written, to be given to it once more."""
    words: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if not isinstance(parameter, click.Option) or parameter.name in _NOT_AGAIN or value in (None, False, ""):
            continue
        option = parameter.opts[0]
        if parameter.is_flag:
            words.append(option)
        else:
            values = value if parameter.multiple else (value,)
            words += [word for one in values for word in (option, str(one))]
    return words
