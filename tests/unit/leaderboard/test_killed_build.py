"""A build that is killed leaves no process behind that would write on into what the next one makes."""

import subprocess
import sys
import time
from pathlib import Path

from tests.support.golden_site import ROOT

PROGRAM = """
import contextlib, functools, os, sys, time
from pathlib import Path
from medperf_git.leaderboard import workers
from medperf_git.leaderboard.build import build_folder
from tests.support import leaderboard_registry as lr
from tests.unit.leaderboard.test_incremental import Repository, about, open_view

do = workers._Hand.do

def sleep(hand, share):
    time.sleep(60)

def kill_the_other(hand, share):
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may be gone since
            if b"spawn_main" in Path("/proc", child, "cmdline").read_bytes():
                os.kill(int(child), 9)
    return do(hand, share)

if __name__ == "__main__":
    here = Path(sys.argv[1])
    workers._WORTH_IT = workers._SHARE = 1
    repository = Repository(here / "registry.git", lr.wide(1, 12))
    workers._Hand.do = HERE  # the other process does its part
    opening = functools.partial(open_view, here / "registry.git", repository.head)
    build_folder(repository.view(), here / "site", open_view=opening, **about(repository.head))
"""


ENVIRONMENT = {"PYTHONPATH": str(ROOT)}


def test_a_build_that_was_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    building = subprocess.Popen(command(tmp_path, "sleep"), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        children = waited_for(lambda: others_of(building.pid))
        waited_for(lambda: any((tmp_path / "site" / "results").glob("*/*/*/*/*")))
    finally:
        building.kill()
        building.wait()
    assert children
    waited_for(lambda: not any(Path("/proc", str(child)).exists() for child in children))


def test_a_process_that_was_killed_ends_the_build_with_its_one_problem(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "kill_the_other"), env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.count("Traceback") == 2  # the broken pool, and the problem that was raised from it; no thread's
    assert done.stderr.splitlines()[-1].endswith("EnvironmentProblem: a process that wrote pages was killed")
    assert "Exception in thread" not in done.stderr


def command(folder: Path, here: str) -> list[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM.replace("HERE", here))
    return [sys.executable, str(program), str(folder)]


def others_of(parent: int) -> list[int]:
    """List the processes that write pages for another."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in listed if b"spawn_main" in command_of(one)]


def command_of(process: str) -> bytes:
    try:
        return Path("/proc", process, "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def waited_for(found, seconds: float = 30):  # type: ignore[no-untyped-def]  # whatever `found` gives
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value
