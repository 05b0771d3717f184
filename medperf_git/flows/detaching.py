"""A run that goes on after its terminal is closed: a process of its own session, without input, its words in a file.

It is the same command, started anew; what it says, and its errors, end in the run's folder. The command that starts it
waits until it holds the run, so that what would end it at once is told here and now.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.errors import EnvironmentProblem, MedperfGitError
from medperf_git.flows.context import Context
from medperf_git.flows.run_rows import run_store
from medperf_git.flows.running import DETACHED
from medperf_git.runner.durable import keeping
from medperf_git.runner.staging import private_folder
from medperf_git.runner.store import RunFolder

_LOOK_SECONDS = 0.1
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Detached:
    """A run that works by itself; `holds` tells whether it has taken the run already, `ended` whether it is done."""

    run_id: str
    pid: int
    output: Path
    holds: bool
    ended: bool = False

    def lines(self) -> Iterator[str]:
        """Say where it is and how to follow it."""
        if self.ended:
            yield f"run {self.run_id} has ended already"
            yield f"look:    medperf-git runs show {self.run_id}"
            yield f"then:    medperf-git review {self.run_id}"
            return
        yield f"run {self.run_id} goes on by itself (process {self.pid}); you may log out"
        if not self.holds:
            yield "it is still getting ready"
        yield f"watch:   medperf-git runs logs --follow {self.run_id}"
        yield f"look:    medperf-git runs show {self.run_id}"
        yield f"stop:    medperf-git runs stop {self.run_id}"
        yield f"then:    medperf-git review {self.run_id}"
        yield f"what it says is kept in {self.output}"

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"run": self.run_id, "pid": self.pid, "output": str(self.output), "holds": self.holds} | {
            "ended": self.ended
        }


def detach(context: Context, run_id: str, words: Sequence[str], *, patience: float = _PATIENCE) -> Detached:
    """Start `medperf-git` with these words on a run, away from the terminal, and wait until it holds the run.

    Refused while the run is under way; what ends the process at once is raised as its own kind of problem.
    """
    run = run_store(context.home).run(run_id)
    run.refuse_running()
    with keeping(run.path):
        private_folder(run.path)
        if run.output.exists():
            run.output.replace(run.output.with_suffix(".log.1"))
        process = _started(words, run.output, context.environ, home=context.home)
    until = time.monotonic() + patience
    while process.poll() is None and time.monotonic() < until:
        if run.holder() == process.pid:
            break
        time.sleep(_LOOK_SECONDS)
    code = process.poll()
    if code:
        raise _ended_at_once(run, code)
    if code is None:
        process.returncode = 0  # it is left to itself: nobody here waits for it
    holds = code is None and run.holder() == process.pid
    return Detached(run_id, process.pid, run.output, holds=holds, ended=code == 0)


def _started(
    words: Sequence[str], output: Path, environ: Mapping[str, str], *, home: Path
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-P", "-m", "medperf_git", *words]
    handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with _hang_up_ignored():
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                env={**environ, DETACHED: "1", "MEDPERF_GIT_HOME": str(home)},
                start_new_session=True,
            )
    finally:
        os.close(handle)


@contextmanager
def _hang_up_ignored() -> Iterator[None]:
    """Ignore SIGHUP, which a process that is started meanwhile takes over, as under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _ended_at_once(run: RunFolder, code: int) -> MedperfGitError:
    said = run.output.read_text(encoding="utf-8", errors="replace").splitlines()
    error = next((line.removeprefix("error: ") for line in said if line.startswith("error: ")), "it ended at once")
    hint = next((line.removeprefix("do now: ") for line in said if line.startswith("do now: ")), "")
    problem = EnvironmentProblem(error, hint=hint or f"what it said is in {run.output}")
    problem.exit_code = code if code > 0 else EnvironmentProblem.exit_code
    return problem
