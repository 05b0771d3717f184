"""The table of a run on a terminal: what is at work, for how long, what is left."""

import io

from rich.console import Console

from medperf_git.cli.live import RunTable
from medperf_git.records.digests import digest_of
from medperf_git.records.models import EngineUsed, Images, Reason, Reference
from medperf_git.records.names import Ref
from medperf_git.runner.engine import Profile
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.outcome import Outcome

ONE, TWO, THREE = (Ref("ana", name, 1) for name in ("one", "two", "three"))


NOTHING = digest_of(b"")


def failed(ref: Ref, reason: Reason) -> Outcome:
    return Outcome(
        model=Reference(ref, NOTHING), outcome="failed", reason=reason, attempt=1, images=Images(NOTHING, NOTHING),
        parameters=None, sandbox=Profile.STRICT, engine=EngineUsed("docker", "1"), started="", finished="",
        infer_key=NOTHING, evaluate_key=NOTHING,
    )  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(table: RunTable) -> str:
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_tells_what_is_at_work_and_how_much_is_left() -> None:
    clock = Clock()
    table = RunTable((ONE, TWO, THREE), {ONE: 600.0, TWO: 1200.0, THREE: 7200.0}, parallel=2, clock=clock)
    assert "0 of 3 models done, about 1 h 15 min left" in drawn(table)
    table.note(Event(kind=EventKind.STARTED, model=ONE, step="infer"))
    table.note(Event(kind=EventKind.STARTED, model=TWO, step="infer"))
    clock.now += 90
    told = drawn(table)
    assert "ana/one@1  infer  1 min 30 s  of about 10 min 00 s" in told
    assert "ana/three@1" not in told
    table.note(Event(kind=EventKind.STARTED, model=ONE, step="evaluate"))
    assert "ana/one@1  evaluate  1 min 30 s" in drawn(table)
    table.note(Event(kind=EventKind.OUTCOME, model=ONE, outcome=failed(ONE, "exit-code")))
    told = drawn(table)
    assert "ana/one@1" not in told
    assert "1 of 3 models done, 1 failed" in told
    table.note(Event(kind=EventKind.SKIPPED, model=THREE, text="no"))
    table.note(Event(kind=EventKind.STOPPING, text="stopping"))
    told = drawn(table)
    assert "2 of 3 models done, 1 failed, 1 skipped" in told
    assert told.rstrip().endswith("; stopping …")


def test_what_nobody_knows_is_not_guessed() -> None:
    table = RunTable((ONE, TWO), {ONE: 600.0, TWO: None})
    assert "left" not in drawn(table)


def test_checking_the_data_is_told_and_then_forgotten() -> None:
    table = RunTable((ONE,), {ONE: None})
    table.note(Event(kind=EventKind.VERIFYING, text="before the run", done=1, total=4))
    assert "checking the data before the run 25 %" in drawn(table)
    table.note(Event(kind=EventKind.VERIFYING, text="before the run", done=4, total=4))
    assert "checking" not in drawn(table)
