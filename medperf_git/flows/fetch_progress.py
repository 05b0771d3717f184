"""Say how far the fetching of images is, now and then."""

import time
from collections.abc import Callable
from threading import Lock

_EVERY_SECONDS = 3.0
_MB = 1_000_000


class FetchProgress:
    """Turns (image, bytes here, bytes in all) into a line every few seconds; guards when it last did."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._told: dict[str, float] = {}
        self._lock = Lock()

    def __call__(self, image: str, done: int, total: int) -> None:
        """Say how far one image is, unless it was said a moment ago."""
        now = self._clock()
        with self._lock:
            if now - self._told.setdefault(image, now) < _EVERY_SECONDS:
                return
            self._told[image] = now
        part = f" ({100 * done // total} %)" if total else ""
        self._say(f"fetching {image}: {done // _MB} of at least {total // _MB} MB{part}")
