"""Keys of this person."""

from pathlib import Path

import click

from medperf_git.cli.options import json_option, registry_option, yes_option
from medperf_git.cli.output import echo_json, echo_text, table
from medperf_git.cli.session import open_context, open_workspace


@click.group()
def key() -> None:
    """Make, list and show the keys you sign with."""


@key.command()
@click.argument("name", default="medperf-git")
@click.option("--file", "path", default=None, help="Where to write it (default: keys/NAME in the home folder).")
@yes_option
def new(name: str, path: str | None, yes: bool) -> None:
    """Make an Ed25519 key; with --yes without a passphrase."""
    from medperf_git.flows.keyring import make_key  # noqa: PLC0415

    made, public = make_key(open_context(yes=yes), name, path=Path(path) if path else None)
    echo_text(f"new key: {made}")
    echo_text(f"fingerprint: {public.fingerprint}")
    echo_text("use it with: medperf-git join --key FILE")


@key.command()
@json_option
def ls(as_json: bool) -> None:
    """List the keys that can sign here: the agent's, those of the home folder, those in ~/.ssh."""
    from medperf_git.flows.keyring import list_keys  # noqa: PLC0415

    rows, problems = list_keys(open_context())
    if as_json:
        echo_json(rows)
        return
    table(rows, ["fingerprint", "where"], empty="no Ed25519 key here yet: `medperf-git key new`")
    for problem in problems:
        echo_text(f"note: {problem}", err=True)


@key.command()
@registry_option
@json_option
def show(registry: str | None, as_json: bool) -> None:
    """Show the key you sign with in this registry, as OpenSSH and as PEM for other tools."""
    public = open_workspace(registry).signer().public
    if as_json:
        echo_json(
            {
                "openssh": public.openssh,
                "fingerprint": public.fingerprint,
                "short": public.short,
                "pem": public.to_pem(),
            }
        )
        return
    echo_text(public.openssh)
    echo_text(public.fingerprint)
    echo_text(public.to_pem().rstrip())
