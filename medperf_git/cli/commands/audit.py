"""Verify the whole history again."""

from typing import TYPE_CHECKING

import click

from medperf_git.cli.options import json_option, registry_option
from medperf_git.cli.output import echo_findings, echo_json, echo_text
from medperf_git.cli.session import open_workspace

if TYPE_CHECKING:
    from medperf_git.flows.workspace import Workspace


@click.command()
@click.option("--records", is_flag=True, help="Only each record of main by itself: form and signatures, in seconds.")
@registry_option
@json_option
def audit(registry: str | None, records: bool, as_json: bool) -> int:
    """Verify the whole history from the genesis, believing nothing that was verified before.

    With --records every record that main holds now is checked by itself; who was allowed to add it is not asked, and
    what was found valid here before is not read again.
    """
    from medperf_git.flows.history import audit_registry  # noqa: PLC0415

    workspace = open_workspace(registry, healing=True)
    if records:
        return _records(workspace, as_json=as_json)
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


def _records(workspace: "Workspace", *, as_json: bool) -> int:
    from medperf_git.flows.history import check_records  # noqa: PLC0415

    report = check_records(workspace)
    if as_json:
        findings = [finding.as_value() for finding in report.findings]
        read = {"records_read": report.records, "signatures_read": report.signatures}
        echo_json({"id": workspace.registry_id, **read, "findings": findings})
    elif report.findings:
        echo_findings(report.findings)
    else:
        echo_text(
            f"every record of {workspace.alias} is valid by itself; {report.records} records and {report.signatures} "
            "signatures were new here and have been read"
        )
    return 5 if report.findings else 0
