"""Merge what passes."""

import click

from medperf_git.cli.options import dry_run_option, json_option, registry_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text
from medperf_git.cli.session import open_workspace


@click.command()
@click.argument("proposal", required=False)
@registry_option
@dry_run_option
@json_option
def merge(proposal: str | None, *, registry: str | None, dry_run: bool, as_json: bool) -> int:
    """Merge a proposal that passes; without one, all that pass."""
    from medperf_git.flows.merging import merge_all, merge_proposal  # noqa: PLC0415

    workspace = open_workspace(registry, refresh=True, healing=True)
    if proposal is None:
        done = merge_all(workspace, dry_run=dry_run)
    else:  # also an empty word, as of a variable that is not set: it names nothing, and never all
        done = [merge_proposal(workspace, proposal, dry_run=dry_run)]
    if as_json:
        echo_json(
            [
                {
                    "id": one.id,
                    "merged": one.merged,
                    "note": one.note,
                    "verdict": str(one.verdict.outcome),
                    "findings": [finding.as_value() for finding in one.verdict.findings],
                }
                for one in done
            ]
        )
    else:
        for one in done:
            word = "merged" if one.merged else f"not merged ({one.verdict.outcome})"
            echo_text(f"submit/{one.id[:12]}: {one.note or word}")
            if not one.merged:
                echo_findings(one.verdict.findings)
        if not done:
            echo_text("no proposal is open")
    missed = proposal is not None and not done[0].merged and not dry_run
    return 1 if missed or any(one.refused for one in done) else 0
