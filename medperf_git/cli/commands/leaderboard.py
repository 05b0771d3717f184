"""`leaderboard`: build the site of a commit, show a ranking here, open the page, say what a change does to it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.commands._shared import fresh_workspace
from medperf_git.cli.commands.leaderboard_export import export
from medperf_git.cli.options import json_option
from medperf_git.cli.output import echo_json, echo_text, echo_wrapped, ranking_table, say
from medperf_git.cli.session import open_context
from medperf_git.errors import UsageProblem
from medperf_git.flows.wording import one_line

if TYPE_CHECKING:
    from medperf_git.flows.sites import BuiltSite
    from medperf_git.flows.workspace import Workspace
    from medperf_git.leaderboard.build_cache import BuildCache


@click.group()
def leaderboard() -> None:
    """Build the leaderboard of a commit, or look at it."""


leaderboard.add_command(export)


@leaderboard.command()
@click.option("--at", metavar="COMMIT", help="Branch, tag or commit (default: main as last verified).")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Where the site goes.")
@click.option("--repo", type=click.Path(path_type=Path, exists=True), help="Build from this repository instead.")
@click.option(
    "--checkpoint-key", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="Sign a note of freshness."
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Remember there what was built, outside of the site (default: among this program's own files).",
)
@click.option("--no-cache", is_flag=True, help="Build everything, and remember nothing.")
@json_option
def build(
    *,
    at: str | None,
    out: Path,
    repo: Path | None,
    checkpoint_key: Path | None,
    cache: Path | None,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Write the site of a commit: pages, JSON and CSV; the same commit gives the same bytes.

    In a folder that holds a site already, only what changed since is written.
    """
    from medperf_git.flows.sites import build_from_repository, site_cache, write_checkpoint  # noqa: PLC0415

    if checkpoint_key is not None and repo is None:
        raise UsageProblem("a note of freshness is about a whole history", hint="say --repo PATH as well")
    kept = None if no_cache else site_cache(open_context().home, out, cache)
    if repo is not None:
        now = open_context().clock()
        built = build_from_repository(
            repo, at="main" if at is None else at, out=out, now=now, progress=_progress, cache=kept
        )
        if checkpoint_key is not None:
            context = open_context()
            ask = context.person.passphrase
            write_checkpoint(
                built, key=checkpoint_key, now=context.clock(), passphrase=lambda path: ask(f"Passphrase of {path}")
            )
    else:
        built = _build_here(fresh_workspace(), at, out, cache=kept)
    if as_json:
        echo_json({"commit": built.commit, "registry": built.registry_id, "files": built.files, "out": str(built.out)})
        return
    echo_text(f"{built.files} files of commit {built.commit[:12]} are in {built.out}")
    echo_text(f"open {built.index} in a browser, or put the folder on any web server")


@leaderboard.command()
@click.argument("benchmark", required=False)
@click.option("--metric", metavar="ID", help="The values of this metric at each site instead.")
@json_option
def show(benchmark: str | None, metric: str | None, as_json: bool) -> None:
    """Print the ranking of a benchmark, or of all; in parts where the terminal is narrow."""
    from medperf_git.flows.naming import find  # noqa: PLC0415
    from medperf_git.leaderboard.show import show as rankings  # noqa: PLC0415
    from medperf_git.leaderboard.show_values import show_values  # noqa: PLC0415
    from medperf_git.records.models import Benchmark  # noqa: PLC0415

    workspace = fresh_workspace()
    ref = None if benchmark is None else find(workspace.view, Benchmark, benchmark, member=workspace.member).ref
    shown = rankings(workspace.view, ref) if metric is None else show_values(workspace.view, metric, ref)
    if as_json:
        echo_json(
            [
                {
                    "benchmark": one.benchmark,
                    "title": one.title,
                    "headline": one.headline,
                    "ranking": [dict(zip(_apart(one.columns), row, strict=True)) for row in one.rows],
                    "notes": list(one.notes),
                }
                for one in shown
            ]
        )
        return
    if not shown:
        echo_text("this registry has no benchmark yet; `medperf-git benchmark new` starts one")
    for one in shown:
        echo_text(f"{one.title} ({one.benchmark})", bold=True)
        echo_wrapped(one.headline)
        echo_wrapped(one.explanation)
        if one.rows:
            ranking_table(one.columns, one.rows, one.numeric, keys=2)
        else:
            echo_text("no models yet")
        for note in one.notes:
            echo_wrapped(note, indent="  ")
        echo_text()


def _apart(columns: tuple[str, ...]) -> list[str]:
    """Name columns so that no two are the same: one that was there before bears the name before it as well."""
    return [
        f"{columns[place - 1]}, {name}" if place and name in columns[:place] else name
        for place, name in enumerate(columns)
    ]


@leaderboard.command()
@click.argument("before", required=False, metavar="[A]")
@click.argument("after", required=False, metavar="[B]")
@click.option("--benchmark", metavar="REF", help="Only this benchmark.")
@json_option
def diff(before: str | None, after: str | None, benchmark: str | None, as_json: bool) -> None:
    """Say what a change does to the rankings: from A to B, in words.

    A and B are steps of main (main, main~3, digits of a commit, a tag); B may be an open proposal. One alone is set
    beside main, and without any the last step of main is told.
    """
    from medperf_git.flows.comparing import Style  # noqa: PLC0415  (brings numpy and scipy)
    from medperf_git.flows.differing import diff as compare  # noqa: PLC0415
    from medperf_git.flows.ranking_words import render_difference  # noqa: PLC0415
    from medperf_git.leaderboard.difference_value import difference_value  # noqa: PLC0415

    between = compare(fresh_workspace(), before, after, benchmark=benchmark)
    if as_json:
        sides = {
            "before": {"name": between.before.name, "commit": between.before.commit},
            "after": {"name": between.after.name, "commit": between.after.commit},
        }
        echo_json({**sides, **difference_value(between.difference)})
        return
    sides_told = (f"{side.name} ({side.commit[:12]})" for side in (between.before, between.after))
    echo_text(" → ".join(sides_told), bold=True)
    for block in render_difference(between.difference, Style(quote=one_line)):
        for line in block.removesuffix("\n").split("\n"):
            echo_wrapped(line, hang="  " if line.startswith("- ") else "")


@leaderboard.command("open")
@click.argument("benchmark", required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the address and open nothing.")
def open_site(benchmark: str | None, only_print: bool) -> None:
    """Look at the site of main as it is now, or at the page of a benchmark, in a browser.

    It is built here, once for each commit, and nothing is sent anywhere.
    """
    from medperf_git.flows.opening import leaderboard_page, show  # noqa: PLC0415

    page = leaderboard_page(fresh_workspace(), benchmark)
    echo_text(page.address)
    if not only_print and not show(page):
        echo_text("no browser could be opened here; open the address above yourself")


def _build_here(workspace: "Workspace", at: str | None, out: Path, *, cache: "BuildCache | None" = None) -> "BuiltSite":
    from medperf_git.flows.sites import build_from_repository, write_from_store  # noqa: PLC0415

    if at is None or at in ("main", workspace.head):
        registry = workspace.registry_id
        return write_from_store(workspace.store, commit=workspace.head, registry=registry, out=out, cache=cache)
    known = workspace.registry_id
    return build_from_repository(workspace.copy, at=at, out=out, expected=known, progress=_progress, cache=cache)


def _progress(done: int, steps: int) -> None:
    if steps > 200 and (done % 200 == 0 or done == steps):
        say(f"verified {done} of {steps} steps of main")
