"""`result`: submit what was reviewed, list and show what is published."""

import click

from medperf_git.cli.commands._shared import fresh_workspace, listing, marks_text, send, show_record
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_text


@click.group()
def result() -> None:
    """Submit results, list and show them."""


@result.command()
@click.argument("run", required=False)
@click.option("--model", "models", multiple=True, metavar="REF", help="Only the result of this model.")
@yes_option
@dry_run_option
def submit(run: str | None, *, models: tuple[str, ...], yes: bool, dry_run: bool) -> None:
    """Sign and submit the results of RUN (the latest), exactly as they were reviewed."""
    from medperf_git.flows.results import build_submission, waiting_elsewhere  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    workspace.require_member()
    submission = build_submission(workspace, run, models=models)
    columns = ("model", "outcome", "attempt", "values")
    listing(submission.rows(), as_json=False, columns=columns, empty="nothing to submit")
    for line in submission.notes:
        echo_text(line)
    if not submission.drafts:
        return
    parts, said = submission.parts(workspace)
    for drafts in parts:
        for line in waiting_elsewhere(workspace, drafts):
            echo_text(line)
    count = len(submission.drafts)
    if not dry_run and not workspace.context.agrees(f"Sign and submit {count} result(s) as reviewed?"):
        echo_text("nothing was sent")
        return
    after = submission.next_step(workspace)
    if said:
        echo_text(said)
    for number, drafts in enumerate(parts, start=1):
        which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        meanwhile = after if number == len(parts) else ""
        sent = send(workspace, drafts, title=submission.title + which, dry_run=dry_run, meanwhile=meanwhile)
        if submission.keys(workspace) > 1 and not dry_run and not sent.merged:
            who = "whoever holds another key of your house reads and signs it there"
            echo_text(f"{who}: medperf-git sign {sent.id[:12]}")


@result.command("ls")
@click.option("--benchmark", metavar="REF", help="Only of this benchmark.")
@click.option("--dataset", metavar="REF", help="Only on this dataset.")
@click.option("--model", metavar="REF", help="Only of this model.")
@json_option
def ls(benchmark: str | None, dataset: str | None, model: str | None, as_json: bool) -> None:
    """List the published results."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.flows.result_rows import list_results  # noqa: PLC0415
    from medperf_git.records.models import Benchmark, Cube, Dataset  # noqa: PLC0415

    workspace = fresh_workspace()
    view, member = workspace.view, workspace.member
    rows = list_results(workspace, find(view, Benchmark, benchmark, member=member).ref if benchmark else None)
    if dataset:
        wanted = str(find(view, Dataset, dataset, member=member).ref)
        rows = [row for row in rows if row["dataset"] == wanted]
    if model:
        wanted = str(find(view, Cube, model, member=member).ref)
        rows = [row for row in rows if row["model"] == wanted]
    columns = ("result", "dataset", "model", "outcome", "state", "values")
    listing(rows, as_json=as_json, columns=columns, empty="no results yet")


@result.command()
@click.argument("result_id", metavar="RESULT")
@json_option
def show(result_id: str, as_json: bool) -> None:
    """Show a result, called by its first 12 digits, and who signed it."""
    from medperf_git.flows.naming import find_result  # noqa: PLC0415
    from medperf_git.flows.result_rows import path_called  # noqa: PLC0415
    from medperf_git.records.digests import short  # noqa: PLC0415
    from medperf_git.records.view import bundles_of  # noqa: PLC0415

    workspace = fresh_workspace()
    stored = find_result(workspace.view, path_called(workspace, result_id))
    bundles = list(bundles_of(workspace.view, stored.path))
    facts = {
        "called": short(stored.digest),
        "marks": marks_text(workspace, stored.path),
        "signatures": ", ".join(bundles),
    }
    show_record(workspace, stored, as_json=as_json, facts=facts)
    if not as_json:
        echo_text(f"check it: medperf-git verify {short(stored.digest)}")
