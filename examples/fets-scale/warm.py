"""Run a command of medperf-git in a fresh process that has the program loaded already: a third of a second less each.

A server process imports the commands once; for each command it forks, and the child is a process of its own with its
own environment, folder, output and memory. What the command does is the same.
"""

import contextlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "process_engine",
        *(f"medperf_git.cli.commands.{name}" for name in ("admit", "compare", "cube", "dataset", "run", "sign")),
        *(f"medperf_git.flows.{name}" for name in ("comparisons", "cubes", "datasets", "people", "results", "running")),
    ]
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its code, all it said, seconds of processor time, and peak memory in MiB.

    Both count the programs that it started, such as the judge of the registry and containers that are processes; of
    memory the largest process is told.
    """

    code: int
    said: str
    cpu: float = 0.0
    peak_mib: float = 0.0


def spawn(words: list[str], environment: dict[str, str], cwd: Path) -> Ended:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        log, used = Path(folder, "log"), Path(folder, "used")
        process = _SERVER.Process(target=_command, args=(words, environment, cwd, log, used))
        process.start()
        process.join()
        # The code is read from the file: that of the object is not sure where several threads wait for processes.
        code, cpu, peak = json.loads(used.read_text()) if used.exists() else (-1, 0.0, 0.0)
        return Ended(code, log.read_text(errors="replace") if log.exists() else "", cpu, peak)


def _command(words: list[str], environment: dict[str, str], cwd: Path, log: Path, used: Path) -> None:
    """Be the process of one command."""
    import process_engine  # noqa: F401, PLC0415  (adds its engine)

    from medperf_git.cli import boundary  # noqa: PLC0415  (loaded by the server already)

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    output = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv[:] = ["medperf-git", *words]
    code = boundary.main(words)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(one.ru_utime + one.ru_stime for one in (own, others))
    used.write_text(json.dumps([code, cpu, max(own.ru_maxrss, others.ru_maxrss) / 1024]))
