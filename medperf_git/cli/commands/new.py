"""Start a record."""

from pathlib import Path

import click

from medperf_git.cli.options import registry_option
from medperf_git.cli.output import echo_text
from medperf_git.cli.session import open_workspace
from medperf_git.errors import Refused, UsageProblem

KINDS = (
    *("registry", "quarantine", "member", "cube", "dataset", "benchmark"),
    *("policy", "association", "result", "notice"),
)


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--out", type=click.Path(path_type=Path), help="File to write (default: KIND.yaml here; - prints it).")
@click.option("--current", is_flag=True, help="Start from what is in force (registry, member, policy).")
@click.option("--benchmark", metavar="REF", help="Whose policy.")
@registry_option
def new(kind: str, out: Path | None, *, current: bool, benchmark: str | None, registry: str | None) -> None:
    """Write a commented draft of a record of this KIND; fill it in, then `fmt` it.

    With --current it is what is in force; change it and `submit` the file.
    """
    from medperf_git.flows.drafting import commented_draft  # noqa: PLC0415

    text = _in_force(kind, benchmark, registry) if current else commented_draft(kind)
    if out is not None and str(out) == "-":
        echo_text(text.rstrip())
        return
    path = out or Path(f"{kind}.yaml")
    if path.is_dir():
        raise UsageProblem(f"{path} is a folder", hint="give a file with --out")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise Refused(f"{path} is there already", hint="choose another file with --out") from error
    if current:
        echo_text(f"draft: {path}; change it, then: medperf-git submit {path}")
        return
    echo_text(f"draft: {path}; fill it in, then: medperf-git fmt {path}; medperf-git check {path}")


def _in_force(kind: str, benchmark: str | None, registry: str | None) -> str:
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.flows.written import current_draft  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True)
    ref = find(workspace.view, Benchmark, benchmark, member=workspace.member).ref if benchmark else None
    return current_draft(workspace, kind, ref)
