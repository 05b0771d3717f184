"""A run that is left alone: started on Friday, stopped, followed, reported on, pruned; as programs, on an engine."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.running import PlannedRun, plan_run
from medperf_git.flows.settings import RunSettings
from medperf_git.flows.still_approved import StillApproved
from tests.engine.conftest import docker
from tests.engine.test_flow_story import BENCHMARK, add_cube, build_town, join_untested
from tests.support.people import Human, Town

RUN = ("run", BENCHMARK, "--dataset", "cohort")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, images: dict[str, str]) -> Town:
    """The benchmark of the story, with two models more: one that never ends, one that is quick."""
    assert images
    folder = tmp_path_factory.mktemp("weekend")
    town = build_town(folder)
    ana = town.human("ana")
    for name, actions in (("endless", ("never-ends",)), ("quick", ("predict",))):
        add_cube(ana, folder, name, "model", *actions)
    join_untested(ana, "endless")
    ana.run("association", "request", BENCHMARK, "--model", "quick", "--yes")
    return town


@pytest.fixture
def clinic(town: Town) -> Iterator[Human]:
    """The hospital; what a test leaves running is ended."""
    clinic = town.human("clinic")
    yield clinic
    for row in clinic.run("runs", "ls", "--json").value:
        if row["state"] == "running":
            clinic.spawn("runs", "stop", row["run"], "--wait", "20s", "--kill")


def soon(true: Callable[[], Any], seconds: float = 90) -> Any:
    """Return what becomes true, looked at again and again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true")


def state(clinic: Human) -> str:
    return str(clinic.run("runs", "ls", "--json").value[0]["state"])


def containers_of(clinic: Human) -> list[str]:
    runs = [row["run"] for row in clinic.run("runs", "ls", "--json").value]
    return docker("ps", "-aq", "--filter", f"label=medperf-git.run={runs[0]}").split() if runs else []


def printed(clinic: Human, model: str, text: str) -> Callable[[], bool]:
    """Tell whether a model's newest log holds a text."""

    def look() -> bool:
        logs = sorted((clinic.home / "runs").glob(f"*/models/ana.{model}.1/logs/*/infer.log"))
        return bool(logs) and text in logs[-1].read_text()

    return look


def planned(clinic: Human, *models: str) -> PlannedRun:
    with clinic.at_machine():
        return plan_run(clinic.workspace(), BENCHMARK, dataset="cohort", models=models, settings=RunSettings())


def test_all_approved_models_run_in_the_committees_order(town: Town, clinic: Human) -> None:
    ana = town.human("ana")
    assert [ref.name for ref in planned(clinic).plan_refs()] == ["slow", "broken", "endless", "quick"]
    ana.run("prioritise", "ana/quick", "--benchmark", BENCHMARK, "--priority", "5", "--yes")
    ana.run("prioritise", "ana/endless", "--benchmark", BENCHMARK, "--priority", "2", "--yes")
    assert [ref.name for ref in planned(clinic).plan_refs()] == ["slow", "quick", "endless", "broken"]


def test_a_rehearsal_says_what_each_model_and_all_together_need(clinic: Human) -> None:
    before = sorted(clinic.home.glob("runs/**"))
    needs = clinic.run(*RUN, "--dry-run", "--json").value
    order = [str(ref) for ref in planned(clinic).plan_refs()]
    assert [row["model"] for row in needs["models"]] == order
    assert set(order) == {"ana/slow@1", "ana/quick@1", "ana/endless@1", "ana/broken@1"}
    assert {row["fetch_bytes"] for row in needs["models"]} == {0}
    assert {row["fits"] for row in needs["models"]} == {"yes"}
    assert needs["total"]["fits"] == "4 of 4"
    assert needs["total"]["unknown_times"] == 4
    said = clinic.run(*RUN, "--dry-run", "--max-parallel", "2").out
    assert "all 4, 2 at a time" in said
    assert "of 4 model(s) no time is known" in said
    assert sorted(clinic.home.glob("runs/**")) == before


def test_t62_a_model_withdrawn_after_the_plan_is_not_started(town: Town, clinic: Human) -> None:
    plan = planned(clinic, "ana/slow", "ana/quick").plan
    ana = town.human("ana")
    with clinic.at_machine():
        ask = StillApproved(clinic.workspace(), plan, clinic.home, every=0)
        late = StillApproved(clinic.workspace(), plan, clinic.home)
        quick = next(model for model in plan.models if model.model.ref.name == "quick")
        assert [ask(model) for model in plan.models] == ["", ""]
        ana.run("withdraw", "ana/quick", "--benchmark", BENCHMARK, "--yes")
        assert late(quick) == ""  # the network is asked once a minute
        assert "is not approved for ana/cells@1 (withdrawn)" in ask(quick)
        assert "(withdrawn)" in late(quick)  # what another command of this machine has verified counts at once
        with unreachable(town):
            offline = StillApproved(clinic.workspace(), plan, clinic.home, every=0)
            assert [bool(offline(model)) for model in plan.models] == [model == quick for model in plan.models]
        ana.run("association", "request", BENCHMARK, "--model", "quick", "--yes")
        assert ask(quick) == ""


