"""What is missing on this machine."""

from pathlib import Path

import click

from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_context


@click.command()
@click.option(
    "--install-hook", type=click.Path(path_type=Path), help="Write the pre-receive hook of a bare repository."
)
@json_option
def doctor(install_hook: Path | None, as_json: bool) -> int:
    """Look at everything this program needs here, and say what to do about what is missing."""
    from medperf_git.flows.doctor import examine, renew_hook  # noqa: PLC0415

    if install_hook is not None:
        echo_text(f"hook written: {renew_hook(install_hook)}")
        return 0
    findings = examine(open_context())
    rows = [{"state": one.state, "what": one.what, "found": one.found, "remedy": one.remedy} for one in findings]
    if as_json:
        echo_json(rows)
    else:
        table(rows, ["state", "what", "found", "remedy"])
    return 3 if any(one.state == "fail" for one in findings) else 0
