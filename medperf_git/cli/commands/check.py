"""Would it be accepted."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.options import registry_option
from medperf_git.cli.output import echo_json, print_line, table
from medperf_git.cli.session import now, open_workspace
from medperf_git.errors import UsageProblem

if TYPE_CHECKING:
    from medperf_git.registry.objects import Store

FORMATS = ("text", "json", "github", "markdown")
_PLACE = click.Path(path_type=Path, exists=True)
CODES = {"pass": 0, "needs-a-person": 1, "fail": 1, "could-not-check": 3}


@click.command()
@click.argument("files", nargs=-1, type=_PLACE)
@click.option("--base", help="Commit or branch that the change would be merged into.")
@click.option("--head", help="Commit or branch that is proposed.")
@click.option("--steps", is_flag=True, help="HEAD is main as it would be: judge every step from BASE to it.")
@click.option("--repo", type=_PLACE, help="Repository to read (default: here, else the registry).")
@click.option("--at", "moment", help="Judge as of this time, like 2026-11-25T10:00:00Z (default: now).")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to say it.")
@click.option(
    "--compare", is_flag=True, help="Also say what it does to the rankings, how results compare (as markdown does)."
)
@click.option("--comment", is_flag=True, help="Say under every open pull request (or that of HEAD) what is found.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@registry_option
def check(
    *,
    files: tuple[Path, ...],
    base: str | None,
    head: str | None,
    steps: bool,
    repo: Path | None,
    moment: str | None,
    form: str,
    compare: bool,
    comment: bool,
    as_json: bool,
    registry: str | None,
) -> int:
    """Judge a change between two commits, or record files by themselves; the judge is the one that merging obeys."""
    from medperf_git.flows.checking import check_change, check_files  # noqa: PLC0415
    from medperf_git.flows.house_steps import check_steps  # noqa: PLC0415
    from medperf_git.flows.reports import REPORTS  # noqa: PLC0415

    if comment:
        if files or base or steps or repo or moment:
            raise UsageProblem("--comment speaks at the registry's forge", hint="give --head PROPOSAL, or nothing else")
        return _comment(head, registry, as_json=as_json)
    if files:
        checked = check_files(files)
    elif not head:
        raise UsageProblem("there is nothing to check", hint="give --head COMMIT (and --base), or files")
    elif steps:
        checked = check_steps(_store(repo, registry), base or "main", head)
    else:
        at = _moment(moment)
        checked = check_change(_store(repo, registry), base or "main", head, at=at)
    if compare or form == "markdown":
        from medperf_git.flows.comparing import with_comparison  # noqa: PLC0415  (brings numpy and scipy)

        checked = with_comparison(checked)
    print_line(REPORTS["json" if as_json else form](checked).removesuffix("\n"))
    return CODES[str(checked.verdict.outcome)]


def _comment(head: str | None, registry: str | None, *, as_json: bool) -> int:
    from medperf_git.flows.commenting import comment_on  # noqa: PLC0415  (brings numpy and scipy)
    from medperf_git.flows.merging import find_proposal  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True)
    proposals = [find_proposal(workspace, head)] if head else list(workspace.proposals())
    done = list(comment_on(workspace, proposals))
    if as_json:
        echo_json(
            [{"id": one.proposal, "url": one.url, "verdict": str(one.outcome), "trouble": one.trouble} for one in done]
        )
    else:
        rows = [{"id": one.proposal[:12], "verdict": one.outcome, "said at": one.trouble or one.url} for one in done]
        table(rows, empty="no pull request is open")
    return 3 if any(one.trouble for one in done) else 0


def _store(repo: Path | None, registry: str | None) -> "Store":
    from medperf_git.flows.checking import find_registry_here, open_repository  # noqa: PLC0415

    if repo is not None:
        return open_repository(repo)
    here = None if registry else find_registry_here(Path.cwd())
    return here or open_workspace(registry, refresh=True).store


def _moment(text: str | None) -> datetime:
    from medperf_git.records.times import parse_time  # noqa: PLC0415

    if text is None:
        return now()
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageProblem(str(error), hint="write it like 2026-11-25T10:00:00Z") from error
