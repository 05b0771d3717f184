"""Let a person or the system stop a run between two instructions of ours, never within one.

While a command works, SIGINT, SIGTERM and SIGHUP only set an event; whoever works looks at it and puts things in order.
Ctrl-C once more leaves at once, with containers still there: the next command finds and removes them. A signal that
the command was started to ignore (`nohup`, `run --detach`) stays ignored. When a terminal closes, the system may send
SIGHUP several times, and every word to that terminal is an error: it is let go of first.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_HANG_UP = getattr(signal, "SIGHUP", None)  # not on Windows, where nothing is run
_SIGNALS = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _HANG_UP) if number is not None)
_SAME_PRESS = 0.5  # seconds; a key that bounces is pressed once
_LEFT = (
    "\nleft at once: what was finished is kept, a container at work may still run; "
    "the next medperf-git command that runs containers removes it\n"
)
_SHOW_CURSOR = "\x1b[?25h"
_INTERRUPTED = 130


class Terminals:
    """Guards which of the three standard streams were terminals when this was made."""

    def __init__(self) -> None:
        self._handles = [handle for handle in (0, 1, 2) if _is_terminal(handle)]

    def let_go(self) -> None:
        """Lead them nowhere: a terminal that has closed takes and gives nothing any more."""
        for handle in self._handles:
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, handle)
                os.close(nowhere)
        self._handles = []


@contextmanager
def stoppable(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on a signal while the block runs; without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    note = _Note(stop)
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number == signal.SIGINT:
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in before.items():
            said_again = number == _HANG_UP and note.hung_up
            signal.signal(number, signal.SIG_IGN if said_again else handler)


class _Note:
    """What a signal does while a command works."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._terminals = Terminals()
        self._pressed = 0.0
        self.hung_up = False

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if number == _HANG_UP:
            self.hung_up = True
            self._terminals.let_go()
        elif number == signal.SIGINT and self._pressed and now - self._pressed > _SAME_PRESS:
            _leave()
        if number == signal.SIGINT:
            self._pressed = self._pressed or now
        if not self._stop.is_set():  # setting it takes a lock, which whoever is interrupted here may hold
            self._stop.set()


def _leave() -> None:
    """End this process at once; nothing that it waits for can hold it."""
    with suppress(OSError):
        os.write(2, ((_SHOW_CURSOR if _is_terminal(2) else "") + _LEFT).encode())
    os._exit(_INTERRUPTED)


def _is_terminal(handle: int) -> bool:
    try:
        return os.isatty(handle)
    except OSError:
        return False
