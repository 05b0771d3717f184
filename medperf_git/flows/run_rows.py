"""Where runs are kept, and what is said of a model in one line; apart from what runs them, for those who only look."""

from pathlib import Path
from typing import Any

from medperf_git.flows.home import private_folder
from medperf_git.records.names import Ref
from medperf_git.runner.engine import GIB
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.store import RunStore


def run_store(home: Path) -> RunStore:
    """Return the store of all runs of this home folder."""
    return RunStore(private_folder(home / "runs"))


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return one line about an outcome."""
    values = {key: value.value for key, value in (outcome.values or {}).items() if value.value is not None}
    return {
        "model": str(outcome.model.ref),
        "outcome": outcome.outcome if outcome.reason is None else f"{outcome.outcome}: {outcome.reason}",
        "attempt": outcome.attempt,
        "seconds": round(outcome.seconds, 1),
        "memory": f"{outcome.peak_memory / GIB:.2f} GiB" if outcome.peak_memory else "",
        "values": ", ".join(f"{key} {value}" for key, value in values.items()),
        "explanation": outcome.explanation,
    }


def skipped_row(model: Ref, why: str) -> dict[str, Any]:
    """Return one line about a model that was not started."""
    empty = {"attempt": "", "seconds": "", "memory": "", "values": ""}
    return {"model": str(model), "outcome": "skipped", **empty, "explanation": why, "kept": False}
