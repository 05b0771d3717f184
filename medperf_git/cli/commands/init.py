"""Begin a registry."""

import click

from medperf_git.cli.options import dry_run_option, host_option, json_option, yes_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context


@click.command()
@click.argument("place", metavar="DIR|URL")
@click.option("--name", required=True, help="Name of the registry: a-z, 0-9 and hyphens.")
@click.option("--title", default=None, help="What people call it (default: its name).")
@click.option("--as", "member", metavar="MEMBER", required=True, help="Your name in it; you are its first maintainer.")
@click.option("--member-title", default=None, help="What people call you (default: your name).")
@click.option("--key", metavar="FILE", default=None, help="Ed25519 key to use (default: one is found or made).")
@host_option
@dry_run_option
@yes_option
@json_option
def init(
    *,
    place: str,
    name: str,
    title: str | None,
    member: str,
    member_title: str | None,
    key: str | None,
    host: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Begin a registry in a new folder, or in an empty repository elsewhere."""
    from medperf_git.flows.founding import found_registry, rehearse_registry  # noqa: PLC0415

    context = open_context(yes=yes)
    if dry_run:
        paths = rehearse_registry(context, place, name=name, title=title or name, member=member, key=key, host=host)
        if as_json:
            echo_json({"would_write": list(paths)})
            return
        echo_text("would begin a registry with these files; nothing was written or sent:")
        echo_text("\n".join(f"  {path}" for path in paths))
        return
    founded = found_registry(
        context,
        place,
        name=name,
        title=title or name,
        member=member,
        member_title=member_title or member,
        key=key,
        host=host,
    )
    if as_json:
        made = [str(path) for path in founded.keys.made]
        echo_json(
            {"url": founded.url, "id": founded.id, "alias": founded.alias, "pinned": founded.pinned, "made": made}
        )
        return
    echo_text(f"the registry {founded.alias} begins; you are its maintainer {member}")
    for path in founded.keys.made:
        echo_text(f"new key: {path}")
    echo_text("keep a copy of the recovery key away from this machine: it alone can replace a lost signing key")
    echo_text("others add it with its pinned address:")
    echo_text(f"  medperf-git registry add {founded.how_to_add}")
    if founded.guide:
        echo_text(f"what to set at its host stands in {founded.guide}; `medperf-git doctor forge` looks at it")
    echo_text(f"current registry here: {founded.alias} (`medperf-git registry use` changes it)")
    echo_text("nobody is waited for; next: others `join`, you `admit` them")
