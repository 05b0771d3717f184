"""The stages of a benchmark as plain rows: for a listing, as JSON, as CSV."""

from collections.abc import Iterable
from datetime import datetime

from medperf_git.leaderboard.spreadsheet import CellText, render_csv
from medperf_git.leaderboard.stages import REFERENCE, Stage, days_since
from medperf_git.records.names import Ref

CSV_COLUMNS = (
    *("benchmark", "what", "member", "member_title", "name", "title", "stage"),
    *("joined", "registered", "asked", "asked_by", "approved", "approved_automatically"),
    *("results", "of", "failed", "last_sign_of_life", "days_since", "waits_for", "command", "note"),
)


def stage_value(stage: Stage, *, benchmark: Ref, as_of: datetime) -> dict[str, CellText]:
    """Return one site or model as plain values, a column of the CSV each."""
    return {
        "benchmark": str(benchmark),
        "what": "site" if stage.kind == "dataset" else "model",
        "member": stage.subject.member,
        "member_title": stage.owner_title,
        "name": str(stage.subject),
        "title": stage.title,
        "stage": stage.status,
        "joined": stage.joined,
        "registered": stage.registered,
        "asked": stage.asked,
        "asked_by": stage.asked_by,
        "approved": stage.approved,
        "approved_automatically": stage.automatic,
        "results": stage.results,
        "of": stage.expected,
        "failed": stage.failed,
        "last_sign_of_life": stage.last,
        "days_since": days_since(stage.last, as_of),
        "waits_for": ", ".join(stage.waits_for),
        "command": stage.command,
        "note": stage.note,
    }


def stages_csv(stages: Iterable[Stage], *, benchmark: Ref, as_of: datetime) -> bytes:
    """Write one line per site, then one per model."""
    rows = (stage_value(stage, benchmark=benchmark, as_of=as_of) for stage in stages)
    return render_csv(CSV_COLUMNS, ([row[column] for column in CSV_COLUMNS] for row in rows))


def stage_line(stage: Stage, *, as_of: datetime) -> dict[str, str]:
    """Return one site or model as a line of a listing."""
    return {
        "site" if stage.kind == "dataset" else "model": str(stage.subject),
        "stage": stage.status,
        "joined": stage.joined[:10],
        "registered": stage.registered[:10],
        "asked": stage.asked[:10],
        "approved": stage.approved[:10],
        "results": f"{stage.results} of {stage.expected}",
        "failed": str(stage.failed),
        "sign of life": _ago(stage, as_of),
        "next": stage.next_step,
    }


def _ago(stage: Stage, as_of: datetime) -> str:
    """Say how long ago a site or an owner was heard of; a reference model asks for nothing."""
    days = days_since(stage.last, as_of)
    if days is None:
        return "" if stage.status == REFERENCE else "none yet"
    return f"{days} d ago" if days else "today"
