"""`association`: ask that a dataset or a model takes part in a benchmark, and see where it stands."""

import click

from medperf_git.cli.commands._options import engine_options, settings_of
from medperf_git.cli.commands._shared import created_now, fresh_workspace, listing, send
from medperf_git.cli.commands._trial import no_trial_option, try_on_data
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_text
from medperf_git.errors import Interrupted


@click.group()
def association() -> None:
    """Ask that a dataset or a model takes part in a benchmark."""


@association.command()
@click.argument("benchmark")
@click.option("--dataset", "datasets", multiple=True, metavar="REF", help="A dataset that shall take part.")
@click.option("--model", "models", multiple=True, metavar="REF", help="A model that shall take part.")
@no_trial_option
@engine_options
@yes_option
@dry_run_option
def request(
    benchmark: str,
    *,
    datasets: tuple[str, ...],
    models: tuple[str, ...],
    no_trial: bool,
    yes: bool,
    dry_run: bool,
    **engine: object,
) -> None:
    """Ask for a dataset or model to join BENCHMARK; a committee member invites somebody else's.

    First a model is tested on the benchmark's demo data, unless it was, and the reference model runs on the dataset,
    where its data lie on this machine; nothing of that leaves.
    """
    from medperf_git.flows.associations import build_request, say_after_request  # noqa: PLC0415
    from medperf_git.flows.gates import require_tested_model  # noqa: PLC0415
    from medperf_git.flows.naming import Found, find, refuse_withdrawn  # noqa: PLC0415
    from medperf_git.records.models import Benchmark, Cube, Dataset  # noqa: PLC0415

    if not datasets and not models:
        raise click.UsageError("say what shall join: --dataset REF or --model REF")
    workspace = fresh_workspace(yes=yes)
    member = workspace.require_member()
    view, created = workspace.view, created_now(workspace)
    about = find(view, Benchmark, benchmark, member=member)
    refuse_withdrawn(view, about.stored)
    cohorts = [find(view, Dataset, text, member=member) for text in datasets]
    cubes = [find(view, Cube, text, member=member) for text in models]
    subjects: list[Found[Dataset] | Found[Cube]] = [*cohorts, *cubes]
    for one in subjects:
        refuse_withdrawn(view, one.stored)
    drafts = [build_request(view, about, one, member=member, created=created) for one in subjects]
    names = ", ".join(str(one.ref) for one in subjects)
    settings = settings_of(engine)
    for model in cubes:
        require_tested_model(workspace, about, model, settings, dry_run=dry_run)
    for dataset in cohorts if not no_trial else ():
        try_on_data(workspace, about, dataset, settings, dry_run=dry_run)
    if not dry_run and not workspace.context.agrees(f"Ask for {names} to join {about.ref}?"):
        raise Interrupted("not sent", hint="nothing was signed or sent")
    send(workspace, drafts, title=f"Ask for {names} to join {about.ref}", dry_run=dry_run)
    for draft in drafts:
        if said := say_after_request(view, draft):
            echo_text(f"then: {said}")


@association.command("ls")
@click.option("--benchmark", metavar="REF", help="Only of this benchmark.")
@click.option("--pending", is_flag=True, help="Only those that wait for a decision.")
@json_option
def ls(benchmark: str | None, pending: bool, as_json: bool) -> None:
    """List who takes part in what, pending requests first."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.records.folds import Status  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415
    from medperf_git.records.standings import list_standings  # noqa: PLC0415

    workspace = fresh_workspace()
    about = find(workspace.view, Benchmark, benchmark, member=workspace.member).ref if benchmark else None
    rows = [
        one.as_value()
        for one in list_standings(workspace.view, about)
        if not pending or one.state.status is Status.PENDING
    ]
    columns = ("benchmark", "kind", "subject", "status", "priority", "waits_for")
    listing(rows, as_json=as_json, columns=columns, empty="nobody has asked to take part yet")


@association.command()
@click.argument("ref")
@click.option("--benchmark", metavar="REF", help="In this benchmark (default: in all).")
@json_option
def show(ref: str, benchmark: str | None, as_json: bool) -> None:
    """Show every event in the life of a dataset or model in its benchmarks."""
    from medperf_git.flows.associations import association_events, find_subject  # noqa: PLC0415
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415

    workspace = fresh_workspace()
    subject = find_subject(workspace.view, ref, member=workspace.member)
    about = find(workspace.view, Benchmark, benchmark, member=workspace.member).ref if benchmark else None
    rows = association_events(workspace.view, subject.ref, about)
    columns = ("benchmark", "event", "by", "side", "priority", "created")
    listing(rows, as_json=as_json, columns=columns, empty=f"{subject.ref} has not asked to join a benchmark")
