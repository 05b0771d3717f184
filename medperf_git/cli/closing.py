"""How a submitting command ends: what became of it, who is waited for, what can be done meanwhile."""

from typing import TYPE_CHECKING

from medperf_git.cli.output import echo_findings, echo_json, echo_text

if TYPE_CHECKING:
    from medperf_git.flows.propose import Proposed

MEANWHILE = "meanwhile: everything that needs no membership works: reading, testing on demo data, preparing, trial runs"


def report_proposed(
    proposed: "Proposed", *, as_json: bool = False, dry_run: bool = False, meanwhile: str = MEANWHILE
) -> None:
    """Say what became of a proposal."""
    if as_json:
        echo_json(proposed_value(proposed))
        return
    short = proposed.id[:12]
    if dry_run and proposed.merged:
        echo_text(f"nothing to do: submit/{short} stands in the registry")
        return
    if dry_run:
        echo_findings(proposed.verdict.findings)
        after = f"; it would wait for {proposed.waits_for}" if proposed.waits_for else ""
        echo_text(f"would be accepted as submit/{short} ({proposed.verdict.outcome}){after}; nothing was sent")
        return
    if proposed.merged:
        echo_text(f"merged: submit/{short} stands in the registry; nobody is waited for")
        return
    echo_text(f"sent: submit/{short}")
    echo_text(f"see: {proposed.url}")
    echo_text(f"waits for: {proposed.waits_for}")
    echo_text(meanwhile)
    echo_text("where it stands: medperf-git status")


def proposed_value(proposed: "Proposed") -> dict[str, object]:
    """Return what became of a proposal as plain values."""
    return {
        "id": proposed.id,
        "verdict": str(proposed.verdict.outcome),
        "url": proposed.url,
        "waits_for": proposed.waits_for,
        "merged": proposed.merged,
        "findings": [finding.as_value() for finding in proposed.verdict.findings],
    }
