"""Start a record."""

from pathlib import Path

import click

from medperf_git.cli.output import echo_text
from medperf_git.errors import Refused, UsageProblem

KINDS = ("registry", "member", "cube", "dataset", "benchmark", "policy", "association", "result", "notice")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--out", type=click.Path(path_type=Path), help="File to write (default: KIND.yaml here; - prints it).")
def new(kind: str, out: Path | None) -> None:
    """Write a commented draft of a record of this KIND; fill it in, then `fmt` it."""
    from medperf_git.flows.drafting import commented_draft  # noqa: PLC0415

    text = commented_draft(kind)
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
    echo_text(f"draft: {path}; fill it in, then: medperf-git fmt {path}; medperf-git check {path}")
