"""Follow a preparator's report while it is written, for whoever watches."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from medperf_git.runner.report import Report, read_report

OnReport = Callable[[Report], None]

_EVERY_SECONDS = 2.0
_RATIO = 20  # reading takes at most a twentieth of the time, however large the report


@contextmanager
def watched(path: Path, on_report: OnReport, *, every: float = _EVERY_SECONDS) -> Iterator[None]:
    """Tell of the report whenever it has changed while the block runs, and once more at its end."""
    stop = threading.Event()
    watch = _Watch(path, on_report)
    thread = threading.Thread(target=watch.until, args=(stop, every), daemon=True, name="report")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        watch.look()


class _Watch:
    """Guards what was last seen of the file."""

    def __init__(self, path: Path, on_report: OnReport) -> None:
        self._path = path
        self._on_report = on_report
        self._seen: tuple[int, int, int] | None = None

    def until(self, stop: threading.Event, every: float) -> None:
        pause = every
        while not stop.wait(pause):
            began = time.monotonic()
            self.look()
            pause = max(every, _RATIO * (time.monotonic() - began))

    def look(self) -> None:
        try:
            status = os.lstat(self._path)
        except OSError:
            return
        now = status.st_mtime_ns, status.st_size, status.st_ino
        if now == self._seen:
            return
        self._seen = now
        if (report := read_report(self._path)) is not None:
            self._on_report(report)
