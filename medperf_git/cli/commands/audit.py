"""Verify the whole history again."""

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text
from medperf_git.cli.session import open_workspace


@click.command()
@registry_option
@json_option
def audit(registry: str | None, as_json: bool) -> int:
    """Verify the whole history from the genesis, believing nothing that was verified before."""
    from medperf_git.flows.history import audit_registry  # noqa: PLC0415

    workspace = open_workspace(registry, healing=True)
    report = audit_registry(workspace)
    stopped = report.stopped
    if as_json:
        findings = [finding.as_value() for finding in stopped.judgement.findings] if stopped else []
        at = stopped.commit if stopped else None
        aside = list(report.set_aside)
        told = {"id": workspace.registry_id, "steps": report.verified, "stopped": at, "findings": findings}
        echo_json({**told, "set_aside": aside})
    elif stopped:
        echo_findings(stopped.judgement.findings)
        echo_text(f"commit {stopped.commit} is not valid; {report.verified} steps before it are")
    else:
        echo_text(
            f"all {report.verified} steps of {workspace.alias} are valid, from the genesis {workspace.registry_id}"
        )
        for commit in report.set_aside:
            echo_text(f"but {commit[:12]}, which was set aside: what it added counts as absent")
    return 5 if stopped else 0
