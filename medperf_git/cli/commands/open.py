"""Look at something in the browser."""

import click

from medperf_git.cli.options import registry_option
from medperf_git.cli.output import echo_text, say
from medperf_git.cli.session import open_workspace


@click.command("open")
@click.argument("ref")
@click.option("--print", "only_print", is_flag=True, help="Only print the address; open nothing.")
@registry_option
def open_ref(ref: str, only_print: bool, registry: str | None) -> None:
    """Open the page where REF can be looked at, and print its address.

    REF is a cube, dataset, benchmark or member, a result or an open proposal by its first digits, or a record's path.
    On a Git host that is the host's own page; elsewhere the leaderboard is built on this machine and shown.
    """
    from medperf_git.flows.opening import find_target, page_of, show  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True)
    page = page_of(workspace, find_target(workspace, ref))
    if page.note:
        say(page.note)
    echo_text(page.address)
    if not only_print and not show(page):
        say("no browser could be opened here; open the address above yourself")
