"""Become a member."""

import click

from medperf_git.cli.closing import proposed_value, report_proposed
from medperf_git.cli.options import (
    dry_run_option,
    host_option,
    json_option,
    light_option,
    registry_option,
    yes_option,
)
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context, open_workspace
from medperf_git.errors import UsageProblem


@click.command()
@click.argument("address", metavar="[URL]", required=False)
@click.option("--as", "name", metavar="NAME", required=True, help="Your name in the registry: a-z, 0-9 and hyphens.")
@click.option("--title", default=None, help="What people call you or your organisation (default: the name).")
@click.option("--country", default=None, help="Two letters (ISO 3166-1).")
@click.option("--website", default=None, help="A public page.")
@click.option("--key", metavar="FILE", default=None, help="Ed25519 key to use (default: one is found or made).")
@light_option
@host_option
@registry_option
@dry_run_option
@yes_option
@json_option
def join(
    *,
    address: str | None,
    name: str,
    title: str | None,
    country: str | None,
    website: str | None,
    key: str | None,
    light: bool,
    host: str | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Propose to become a member: finds or makes your keys, and introduces you."""
    from medperf_git.flows.identity import join as propose_membership  # noqa: PLC0415
    from medperf_git.flows.registries import add_registry  # noqa: PLC0415

    if light and not address:
        raise UsageProblem("--light is for a registry that is added", hint="give its address with its id, URL#mg1:…")
    if address:
        registry = add_registry(open_context(yes=yes), address, host=host, light=light).alias
    workspace = open_workspace(registry, yes=yes, refresh=True)
    proposed, keys = propose_membership(
        workspace, name, title=title or name, key=key, dry_run=dry_run, country=country, website=website
    )
    if as_json:
        made = [str(path) for path in keys.made]
        echo_json({**proposed_value(proposed), "key": keys.signing.public.fingerprint, "made": made})
        return
    echo_text(f"you sign with {keys.signing.public.fingerprint}")
    for path in keys.made if not dry_run else ():
        echo_text(f"new key: {path}")
    if not dry_run and any(path.name.endswith("-recovery") for path in keys.made):
        echo_text("move the recovery key to a safe away from this machine: it alone can replace a lost signing key")
    report_proposed(proposed, dry_run=dry_run)
