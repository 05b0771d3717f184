"""A calm table of a run on a terminal: what is at work, for how long, how long it should take, how much is left.

Once a second, below lines that stay; where the output is no terminal, each event is one line instead.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medperf_git.cli.output import say
from medperf_git.flows.amounts import duration_text
from medperf_git.flows.progress import RunProgress
from medperf_git.flows.wording import escape
from medperf_git.records.names import Ref
from medperf_git.runner.events import Event, EventKind, OnEvent

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST_ROWS = 12


@dataclass(slots=True)
class _Work:
    """A model at work: its step, when it began, when the step began."""

    step: str
    begun: float
    step_begun: float


class RunTable:
    """Guards what is at work and what has ended; `seconds` is what each model should take, where that is known."""

    def __init__(
        self,
        models: Sequence[Ref],
        seconds: Mapping[Ref, float | None],
        *,
        parallel: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._seconds = seconds
        self._parallel = max(1, parallel)
        self._clock = clock
        self._lock = threading.Lock()
        self._work: dict[Ref, _Work] = {}
        self._ended: dict[Ref, str] = {}
        self._note = ""

    def note(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            now, ref = self._clock(), event.model
            if event.kind is EventKind.VERIFYING:
                share = f" {100 * event.done // event.total} %" if event.total else ""
                self._note = f"checking the data {event.text}{share}" if event.done < event.total else ""
            elif event.kind is EventKind.STOPPING:
                self._note = "stopping …"
            elif ref is None:
                return
            elif event.kind is EventKind.STARTED:
                begun = self._work[ref].begun if ref in self._work else now
                self._work[ref] = _Work(event.step, begun, now)
            elif event.kind is EventKind.SKIPPED:
                self._ended[ref] = "skipped"
            elif event.outcome is not None:
                self._work.pop(ref, None)
                self._ended[ref] = event.outcome.outcome

    def __rich__(self) -> "RenderableType":
        """Draw it, as rich asks for it."""
        from rich.console import Group  # noqa: PLC0415  (only for a terminal)
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table.grid(padding=(0, 2))
        with self._lock:
            for row in self._rows():
                table.add_row(*(Text(escape(cell)) for cell in row))
            return Group(table, Text(escape(self._summary()), style="bold"))

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        now = self._clock()
        for ref, work in list(self._work.items())[:_MOST_ROWS]:
            expected = self._seconds.get(ref)
            about = f"of about {duration_text(expected)}" if expected else ""
            yield str(ref), work.step, duration_text(now - work.begun), about
        if len(self._work) > _MOST_ROWS:
            yield f"and {len(self._work) - _MOST_ROWS} more", "", "", ""

    def _summary(self) -> str:
        ended = list(self._ended.values())
        parts = [f"{len(ended)} of {len(self._models)} models done"]
        parts += [f"{ended.count(word)} {word}" for word in ("partial", "failed", "skipped") if word in ended]
        if (left := self._seconds_left()) is not None:
            parts.append(f"about {duration_text(left)} left")
        return ", ".join(parts) + (f"; {self._note}" if self._note else "")

    def _seconds_left(self) -> float | None:
        """Return how long the rest should take; None while that is not known of every model."""
        now, total = self._clock(), 0.0
        for ref in self._models:
            if ref in self._ended:
                continue
            expected = self._seconds.get(ref)
            if expected is None:
                return None
            spent = now - self._work[ref].begun if ref in self._work else 0.0
            total += max(0.0, expected - spent)
        return total / self._parallel


@contextmanager
def run_progress(models: Sequence[Ref], seconds: Mapping[Ref, float | None], *, parallel: int = 1) -> Iterator[OnEvent]:
    """Show a run: a live table where the standard error stream is a terminal, else lines."""
    lines = RunProgress(say, models)
    if not sys.stderr.isatty():
        yield lines
        return
    from rich.console import Console  # noqa: PLC0415  (only for a terminal)
    from rich.live import Live  # noqa: PLC0415

    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield lines
        return
    table = RunTable(models, seconds, parallel=parallel)

    def show(event: Event) -> None:
        table.note(event)
        if event.kind not in (EventKind.STARTED, EventKind.FINISHED, EventKind.VERIFYING):
            lines(event)  # stays above the table, by the stream that it has taken over

    # Standard output stays as it is: it may be a pipe that takes one JSON document.
    with Live(table, console=console, refresh_per_second=1, transient=True, redirect_stdout=False):
        yield show
