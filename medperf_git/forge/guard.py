"""Call a forge with patience: bounded time, bounded retries with jitter, nothing done twice, every fault explained.

guard.read("look for the pull request", lambda: api.requests_of(slug, branch))
guard.write("open the pull request", lambda: api.open_request(…), found=lambda: look_again())

One guard serves one command. It counts the time that is lost on calls that fail, and on `git` where that stalls
(`losing`); when `whole` of it is lost, nothing is tried a second time and a call has `least` seconds. So a forge that
is silent ends a command within `worst_case()` seconds, and one that is merely slow ends none.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from medperf_git.errors import EnvironmentProblem
from medperf_git.forge.api import Cause, Fault, as_documented
from medperf_git.forge.deadline import ending_in
from medperf_git.forge.faults import Surroundings, is_limit, problem_of, reset_time, wait_asked
from medperf_git.forge.patience import Patience

T = TypeVar("T")

_LONGEST_WAIT = 20.0


@dataclass(slots=True)
class Guard:
    """Guards the time that one command loses on a forge."""

    surroundings: Surroundings
    patience: Patience = field(default_factory=Patience)
    lost: float = 0.0

    def read(self, what: str, call: Callable[[], T]) -> T:
        """Ask something that changes nothing; ForgeProblem when no sensible answer comes in time."""
        return self._patiently(what, lambda: self._once(call))

    def write(self, what: str, call: Callable[[], T], *, found: Callable[[], T | None]) -> T:
        """Do something once: after any failure `found` looks whether it has happened, before it is tried again.

        Where looking fails, it is not tried again: nothing is ever done on the mere hope that it has not happened.
        """
        tried = False

        def carefully() -> T:
            nonlocal tried
            if tried and (there := self._once(found)) is not None:
                return there
            tried = True
            return self._once(call)

        return self._patiently(what, carefully, found=found)

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Count the time of what is done inside by other means, if it fails."""
        began = self.patience.clock()
        try:
            yield
        except EnvironmentProblem:
            self.lost += self.patience.clock() - began
            raise

    def _patiently(self, what: str, attempt: Callable[[], T], *, found: Callable[[], T | None] | None = None) -> T:
        number = 0
        while True:
            number += 1
            began = self.patience.clock()
            try:
                return attempt()
            except Fault as fault:
                self.lost += self.patience.clock() - began
                pause = self._pause(fault, number)
                if pause is None:
                    if found is not None and _in_doubt(fault) and (there := self._look(found)) is not None:
                        return there
                    raise problem_of(fault, what, self.surroundings) from fault
                self.lost += pause
                self.patience.sleep(pause)

    def _look(self, found: Callable[[], T | None]) -> T | None:
        try:
            return self._once(found)
        except Fault:
            return None

    def _pause(self, fault: Fault, number: int) -> float | None:
        """Return how long to wait before the next attempt; None where another makes no sense or there is no time."""
        if number >= self.patience.attempts or not is_passing(fault):
            return None
        pause = self._asked(fault)
        if pause is None:
            pause = 2.0 ** (number - 1) * (0.5 + self.patience.draw())
        return pause if pause <= _LONGEST_WAIT and self.lost + pause < self.patience.whole else None

    def _asked(self, fault: Fault) -> float | None:
        if (wait := wait_asked(fault)) is not None:
            return float(wait)
        reset = reset_time(fault)
        return None if reset is None else max(0.0, reset - self.patience.today()) + 1.0

    def _once(self, call: Callable[[], T]) -> T:
        limit = self.patience.call if self.lost < self.patience.whole else min(self.patience.least, self.patience.call)
        return in_time(call, limit)


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Run one call in a thread of its own: a server that sends a byte now and then holds nobody up.

    Fault: it takes longer, or an adapter found an answer that is not as documented.
    """
    answer: list[Any] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with ending_in(seconds), as_documented():  # an adapter reads what is documented
                answer.append(call())
        except BaseException as problem:  # noqa: BLE001  (it is raised again where it was asked for)
            raised.append(problem)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not answer:
        raise Fault(Cause.TIMEOUT, said=f"no whole answer within {seconds:g} s")
    result: T = answer[0]
    return result


def is_passing(fault: Fault) -> bool:
    """Tell whether the same call may succeed later."""
    if fault.cause is Cause.STATUS:
        return fault.status in (408, 425, 429, 500, 502, 503, 504) or is_limit(fault)
    return fault.cause in (Cause.TIMEOUT, Cause.UNREACHABLE, Cause.GARBLED)


def _in_doubt(fault: Fault) -> bool:
    """Tell whether the call may have done its work: no answer, a broken one, or one that says it is there already."""
    return is_passing(fault) or fault.status in (400, 405, 409, 422)
