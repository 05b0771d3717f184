"""Sign what somebody else proposes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from medperf_git.cli.closing import report_proposed
from medperf_git.cli.options import dry_run_option, json_option, registry_option, yes_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text
from medperf_git.cli.session import open_workspace

if TYPE_CHECKING:
    from medperf_git.flows.workspace import Workspace


@click.command()
@click.argument("proposal")
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="Sign with this key."
)
@click.option("--as", "member", metavar="MEMBER", help="In whose name, when the proposal makes your key one of theirs.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Sign nothing yet: write a page (.html) that says what you would sign.",
)
@registry_option
@dry_run_option
@yes_option
@json_option
def sign(
    proposal: str,
    *,
    key: Path | None,
    member: str | None,
    out: Path | None,
    registry: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Look at PROPOSAL (its first digits, or what it is about) and add your signature to it."""
    from medperf_git.flows.merging import find_proposal  # noqa: PLC0415

    workspace = open_workspace(registry, yes=yes, refresh=True, healing=True)
    nobody_yet = workspace.member is None
    workspace.act_as(member, key)
    if out is not None:
        write_page(workspace, find_proposal(workspace, proposal), out)
        return
    ask_and_sign(workspace, find_proposal(workspace, proposal), as_json=as_json, dry_run=dry_run)
    if nobody_yet and member is not None and not dry_run:
        workspace.settle_as(member, key)
        echo_text(f"from now on you sign here as {member}, with this key", err=True)


def write_page(workspace: "Workspace", proposal: str, out: Path) -> None:
    """Write the page about what would be signed, and say how to sign it."""
    from medperf_git.flows.admission import look_at  # noqa: PLC0415
    from medperf_git.flows.papers import proposal_paper, where_of, write_paper  # noqa: PLC0415  (loads the templates)

    seen = look_at(workspace, proposal)
    records = {path: text.encode() for path, text in seen.records.items()}
    write_paper(proposal_paper(workspace.view, where_of(workspace), seen.id[:12], records), out)
    echo_text(f"wrote {out}; nothing was signed")
    echo_text(f"next: read it, then: medperf-git sign {seen.id[:12]}")


def ask_and_sign(workspace: "Workspace", proposal: str, *, as_json: bool, dry_run: bool) -> None:
    """Show what would be signed, ask, sign, and say what became of it."""
    from medperf_git.errors import Interrupted  # noqa: PLC0415
    from medperf_git.flows.admission import look_at, sign_proposal  # noqa: PLC0415
    from medperf_git.flows.papers import proposal_sentences  # noqa: PLC0415

    seen = look_at(workspace, proposal)
    for line in proposal_sentences(workspace.view, {path: text.encode() for path, text in seen.records.items()}):
        echo_text(line, err=True)
    echo_findings([one for one in seen.verdict.findings if one.severity == "warning"], err=True)
    for path, text in seen.records.items():
        echo_text(f"── {path}", err=True, bold=True)
        echo_text(text.rstrip(), err=True)
    if seen.keys:
        echo_text("compare each with what its owner tells you over another way (`medperf-git whoami` there):", err=True)
    for line in seen.keys:
        echo_text(f"  {line}", err=True)
    if dry_run and as_json:
        echo_json({"id": seen.id, "would_sign": list(seen.mine), "as": workspace.require_member(), "sent": False})
        return
    if dry_run:
        echo_text(f"would sign as {workspace.require_member()}: {', '.join(seen.mine)}; nothing was sent")
        return
    if not workspace.context.agrees(f"Sign {len(seen.mine)} of these records as {workspace.require_member()}?"):
        raise Interrupted("not signed", hint="nothing was sent")
    proposed = sign_proposal(workspace, seen)
    if not as_json:
        echo_text(f"signed by {workspace.require_member()}: {', '.join(seen.mine)}")
    report_proposed(proposed, as_json=as_json)
