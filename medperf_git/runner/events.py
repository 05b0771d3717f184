"""What a run tells while it works, for progress and logs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from medperf_git.records.names import Ref
from medperf_git.runner.outcome import Outcome


class EventKind(StrEnum):
    """What an event tells."""

    VERIFYING = "verifying"
    WARNING = "warning"
    REAPED = "reaped"
    STARTED = "started"
    FINISHED = "finished"
    KEPT = "kept"
    SKIPPED = "skipped"
    STOPPING = "stopping"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, for progress: a model's step, bytes verified, an outcome."""

    kind: EventKind
    model: Ref | None = None
    step: str = ""
    text: str = ""
    done: int = 0
    total: int = 0
    outcome: Outcome | None = None


OnEvent = Callable[[Event], None]
