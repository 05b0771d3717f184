"""One clock for tests: it starts at a fixed moment of the past and moves one second with each question."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 25, 11, 0, tzinfo=UTC)


class TestClock:
    """A clock that answers `START`, `START + 1 s`, …; the same questions give the same answers."""

    __test__ = False

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        """Return the time, and let a second pass."""
        now = self.moment
        self.moment += timedelta(seconds=1)
        return now
