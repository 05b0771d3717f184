"""`leaderboard export`: results in a format that others read."""

from pathlib import Path

import click

from medperf_git.cli.commands._shared import fresh_workspace
from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text, say, table
from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.exporting.formats import FORMATS, NAMES

_HELP = """Write results in a format that others read; the same commit gives the same bytes.

Only complete, unmarked values are exported; what is left out is listed with its reason. Formats (--list says more):

\b
""" + "\n".join(f"{one.name:<16} {one.standard}" for one in FORMATS)


@click.command(help=_HELP, short_help="Write results in a format that others read.")
@click.argument("name", metavar="FORMAT", required=False, shell_complete=lambda *_: list(NAMES))
@click.option(
    "--benchmark", default=None, metavar="REF", help="Which benchmark (datasets: of all, where none is named)."
)
@click.option("--at", default=None, metavar="COMMIT", help="Branch or commit (default: main as last verified).")
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="DIR|FILE", help="Where it goes.")
@click.option("--list", "listing", is_flag=True, help="List the formats.")
@json_option
def export(
    *, name: str | None, benchmark: str | None, at: str | None, out: Path | None, listing: bool, as_json: bool
) -> None:
    """See `_HELP`, which names the formats."""
    if listing:
        rows = [{"format": one.name, "standard": one.standard, "holds": one.summary} for one in FORMATS]
        echo_json(rows) if as_json else table(rows)
        return
    if name is None or out is None:
        missing = "which format" if name is None else "where it goes"
        raise UsageProblem(f"say {missing}", hint="leaderboard export FORMAT --out DIR; --list names the formats")
    from medperf_git.flows.exporting import export_here  # noqa: PLC0415

    done = export_here(fresh_workspace(), name, benchmark=benchmark, at=at, out=out, progress=_progress)
    if as_json:
        echo_json(
            {
                "format": done.format,
                "standard": done.standard,
                "commit": done.commit,
                "registry": done.registry_id,
                "benchmark": done.benchmark or None,
                "files": done.files,
                "out": str(done.out),
            }
        )
        return
    what = "1 file" if done.files == 1 else f"{done.files} files"
    echo_text(f"{done.standard}: {what} of commit {done.commit[:12]} in {done.out}")


def _progress(done: int, steps: int) -> None:
    if steps > 200 and (done % 200 == 0 or done == steps):
        say(f"verified {done} of {steps} steps of main")
