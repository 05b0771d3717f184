"""Call a forge with patience: bounded time, bounded retries with jitter, nothing done twice, every fault explained.

guard.read("look for the pull request", lambda: api.requests_of(slug, branch))
guard.write("open the pull request", lambda: api.open_request(…), found=lambda: look_again())
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.faults import Surroundings, problem_of

T = TypeVar("T")

CALL_SECONDS = 30.0
ALL_SECONDS = 85.0  # with one last call of 30 seconds it ends below two minutes
ATTEMPTS = 4
_LONGEST_WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, and by what; times in seconds."""

    attempts: int = ATTEMPTS
    call: float = CALL_SECONDS
    whole: float = ALL_SECONDS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random


@dataclass(slots=True)
class Guard:
    """Guards the time that one operation, of several calls, spends on a forge."""

    surroundings: Surroundings
    patience: Patience = field(default_factory=Patience)
    _spent: float = 0.0

    def read(self, what: str, call: Callable[[], T]) -> T:
        """Ask something that changes nothing; ForgeProblem when no sensible answer comes in time."""
        return self._repeat(what, call, found=None)

    def write(self, what: str, call: Callable[[], T], *, found: Callable[[], T | None]) -> T:
        """Do something once: after any doubt `found` looks whether it has happened, before it is tried again."""
        return self._repeat(what, call, found=found)

    def _repeat(self, what: str, call: Callable[[], T], *, found: Callable[[], T | None] | None) -> T:
        for attempt in range(1, self.patience.attempts + 1):
            try:
                return self._once(call)
            except Fault as fault:
                if found is not None and _in_doubt(fault) and (there := self._look(found)) is not None:
                    return there
                pause = self._pause(fault, attempt)
                if pause is None:
                    raise problem_of(fault, what, self.surroundings) from fault
                self._spent += pause
                self.patience.sleep(pause)
        raise AssertionError("the last attempt has no pause")

    def _look(self, found: Callable[[], T | None]) -> T | None:
        try:
            return self._once(found)
        except Fault:
            return None

    def _pause(self, fault: Fault, attempt: int) -> float | None:
        """Return how long to wait before the next attempt; None where another makes no sense or there is no time."""
        if not is_passing(fault) or attempt >= self.patience.attempts:
            return None
        asked = wait_asked(fault)
        pause = asked if asked is not None else 2.0 ** (attempt - 1) * (0.5 + self.patience.draw())
        return pause if pause <= _LONGEST_WAIT and self._spent + pause < self.patience.whole else None

    def _once(self, call: Callable[[], T]) -> T:
        """Run one call in a thread of its own: a server that sends a byte now and then holds nobody up."""
        began = self.patience.clock()
        answer: list[Any] = []
        raised: list[BaseException] = []

        def work() -> None:
            try:
                answer.append(call())
            except BaseException as problem:  # noqa: BLE001  (it is raised again where it was asked for)
                raised.append(problem)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(max(0.1, min(self.patience.call, self.patience.whole + self.patience.call - self._spent)))
        self._spent += self.patience.clock() - began
        if raised:
            raise raised[0]
        if not answer:
            raise Fault(Cause.TIMEOUT, said=f"no whole answer within {self.patience.call:.0f} s")
        result: T = answer[0]
        return result


def is_passing(fault: Fault) -> bool:
    """Tell whether the same call may succeed later."""
    if fault.cause is Cause.STATUS:
        limited = fault.status == 403 and (wait_asked(fault) is not None or _used_up(fault))
        return fault.status in (408, 425, 429, 500, 502, 503, 504) or limited
    return fault.cause in (Cause.TIMEOUT, Cause.UNREACHABLE, Cause.GARBLED)


def wait_asked(fault: Fault) -> float | None:
    """Return how many seconds the forge asks us to wait (RFC 9110, Retry-After); None where it does not."""
    said = fault.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else None


def _used_up(fault: Fault) -> bool:
    return fault.headers.get("x-ratelimit-remaining", "") == "0"


def _in_doubt(fault: Fault) -> bool:
    """Tell whether the call may have done its work: no answer, a broken one, or one that says it is there already."""
    return is_passing(fault) or fault.status in (409, 422, 400)
