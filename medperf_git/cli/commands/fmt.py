"""Bring records into their one form."""

from pathlib import Path

import click

from medperf_git.cli.output import echo_findings, echo_text
from medperf_git.errors import UsageProblem


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a file would change.")
def fmt(files: tuple[Path, ...], only_check: bool) -> int:
    """Write FILES in canonical form, and show what changes; any valid YAML is read. Default: all *.yaml here."""
    from medperf_git.flows.drafting import format_file  # noqa: PLC0415

    chosen = list(files) or sorted(Path.cwd().glob("*.yaml"))
    if not chosen:
        raise UsageProblem("there is no file to format", hint="name files, or start one with `medperf-git new KIND`")
    changed = failed = 0
    for path in chosen:
        formatted = format_file(path, write=not only_check)
        echo_findings(formatted.findings)
        failed += bool(formatted.findings)
        changed += bool(formatted.diff)
        if formatted.diff:
            echo_text(formatted.diff.rstrip())
    echo_text(f"{len(chosen)} files: {changed} {'would change' if only_check else 'changed'}, {failed} with findings")
    return 1 if failed or (only_check and changed) else 0
