"""Send what is mine and not yet there."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.closing import MEANWHILE, report_proposed
from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text, table
from medperf_git.cli.session import open_workspace
from medperf_git.errors import UsageProblem

if TYPE_CHECKING:
    from medperf_git.flows.workspace import Workspace


@click.command()
@click.argument("proposal", required=False, metavar="[PROPOSAL|FILE]")
@click.option(
    "--house-file", "house", multiple=True, metavar="PATH=FILE", help="A house file that goes with a registry record."
)
@click.option("--all", "everything", is_flag=True, help="Everything of yours that does not stand yet (the default).")
@click.option("--resume", "renumber", is_flag=True, help="Also renumber and sign again what lost its place.")
@registry_option
@dry_run_option
@yes_option
@json_option
def submit(
    *,
    proposal: str | None,
    house: tuple[str, ...],
    everything: bool,
    renumber: bool,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Send what was signed and not sent, merge what passes; with --resume also after losing a race.

    A FILE that you wrote (registry, member or policy; see `new --current`) is signed and sent as the next of its chain.
    """
    from medperf_git.flows.outbox import Outbox  # noqa: PLC0415
    from medperf_git.flows.resuming import resume, resume_all  # noqa: PLC0415
    from medperf_git.flows.status import list_submissions  # noqa: PLC0415

    workspace = open_workspace(registry, yes=yes, refresh=True)
    if proposal and Path(proposal).is_file():
        _submit_file(workspace, Path(proposal), house, as_json=as_json, dry_run=dry_run)
        return 0
    if dry_run:
        rows = list_submissions(workspace)
        if as_json:
            echo_json(rows)
        else:
            table(rows, ["id", "what", "state", "waits_for"], empty="nothing of yours is unfinished; nothing was sent")
        return 0
    if proposal and not everything:
        entry = Outbox.of(workspace.context.home, workspace.alias).find(proposal)
        done = [resume(workspace, entry, renumber=renumber)]
    else:
        done = resume_all(workspace, renumber=renumber)
    if as_json:
        echo_json(
            [
                {
                    "id": one.id,
                    "what": one.title,
                    "done": one.done,
                    "note": one.note,
                    "records": [fate.as_value() for fate in one.fates],
                    "findings": [finding.as_value() for finding in one.verdict.findings],
                }
                for one in done
            ]
        )
        return 0 if all(one.done for one in done) else 1
    for one in done:
        echo_text(f"{one.title} (submit/{one.id[:12]}): {one.note}")
        for fate in one.fates if len(one.fates) > 1 else ():
            echo_text(f"  {fate.path}: {fate.note}")
        if not one.done:
            echo_findings(one.verdict.findings)
    if not done:
        echo_text("nothing to do: nothing of yours is unfinished")
    elif any(one.proposed and not one.proposed.merged for one in done):
        echo_text(MEANWHILE)
    return 0 if all(one.done for one in done) else 1


def _submit_file(workspace: "Workspace", path: Path, house: tuple[str, ...], *, as_json: bool, dry_run: bool) -> None:
    from medperf_git.flows.written import submit_written  # noqa: PLC0415

    files = {name: Path(file) for name, equals, file in (pair.partition("=") for pair in house) if equals}
    if len(files) != len(house):
        raise UsageProblem("a house file is given as PATH=FILE", hint="for example README.md=./new-readme.md")
    report_proposed(submit_written(workspace, path, house=files, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
