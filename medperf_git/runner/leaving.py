"""Put ended containers away beside the work that goes on, a few at a time; at the end all are gone.

Removing one takes the engine a tenth of the time that starting one takes, and nobody waits for it. What a killed
client leaves of them is found by its labels, like every other container.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from threading import BoundedSemaphore
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from medperf_git.runner.engine import Engine

_AT_ONCE, _WAITING = 2, 8


@runtime_checkable
class PutsAway(Protocol):
    """An engine that can put ended containers away beside other work."""

    def putting_away(self) -> AbstractContextManager[None]:
        """Do so while the block lasts; at its end all are gone."""
        ...


def putting_away(engine: Engine) -> AbstractContextManager[None]:
    """Let an engine put ended containers away beside other work, if it can; at the end of the block all are gone."""
    return engine.putting_away() if isinstance(engine, PutsAway) else nullcontext()


class Leaving:
    """Guards the containers that are being removed; whoever brings more than a few has to wait."""

    def __init__(self, remove: Callable[[str], None]) -> None:
        self._remove = remove
        self._room = BoundedSemaphore(_WAITING)
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="remove")

    def add(self, container: str) -> None:
        """Have a container removed soon."""
        self._room.acquire()
        self._pool.submit(self._one, container)

    def _one(self, container: str) -> None:
        try:
            self._remove(container)
        finally:
            self._room.release()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait until all are gone."""
        self._pool.shutdown(wait=True)
