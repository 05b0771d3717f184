"""`review`: what would leave this house, in plain words and exact bytes."""

from pathlib import Path

import click

from medperf_git.cli.commands._shared import fresh_workspace
from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--out", type=click.Path(path_type=Path), help="Write it as a page to print and sign (.html).")
@json_option
def review(runs: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Show what would leave if the results of RUN (the latest) were submitted; only what was reviewed can be.

    With --out it is one printable page in plain words, for those who decide in your house.
    """
    from medperf_git.flows.reviewing import review_run  # noqa: PLC0415

    workspace = fresh_workspace()
    reviews = [review_run(workspace, run) for run in runs or (None,)]
    if out is not None:
        from medperf_git.flows.papers import review_paper, where_of, write_paper  # noqa: PLC0415  (loads the templates)

        write_paper(review_paper(workspace.view, where_of(workspace), reviews), out)
    if as_json:
        echo_json([one.as_value() for one in reviews])
        return
    for one in reviews:
        if out is None:
            for line in one.lines():
                echo_text(line)
    if out is not None:
        echo_text(f"wrote {out}: open it in a browser, print it, let it be signed")
    for one in reviews:
        if one.records:
            echo_text(f"next: medperf-git result submit {one.run_id}")
