"""Until when the call that this thread makes may run: a call that nobody waits for any longer begins no request."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_END: ContextVar[float] = ContextVar("end", default=float("inf"))


@contextmanager
def ending_in(seconds: float) -> Iterator[None]:
    """Let what runs inside, in this thread, end within so many seconds."""
    before = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(before)


def remaining() -> float:
    """Return how many seconds are left, infinitely many where nobody set an end."""
    return _END.get() - time.monotonic()
