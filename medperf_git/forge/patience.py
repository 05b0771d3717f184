"""How long a forge is waited for; apart from what waits, for commands that never speak to one."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and by what; times in seconds."""

    attempts: int = 4
    call: float = 20.0
    whole: float = 45.0
    least: float = 5.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], float] = time.time
    draw: Callable[[], float] = random.random

    def worst_case(self) -> float:
        """Return after how many seconds a silent forge has ended an operation: its last look, call, and last look."""
        return self.whole + 2 * self.call + self.least
