"""`compare`: how the models compare on the same cases of a dataset, with no value of a single case leaving."""

import click

from medperf_git.cli.closing import proposed_value
from medperf_git.cli.commands._shared import fresh_workspace, send
from medperf_git.cli.options import dry_run_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text


@click.command()
@click.argument("benchmark")
@click.option("--dataset", required=True, metavar="REF", help="On this dataset, whose models ran on this machine.")
@click.option("--metric", "metrics", multiple=True, metavar="ID", help="Only by this metric (default: by all).")
@click.option("--record", "exact", is_flag=True, help="Show the exact records as well.")
@yes_option
@dry_run_option
@json_option
def compare(
    benchmark: str,
    *,
    dataset: str,
    metrics: tuple[str, ...],
    exact: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare the models whose results of BENCHMARK on a dataset are published; then sign and submit.

    From the values by case that stay here follow means, ranks and differences of every two models. It is shown before
    anything leaves. A comparison that stands is superseded when a model has joined.
    """
    from medperf_git.flows.comparisons import build_comparing  # noqa: PLC0415

    workspace = fresh_workspace(yes=yes)
    workspace.require_member()
    comparing = build_comparing(workspace, benchmark, dataset=dataset, metrics=metrics)
    if not as_json:
        for line in comparing.lines(exact=exact):
            echo_text(line)
    drafts, sent = comparing.drafts, []
    if (
        drafts
        and not dry_run
        and not workspace.context.agrees(f"Sign and submit {len(drafts)} comparison(s) as shown?")
    ):
        echo_text("nothing was sent", err=as_json)
        return
    parts, said = comparing.parts(workspace) if drafts else ([], "")
    if said and not as_json:
        echo_text(said)
    for number, part in enumerate(parts, start=1):
        which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        meanwhile = f"medperf-git leaderboard show {comparing.benchmark}" if number == len(parts) else ""
        title = comparing.title + which
        sent.append(send(workspace, part, title=title, dry_run=dry_run, meanwhile=meanwhile, silent=as_json))
    if as_json:
        echo_json(comparing.as_value() | {"sent": not dry_run, "proposals": [proposed_value(one) for one in sent]})