@contextlib.contextmanager
def unreachable(town: Town) -> Iterator[None]:
    away = town.repository.with_suffix(".away")
    town.repository.rename(away)
    try:
        yield
    finally:
        away.rename(town.repository)


def test_t62_a_model_withdrawn_while_another_runs_is_passed_over(town: Town, clinic: Human) -> None:
    ana = town.human("ana")
    words = [sys.executable, "-m", "medperf_git", *RUN, "--model", "ana/endless", "--model", "ana/quick", "--json"]
    with subprocess.Popen(words, env=clinic.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        soon(printed(clinic, "endless", "for ever"))
        ana.run("withdraw", "ana/quick", "--benchmark", BENCHMARK, "--yes")
        clinic.run("sync")
        docker("kill", *containers_of(clinic))
        out, err = process.communicate(timeout=100)
    assert process.returncode == 4, err
    done = json.loads(out)
    outcomes = {row["model"]: row["outcome"] for row in done["models"]}
    assert outcomes == {"ana/endless@1": "failed: exit-code", "ana/quick@1": "skipped"}
    assert done["counts"] == {"complete": 0, "partial": 0, "failed": 1, "skipped": 1, "kept": 0}
    assert b"not started: the model ana/quick@1 is not approved" in err
    assert state(clinic) == "finished"
    assert "is not approved" in clinic.run("runs", "show").out
    ana.run("association", "request", BENCHMARK, "--model", "quick", "--yes")
    again = clinic.run(*RUN, "--model", "ana/endless", "--model", "ana/quick", "--resume", "--json").value
    assert again["counts"] == {"complete": 1, "partial": 0, "failed": 1, "skipped": 0, "kept": 1}


def test_a_detached_run_outlives_its_terminal_and_is_followed_and_stopped(clinic: Human) -> None:
    words = ("--model", "ana/quick", "--model", "ana/endless", "--detach")
    terminal = Terminal(clinic, *RUN, *words)
    said = terminal.until_it_ends()
    assert terminal.process.returncode == 0, said
    run = clinic.run("runs", "ls", "--json").value[0]["run"]
    assert f"medperf-git runs stop {run}" in said
    terminal.close()
    soon(lambda: clinic.run("runs", "show", "--json").value["at_work"] == ["ana/endless@1 (infer)"])
    soon(printed(clinic, "endless", "for ever"))
    shown = clinic.run("runs", "show", "--json").value
    assert (shown["state"], shown["detached"], shown["waiting"]) == ("running", True, [])
    assert os.getsid(shown["process"]) == shown["process"]
    output = Path(shown["output"])
    assert output.stat().st_mode & 0o777 == 0o600
    os.kill(shown["process"], signal.SIGHUP)  # what a logout may send to all
    for refused in (clinic.run(*RUN, "--model", "ana/quick", "--detach", code=1), clinic.run(*RUN, code=1)):
        assert f"process {shown['process']} holds it" in refused.err
    following = subprocess.Popen(
        [sys.executable, "-m", "medperf_git", "runs", "logs", "--follow", run],
        env=clinic.environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "stopped: run" in clinic.run("runs", "stop", run[:6]).out
    followed, _ = following.communicate(timeout=90)
    assert "going on for ever" in followed
    assert "ana/quick@1: complete" in followed  # the command's own words
    assert containers_of(clinic) == []
    assert state(clinic) == "interrupted"
    shown = clinic.run("runs", "show", "--json").value
    assert "the run was stopped" in shown["error"]
    assert [(row["model"], row["outcome"]) for row in shown["models"] if row["model"] == "ana/quick@1"] == [
        ("ana/quick@1", "complete")
    ]
    assert "not under way" in clinic.run("runs", "stop").out


def test_what_ends_a_detached_run_at_once_is_told_at_once(clinic: Human) -> None:
    nowhere = {**clinic.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    refused = clinic.spawn(*RUN, "--detach", "--model", "ana/quick", env=nowhere)
    assert refused.returncode == 3
    assert "no container engine answers" in refused.stderr
    assert "no container engine answers" in next((clinic.home / "runs").glob("*/output.log")).read_text()


def test_a_killed_detached_run_says_so_and_is_cleaned_up_after(clinic: Human) -> None:
    started = clinic.run(*RUN, "--model", "ana/endless", "--detach", "--json").value
    soon(lambda: containers_of(clinic))
    os.kill(started["pid"], signal.SIGKILL)
    soon(lambda: state(clinic) != "running")
    assert "it was killed, or the machine went down" in clinic.run("runs", "show").out
    assert len(containers_of(clinic)) == 1
    clinic.run(*RUN, "--model", "ana/quick")
    assert containers_of(clinic) == []


class Terminal:
    """A program at a terminal of its own, which can be closed under it."""

    def __init__(self, human: Human, *words: str) -> None:
        self.master, slave = pty.openpty()
        self.said = ""

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, "-m", "medperf_git", *words],
            env={**human.environ, "TERM": "xterm", "COLUMNS": "200"},
            stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal,  # noqa: PLW1509  (no other thread runs)
        )  # fmt: skip
        os.close(slave)

    def read(self, seconds: float = 0.2) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            try:
                self.said += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:  # nobody is there any more
                return
            seconds = 0

    def until(self, true: Callable[[], Any]) -> None:
        def look() -> Any:
            self.read()
            return true()

        soon(look)

    def until_it_ends(self) -> str:
        self.until(lambda: self.process.poll() is not None)
        self.read()
        return self.said

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.master)


