"""Logs are read from their end and as they grow; what is said to a terminal that has gone stops nothing."""

import errno
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows import pruning
from medperf_git.flows.detaching import Detached
from medperf_git.flows.progress import RunProgress, Tally
from medperf_git.flows.pruning import Choice, plan_pruning, prune
from medperf_git.flows.run_report import build_report
from medperf_git.flows.runbook import Log, follow_logs, iter_logs, list_runs, show_run
from medperf_git.records.names import Ref
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.store import RunFolder

ONE = Ref("ana", "one", 1)
PLAN = {"benchmark": {"ref": "ana/bench@1"}, "dataset": {"ref": "dora/set@1"}, "models": [{"model": {"ref": str(ONE)}}]}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "runs" / "0123456789abcdef")
    run.model(ONE).log("infer", 1).parent.mkdir(parents=True)
    run.model(ONE).log("infer", 1).write_text("first\n")
    (run.path / "plan.json").write_text(json.dumps(PLAN))
    return run


def test_the_end_of_a_long_log_is_read_without_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert Log("x", path).tail(2) == ["line 99998", "line 99999"]
    assert len(Log("x", path).tail(30_000)) == 30_000
    path.write_text("one\ntwo")
    assert Log("x", path).tail(5) == ["one", "two"]
    assert list(Log("x", path).pieces()) == ["one", "two"]


def test_a_log_is_followed_line_by_line_until_the_run_ends(run: RunFolder, tmp_path: Path) -> None:
    log = run.model(ONE).log("infer", 1)
    ended, looks = threading.Event(), []

    def pause(_: float) -> None:
        looks.append(1)
        with log.open("a") as file:
            file.write("sec" if len(looks) == 1 else "ond\nlast")
        if len(looks) == 2:
            ended.set()
            holder.join()

    def hold() -> None:
        with run.held():
            began.set()
            ended.wait(10)

    began = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    began.wait(10)
    told = list(follow_logs(tmp_path, None, pause=pause))
    assert told == [(f"{ONE}, attempt 1, infer", text) for text in ("first\n", "second\nlast")]


def test_what_is_at_work_waits_or_ended_badly_is_shown(run: RunFolder, tmp_path: Path) -> None:
    assert show_run(tmp_path, None)["waiting"] == [str(ONE)]
    run.model(ONE).begin_attempt()
    run.note_command(started="2026-11-25T10:00:00Z", ended="", pid=1, error="", hint="")
    shown = show_run(tmp_path, None)
    assert (shown["to_go_on"], shown["waiting"]) == ([f"{ONE} (infer)"], [])
    assert shown["error"].startswith("the process ended without a word")
    run.note_command(ended="2026-11-25T11:00:00Z", error="the engine went away", hint="start it")
    assert (show_run(tmp_path, None)["error"], show_run(tmp_path, None)["do_now"]) == (
        "the engine went away",
        "start it",
    )


def test_a_page_can_be_written_about_a_model_that_has_not_ended(run: RunFolder, tmp_path: Path) -> None:
    run.model(ONE).begin_attempt()
    page = build_report(tmp_path, None, model=None, lines=10)
    assert "none yet, attempt 1" in page.text
    assert "    first" in page.text
    assert "not all names of the data could be read here" in page.text
    assert "first" not in build_report(tmp_path, None, model="one", lines=0).text
    with pytest.raises(UsageProblem, match="has no model"):
        build_report(tmp_path, None, model="two", lines=10)


def test_logs_of_a_model_that_was_not_there_are_refused(run: RunFolder, tmp_path: Path) -> None:
    assert [log.title for log in iter_logs(tmp_path, run.run_id[:4])] == [f"{ONE}, attempt 1, infer"]
    with pytest.raises(UsageProblem, match="has no model"):
        list(iter_logs(tmp_path, None, model="two"))


def test_a_terminal_that_has_gone_stops_no_model() -> None:
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        raise OSError(errno.EIO, "the terminal has gone")

    tally = Tally(RunProgress(say, [ONE]))
    tally(Event(kind=EventKind.SKIPPED, model=ONE, text="no"))
    tally(Event(kind=EventKind.WARNING, text="more"))
    assert said == ["[1/1] ana/one@1: not started: no"]  # it is not tried again
    assert [one.why for one in tally.skipped] == ["no"]


def test_a_run_without_logs_says_so_and_a_killed_one_names_the_command_that_goes_on(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / "0123456789abcdef")
    run.path.mkdir(parents=True)
    (run.path / "plan.json").write_text(json.dumps(PLAN))
    run.note_command(started="2026-11-25T10:00:00Z", ended="", pid=1, error="", hint="")
    assert show_run(tmp_path, None)["do_now"] == "medperf-git run ana/bench@1 --dataset dora/set@1 --resume"
    with pytest.raises(UsageProblem, match="has no logs"):
        list(iter_logs(tmp_path, None))


def test_a_detached_run_that_has_ended_is_not_said_to_go_on() -> None:
    said = list(Detached("0123456789abcdef", 7, Path("output.log"), holds=False, ended=True).lines())
    assert said[0] == "run 0123456789abcdef has ended already"
    assert not any("log out" in line or "runs stop" in line for line in said)


def test_a_run_whose_notes_are_damaged_hides_no_other_and_goes_when_asked(run: RunFolder, tmp_path: Path) -> None:
    broken = RunFolder(tmp_path / "runs" / "fedcba9876543210")
    broken.path.mkdir()
    (broken.path / "plan.json").write_text("{")
    rows = {row["run"]: row for row in list_runs(tmp_path)}
    assert [set(row) for row in rows.values()] == [set(rows[run.run_id])] * 2
    assert rows[broken.run_id]["state"] == "damaged"
    context = SimpleNamespace(home=tmp_path, clock=lambda: datetime.now(UTC))
    for force in (False, True):
        choice = Choice(names=["fedc"], force=force)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pruning, "_views", lambda _: [])
            (one,) = plan_pruning(context, choice)  # type: ignore[arg-type]
            assert ("are damaged" in one.stays) != force
            assert one.row()["state"] == "damaged"
            prune(context, [one], choice)  # type: ignore[arg-type]
    assert not broken.path.exists()
