"""Say how a run goes, one line at a time; what cannot be said any more stops nothing."""

import time
from collections.abc import Callable, Sequence

from medperf_git.records.names import Ref
from medperf_git.runner.events import Event, EventKind, OnEvent
from medperf_git.runner.execute import Skipped
from medperf_git.runner.outcome import Outcome

_EVERY_SECONDS = 10.0
_WORTH_TELLING = 100_000_000  # bytes; less is read in a moment


class Tally:
    """Passes events on, and counts what was finished before and what was not started.

    A terminal that has gone, or a pipe that nobody reads, is no reason to stop a model that runs for hours.
    """

    def __init__(self, show: OnEvent) -> None:
        self._show: OnEvent | None = show
        self.kept: set[Ref] = set()
        self.skipped: list[Skipped] = []

    def __call__(self, event: Event) -> None:
        """Count and show one event."""
        if event.kind is EventKind.KEPT and event.model and event.outcome:
            self.kept.add(event.model)
        elif event.kind is EventKind.SKIPPED and event.model:
            self.skipped.append(Skipped(event.model, event.text))
        if self._show is None:
            return
        try:
            self._show(event)
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._show = None


class RunProgress:
    """Turns the runner's events into lines; guards when bytes were last told of."""

    def __init__(self, say: Callable[[str], None], models: Sequence[Ref]) -> None:
        self._say = say
        self._place = {ref: f"[{number}/{len(models)}] {ref}" for number, ref in enumerate(models, start=1)}
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Say one event."""
        about = self._place.get(event.model, "") if event.model else ""
        match event.kind:
            case EventKind.WARNING | EventKind.REAPED:
                self._say(event.text)
            case EventKind.STOPPING:
                self._say(f"{event.text}; Ctrl-C once more leaves at once")
            case EventKind.SKIPPED:
                self._say(f"{about}: not started: {event.text}")
            case EventKind.VERIFYING:
                self._verifying(event)
            case EventKind.STARTED:
                self._say(f"{about}: {event.step} …")
            case EventKind.FINISHED:
                self._say(f"{about}: {event.step} {event.text}")
            case EventKind.KEPT:
                self._say(f"{about}: {event.text or (event.step or 'all') + ' was finished before'}")
            case EventKind.OUTCOME if event.outcome is not None:
                self._say(f"{about}: {said_of(event.outcome)}")
            case _:
                return

    def _verifying(self, event: Event) -> None:
        if event.total < _WORTH_TELLING or time.monotonic() - self._told < _EVERY_SECONDS:
            return
        self._told = time.monotonic()
        self._say(f"checking the data {event.text}: {100 * event.done // event.total} %")


class StepProgress:
    """Says which task of one container is at work."""

    def __init__(self, say: Callable[[str], None], about: str) -> None:
        self._say = say
        self._about = about

    def __call__(self, event: Event) -> None:
        """Say one event."""
        if event.kind is EventKind.STARTED:
            self._say(f"{event.step}: {self._about} …")
        elif event.kind is EventKind.FINISHED:
            self._say(f"{event.step}: {event.text}")


def said_of(outcome: Outcome) -> str:
    """Return an outcome in a few words."""
    return outcome.outcome if outcome.reason is None else f"{outcome.outcome} ({outcome.reason}: {outcome.explanation})"
