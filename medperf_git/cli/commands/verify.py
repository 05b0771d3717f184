"""Is this what was signed."""

from pathlib import Path

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_json, echo_text
from medperf_git.cli.session import open_context, open_workspace

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("record", metavar="RECORD|RESULT")
@click.option("--key", type=_FILE, help="Public key file to believe, instead of the registry's.")
@registry_option
@json_option
def verify(record: str, key: Path | None, registry: str | None, as_json: bool) -> None:
    """Verify a record: a file beside its signatures, a path in the registry, or the first digits of a result."""
    from medperf_git.flows.config import Config  # noqa: PLC0415
    from medperf_git.flows.verifying import verify_alone, verify_text  # noqa: PLC0415

    context = open_context(registry)
    if key and not Config.load(context.home).registries:
        verified = verify_alone(record, key=key)
    else:
        verified = verify_text(open_workspace(registry, refresh=True), record, key=key)
    if as_json:
        echo_json(verified.as_value())
        return
    echo_text(f"{verified.path}")
    echo_text(f"  bytes      {verified.digest}")
    for vouch in verified.vouches:
        echo_text(f"  signed by  {vouch.member} with {vouch.key.fingerprint}")
    for name in verified.unchecked:
        echo_text(f"  not checked {name}: it is of another key than the one you gave")
    if verified.commit:
        echo_text(f"  merged     {verified.merged} in {verified.commit}")
    else:
        echo_text("  merged     not asked: no registry is known here, only the key you gave was believed")
    echo_text("verified: this is what was signed")
