"""Patience with a forge: how often, how long, and nothing done twice. Time is a number, but in the last tests."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from medperf_git.errors import EnvironmentProblem, MedperfGitError, Refused
from medperf_git.forge.api import Cause, Fault
from medperf_git.forge.deadline import remaining
from medperf_git.forge.faults import ForgeProblem, Surroundings
from medperf_git.forge.guard import Guard, Patience, is_passing
from medperf_git.forge.host import Host

WHERE = Surroundings(Host.GITHUB, "github.com", "GH_TOKEN", "https://github.com/org/r", "s3cret")
NOON = 1_700_000_000.0


@dataclass
class Time:
    """A clock that moves only when somebody waits or works."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def work(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, **more: float) -> Patience:
        given = {"sleep": self.sleep, "clock": lambda: self.now, "today": lambda: NOON + self.now, "draw": lambda: 0.5}
        return Patience(**{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def guard(clock: Time) -> Guard:
    return Guard(WHERE, clock.patience())


class Script:
    """Answers a call with what comes next: an exception is raised, all else returned."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls = 0

    def __call__(self) -> object:
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer


def status(code: int, said: str = "", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(Cause.STATUS, code, said, named)


def broken(cause: Cause = Cause.UNREACHABLE) -> Fault:
    return Fault(cause)


def never() -> None:
    raise AssertionError("nobody looks here")


PASSING = [
    *(status(code) for code in (408, 425, 429, 500, 502, 503, 504)),
    status(403, retry_after="1"),
    status(403, x_ratelimit_remaining="0"),
    status(403, ratelimit_remaining="0"),
    *(broken(cause) for cause in (Cause.TIMEOUT, Cause.UNREACHABLE, Cause.GARBLED)),
]
LASTING = [
    *(status(code) for code in (400, 401, 403, 404, 405, 409, 410, 422, 423, 451)),
    status(403, x_ratelimit_remaining="17"),
    status(404, retry_after="1"),
    *(broken(cause) for cause in (Cause.TLS, Cause.PROXY, Cause.REDIRECT)),
]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_tried_again(guard: Guard, fault: Fault) -> None:
    script = Script(fault, "answer")
    assert is_passing(fault)
    assert guard.read("ask", script) == "answer"
    assert script.calls == 2


@pytest.mark.parametrize("fault", LASTING, ids=str)
def test_what_lasts_is_told_at_once(guard: Guard, clock: Time, fault: Fault) -> None:
    script = Script(fault)
    with pytest.raises(ForgeProblem) as caught:
        guard.read("ask", script)
    assert caught.value.status == fault.status
    assert (script.calls, clock.pauses) == (1, [])


def test_four_attempts_with_growing_pauses_and_then_the_fault_is_told(guard: Guard, clock: Time) -> None:
    script = Script(*[status(502)] * 4)
    with pytest.raises(ForgeProblem) as caught:
        guard.read("look for the pull request", script)
    assert caught.value.message == "cannot look for the pull request: github.com has trouble of its own (502)"
    assert clock.pauses == [1.0, 2.0, 4.0]


def test_two_who_failed_together_do_not_come_back_together(clock: Time) -> None:
    for draw, pause in ((0.0, 0.5), (0.999, 1.499)):
        own = Time()
        Guard(WHERE, own.patience(draw=lambda drawn=draw: drawn)).read("ask", Script(broken(), 1))  # type: ignore[arg-type]
        assert own.pauses == [pause]


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "Fri, 31 Dec 2027 23:59:59 GMT"}, 1.0),
        ({"retry_after": "٣"}, 1.0),
        ({"retry_after": "-5"}, 1.0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOON) + 4)}, 5.0),
        ({"ratelimit_remaining": "0", "ratelimit_reset": str(int(NOON) + 4)}, 5.0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOON) - 900)}, 1.0),
        ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, 1.0),
        ({"x_ratelimit_remaining": "3", "x_ratelimit_reset": str(int(NOON) + 4)}, 1.0),
    ],
)
def test_a_forge_that_says_when_is_waited_for(guard: Guard, clock: Time, headers: dict[str, str], pause: float) -> None:
    guard.read("ask", Script(status(429, "", **headers), 1))
    assert clock.pauses == [pause]


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "3600"},
        {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOON) + 3000)},
    ],
)
def test_a_forge_that_wants_an_hour_is_not_waited_for(guard: Guard, clock: Time, headers: dict[str, str]) -> None:
    script = Script(status(403, "", **headers))
    with pytest.raises(ForgeProblem, match="too many requests"):
        guard.read("ask", script)
    assert (script.calls, clock.pauses) == (1, [])


def test_after_a_doubt_it_looks_before_it_does_it_again(guard: Guard) -> None:
    """The answer was lost, the work was done."""
    call, found = Script(broken()), Script("there")
    assert guard.write("open it", call, found=found) == "there"
    assert (call.calls, found.calls) == (1, 1)


def test_what_was_not_done_is_done_after_looking(guard: Guard) -> None:
    call, found = Script(broken(Cause.TIMEOUT), "made"), Script(None)
    assert guard.write("open it", call, found=found) == "made"
    assert (call.calls, found.calls) == (2, 1)


def test_where_it_cannot_look_it_does_nothing_twice(guard: Guard) -> None:
    call, found = Script(broken()), Script(*[broken()] * 4)
    with pytest.raises(ForgeProblem):
        guard.write("open it", call, found=found)
    assert (call.calls, found.calls) == (1, 4)  # the pauses lie before looks; the last look is the last hope


def test_it_looks_a_last_time_before_it_gives_up(guard: Guard) -> None:
    call, found = Script(*[broken()] * 4), Script(None, None, None, "there")
    assert guard.write("open it", call, found=found) == "there"
    assert (call.calls, found.calls) == (4, 4)


@pytest.mark.parametrize("code", [400, 405, 409, 422])
def test_a_forge_that_says_it_is_there_already_is_asked_where(guard: Guard, clock: Time, code: int) -> None:
    found = Script("there")
    assert guard.write("open it", Script(status(code, "already exists")), found=found) == "there"
    assert clock.pauses == []


@pytest.mark.parametrize("code", [400, 409, 422])
def test_a_forge_that_refuses_for_another_reason_is_not_asked_twice(guard: Guard, code: int) -> None:
    call = Script(status(code, "the branch is empty"))
    with pytest.raises(ForgeProblem, match="the branch is empty"):
        guard.write("open it", call, found=lambda: None)
    assert call.calls == 1


@pytest.mark.parametrize("code", [401, 403, 404])
def test_who_is_not_let_in_does_not_look(guard: Guard, code: int) -> None:
    with pytest.raises(ForgeProblem):
        guard.write("open it", Script(status(code)), found=never)


def hang(clock: Time, seconds: float) -> Callable[[], object]:
    """Return a call that takes so long and then fails, as one that is cut off does."""

    def call() -> object:
        clock.work(seconds)
        raise Fault(Cause.TIMEOUT)

    return call


@pytest.mark.parametrize("looks", ["hang", "nothing there"])
def test_a_silent_forge_ends_a_write_in_bounded_time(clock: Time, looks: str) -> None:
    patience = clock.patience(draw=lambda: 1.0)  # type: ignore[arg-type]
    guard = Guard(WHERE, patience)

    def limit() -> float:
        return patience.call if guard.lost < patience.whole else patience.least

    def call() -> object:
        return hang(clock, limit())()

    def slow_look() -> None:
        clock.work(limit() - 0.001)

    with pytest.raises(ForgeProblem, match="does not answer in time"):
        guard.write("open it", call, found=call if looks == "hang" else slow_look)  # type: ignore[arg-type]
    assert clock.now <= patience.worst_case()


def test_the_worst_case_of_a_command_lies_below_two_minutes() -> None:
    """A silent interface, and then a `git` that stalls; or `git` first, and then one call for each thing tried."""
    from medperf_git.forge.pulls import FORK_SECONDS  # noqa: PLC0415
    from medperf_git.registry.remotes import Transport  # noqa: PLC0415
    from medperf_git.registry.transport import SILENT_SECONDS, SLOW_SECONDS  # noqa: PLC0415

    patience, git = Patience(), SILENT_SECONDS[Transport.HTTPS]
    assert git > SLOW_SECONDS  # so that Git's own word on a slow transfer comes first
    assert patience.worst_case() <= 90
    assert git >= patience.whole  # what `git` loses is all that may be lost: nothing is tried twice afterwards
    assert patience.whole + patience.call + git < 120  # the interface fails for good, and then a push stalls
    assert git + 2 * patience.least < 120
    assert FORK_SECONDS + git < 120


def lose(guard: Guard, clock: Time, problem: MedperfGitError) -> None:
    """Spend time on something else that ends so."""

    def work() -> None:
        with guard.losing():
            clock.work(50)
            raise problem

    with pytest.raises(type(problem)):
        work()


def test_what_was_lost_before_leaves_one_short_attempt(guard: Guard, clock: Time) -> None:
    lose(guard, clock, EnvironmentProblem("git stalled"))
    script = Script(broken())
    with pytest.raises(ForgeProblem):
        guard.read("ask", script)
    assert script.calls == 1


def test_what_went_well_or_was_refused_loses_nothing(guard: Guard, clock: Time) -> None:
    with guard.losing():
        clock.work(500)
    lose(guard, clock, Refused("not this one"))
    guard.read("ask", lambda: clock.work(15))
    assert guard.lost == 0
    script = Script(broken(), "answer")
    assert guard.read("ask", script) == "answer"


@pytest.mark.parametrize(
    "bad",
    [KeyError("id"), TypeError("None"), ValueError("x"), AttributeError("x"), IndexError(), OverflowError("1e999")],
)
def test_an_answer_of_another_shape_is_a_broken_answer(guard: Guard, bad: Exception) -> None:
    with pytest.raises(ForgeProblem, match="it has not the documented form"):
        guard.read("ask", Script(*[bad] * 4))


def test_what_is_no_fault_of_the_forge_goes_up_as_it_is(guard: Guard) -> None:
    with pytest.raises(Refused, match="not this one"):
        guard.read("ask", Script(Refused("not this one")))
    with pytest.raises(ZeroDivisionError):
        guard.read("ask", lambda: 1 // 0)


def test_a_call_that_ends_late_is_not_waited_for_and_begins_nothing_more() -> None:
    """Real time: a call hangs, is given up, and finds when it goes on that nobody waits for it."""
    go_on, left = threading.Event(), []
    guard = Guard(WHERE, Patience(attempts=1, call=0.2))
    done = threading.Event()

    def call() -> str:
        go_on.wait(20)
        left.append(remaining())
        done.set()
        return "too late"

    began = time.monotonic()
    with pytest.raises(ForgeProblem, match=r"does not answer in time \(no whole answer within 0.2 s\)"):
        guard.read("ask", call)
    assert time.monotonic() - began < 10
    go_on.set()
    assert done.wait(20)
    assert left[0] < 0
    assert guard.read("ask again", lambda: "in time") == "in time"


def test_a_late_answer_is_found_instead_of_made_again() -> None:
    """Real time: what hangs does its work after it was given up."""
    there: list[str] = []
    go_on, finished = threading.Event(), threading.Event()

    def call() -> str:
        go_on.wait(20)
        there.append("made")
        finished.set()
        return "made"

    def sleep(_: float) -> None:
        go_on.set()
        finished.wait(20)

    guard = Guard(WHERE, Patience(call=0.2, sleep=sleep))
    assert guard.write("open it", call, found=lambda: there[0] if there else None) == "made"
    assert there == ["made"]


def test_outside_a_guard_nobody_sets_an_end() -> None:
    assert remaining() == float("inf")
