"""Would it be accepted."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.options import registry_option
from medperf_git.cli.output import annotation, echo_findings, echo_json, echo_markdown, echo_text, print_line
from medperf_git.cli.session import now, open_workspace
from medperf_git.errors import UsageProblem

if TYPE_CHECKING:
    from medperf_git.flows.checking import Checked

WORDS = {
    "pass": "pass: it would be accepted",
    "needs-a-person": "needs a person: nothing is wrong, a signature is missing",
    "fail": "fail: it would be refused",
    "could-not-check": "could not check: the trouble is on this side, not in the proposal",
}
FORMATS = ("text", "json", "github", "markdown")
CODES = {"pass": 0, "needs-a-person": 1, "fail": 1, "could-not-check": 3}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--base", help="Commit or branch that the change would be merged into.")
@click.option("--head", help="Commit or branch that is proposed.")
@click.option("--repo", type=click.Path(path_type=Path), help="Repository to read (default: here, else the registry).")
@click.option("--at", "moment", help="Judge as of this time, like 2026-11-25T10:00:00Z (default: now).")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to say it.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@registry_option
def check(
    *,
    files: tuple[Path, ...],
    base: str | None,
    head: str | None,
    repo: Path | None,
    moment: str | None,
    form: str,
    as_json: bool,
    registry: str | None,
) -> int:
    """Judge a change between two commits, or record files by themselves; the judge is the one that merging obeys."""
    from medperf_git.flows.checking import check_change, check_files, find_registry_here, open_repository  # noqa: PLC0415

    if files:
        checked = check_files(files)
    elif head:
        at = _moment(moment)
        if repo is not None:
            store = open_repository(repo)
        else:
            here = None if registry else find_registry_here(Path.cwd())
            store = here or open_workspace(registry, refresh=True).store
        checked = check_change(store, base or "main", head, at=at)
    else:
        raise UsageProblem("there is nothing to check", hint="give --head COMMIT (and --base), or files")
    REPORTERS["json" if as_json else form](checked)
    return CODES[str(checked.verdict.outcome)]


def _text(checked: "Checked") -> None:
    echo_findings(checked.verdict.findings)
    echo_text(WORDS[str(checked.verdict.outcome)])


def _json(checked: "Checked") -> None:
    echo_json(checked.as_value())


def _github(checked: "Checked") -> None:
    for finding in checked.verdict.findings:
        print_line(annotation(finding))
    echo_text(WORDS[str(checked.verdict.outcome)])


def _markdown(checked: "Checked") -> None:
    echo_markdown(checked.verdict.findings, title=WORDS[str(checked.verdict.outcome)])


REPORTERS = {"text": _text, "json": _json, "github": _github, "markdown": _markdown}


def _moment(text: str | None) -> datetime:
    from medperf_git.records.times import parse_time  # noqa: PLC0415

    if text is None:
        return now()
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageProblem(str(error), hint="write it like 2026-11-25T10:00:00Z") from error