def test_a_closed_terminal_stops_a_run_in_order_and_it_goes_on_later(clinic: Human) -> None:
    terminal = Terminal(clinic, *RUN, "--model", "ana/endless", "--model", "ana/quick", "--max-parallel", "2")
    terminal.until(printed(clinic, "endless", "for ever"))
    terminal.until(lambda: "1 of 2 models done" in terminal.said)
    assert "ana/endless@1" in terminal.said
    terminal.close()
    assert terminal.process.wait(90) == 130
    assert containers_of(clinic) == []
    assert state(clinic) == "interrupted"
    assert "the run was stopped" in clinic.run("runs", "show", "--json").value["error"]
    done = clinic.run(*RUN, "--resume", "--timeout", "2s", "--json").value
    assert {row["model"]: row["outcome"] for row in done["models"]} == {
        "ana/endless@1": "failed: timeout",
        "ana/quick@1": "complete",
    }


def test_ctrl_c_says_what_it_does_and_a_bouncing_key_is_pressed_once(clinic: Human) -> None:
    terminal = Terminal(clinic, *RUN, "--model", "ana/endless", "--timeout", "60s")
    terminal.until(lambda: containers_of(clinic) and printed(clinic, "endless", "for ever")())
    time.sleep(0.3)
    os.write(terminal.master, b"\x03\x03")
    said = terminal.until_it_ends()
    assert terminal.process.returncode == 130
    assert "stopping: the containers at work are ended" in said
    assert "Traceback" not in said
    assert containers_of(clinic) == []
    terminal.close()


def test_a_page_for_the_models_owner_names_no_case(town: Town, clinic: Human, tmp_path: Path) -> None:
    clinic.run(*RUN, "--model", "ana/broken", code=4)
    log = max((clinic.home / "runs").glob("*/models/ana.broken.1/logs/*/infer.log"))
    log.write_text(
        f"reading /input/data/a.txt for P0001\ncannot open {clinic.home}/x\nborn 1950-02-03, number 123456789\n"
        "needs 2147483648 bytes\nTraceback: File /app/actor.py, line 12\n"
    )
    out = tmp_path / "page.md"
    done = clinic.run("runs", "report", "--model", "ana/broken", "--out", out, "--json").value
    page = out.read_text()
    assert out.stat().st_mode & 0o777 == 0o600
    for secret in ("a.txt", "P0001", str(clinic.home), "1950", "123456789", str(clinic.folder)):
        assert secret not in page, secret
    for told in ("failed: exit-code", "exit code | 7", "sandbox profile | strict", "2147483648 bytes", "/app/actor.py"):
        assert told in page, told
    assert "reading /input/data/‹name 1› for ‹name 2›" in page
    assert any("name of a file or case" in said for said in done["masked"])
    clinic.run("runs", "report", "--model", "ana/broken", "--out", out, code=1)  # no page is written over


def test_pruning_keeps_what_is_needed_and_says_what_it_frees(clinic: Human) -> None:
    assert "nothing says which runs may go" in clinic.run("runs", "prune", code=2).err
    clinic.run(*RUN, "--model", "ana/quick")  # here: results of a process with the machine's clock come from the future
    (folder,) = (path for path in (clinic.home / "runs").iterdir() if path.is_dir())
    kept = clinic.run("runs", "prune", "--keep", "0", "--yes")
    assert "not submitted yet" in kept.out
    assert "nothing was removed" in kept.out
    assert clinic.run("runs", "prune", "--older-than", "1d", "--yes", "--json").value["runs"] == []
    predictions = folder / "models" / "ana.quick.1" / "predictions"
    assert predictions.is_dir()
    freed = clinic.run("runs", "prune", folder.name, "--predictions", "--yes", "--json").value
    assert freed["freed_bytes"] >= 12 * 4096
    assert not predictions.exists()
    assert clinic.run("runs", "show", "--json").value["state"] == "finished"  # its outcomes are still there
    assert folder.is_dir()
    clinic.run("review", folder.name)
    clinic.run("result", "submit", folder.name, "--yes")
    rehearsed = clinic.run("runs", "prune", folder.name, "--dry-run", "--json").value
    assert (rehearsed["runs"][0]["stays"], rehearsed["freed_bytes"]) == ("", 0)
    clinic.run("runs", "prune", folder.name, "--yes")
    assert list((clinic.home / "runs").iterdir()) == []
