"""What the news are made of: the last steps of main, as somebody who knows Git hands them in."""

from collections.abc import Iterable
from typing import Protocol


class Step(Protocol):
    """One step of main: its commit, the time of the step, and the paths it added."""

    @property
    def commit(self) -> str:
        """The 40 hexadecimal digits of the step."""
        ...

    @property
    def time(self) -> str:
        """The time of the step, as records write times."""
        ...

    @property
    def paths(self) -> Iterable[str]:
        """What it added, records and bundles, in order."""
        ...
