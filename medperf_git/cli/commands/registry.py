"""Which registries are known here."""

import click

from medperf_git.cli.options import host_option, json_option, light_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_context, open_workspace


@click.group()
def registry() -> None:
    """Add, list, choose, show and forget registries."""


@registry.command()
@click.argument("address", metavar="URL[#mg1:…]")
@click.option("--alias", default=None, help="Short name to use here (default: from the address).")
@light_option
@host_option
@json_option
def add(address: str, *, alias: str | None, host: str | None, light: bool, as_json: bool) -> None:
    """Fetch a registry, verify it from its genesis, and make it the current one."""
    from medperf_git.flows.registries import add_registry  # noqa: PLC0415

    added = add_registry(open_context(), address, alias=alias, host=host, light=light)
    if as_json:
        echo_json(
            {
                "alias": added.alias,
                "url": added.known.url,
                "id": added.known.id,
                "host": str(added.known.kind),
                "steps": added.steps,
                "pinned": added.pinned,
                "light": added.known.light,
            }
        )
        return
    verified = "a light copy" if added.known.light else f"{added.steps} steps verified"
    echo_text(f"{added.alias}: {added.title}; {verified}")
    echo_text(f"id: {added.known.id}")
    if not added.pinned:
        echo_text("this id came from the address itself: compare it with what a maintainer tells you over another way")


@registry.command()
@json_option
def ls(as_json: bool) -> None:
    """List the registries known here."""
    from medperf_git.flows.registries import list_registries  # noqa: PLC0415

    rows = list_registries(open_context())
    if as_json:
        echo_json(rows)
        return
    shown = [{**row, "alias": f"{'* ' if row['current'] else '  '}{row['alias']}"} for row in rows]
    table(shown, ["alias", "member", "url", "id"], empty="no registry yet: `medperf-git registry add URL`")


@registry.command()
@click.argument("alias")
@click.option("--merge", type=click.Choice(["auto", "manual"]), default=None, help="What happens to what passes.")
def use(alias: str, merge: str | None) -> None:
    """Make a registry the current one."""
    from medperf_git.flows.registries import use_registry  # noqa: PLC0415

    known = use_registry(open_context(), alias, merge=merge)
    echo_text(f"current registry: {alias} ({known.url}); what passes is merged: {known.merge}")


@registry.command()
@click.argument("alias")
@yes_option
def rm(alias: str, yes: bool) -> None:
    """Forget a registry and its local copy; keys and prepared data stay."""
    from medperf_git.flows.registries import forget_registry  # noqa: PLC0415

    context = open_context(yes=yes)
    if context.agrees(f"Forget the registry {alias} on this machine?"):
        echo_text(f"forgotten: {forget_registry(context, alias)}")


@registry.command()
@click.argument("alias", required=False)
@json_option
def show(alias: str | None, as_json: bool) -> None:
    """Show what a registry says of itself."""
    from medperf_git.flows.registries import describe_registry  # noqa: PLC0415

    told = describe_registry(open_workspace(alias))
    if as_json:
        echo_json(told)
        return
    for key, value in told.items():
        echo_text(f"{key:<12} {', '.join(map(str, value)) if isinstance(value, list) else value}")
