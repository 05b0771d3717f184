"""A build that is killed leaves no process behind that would write on into what the next one makes."""

import subprocess
import sys
import time
from pathlib import Path

from tests.support.golden_site import ROOT

PROGRAM = """
import functools, sys, time
from pathlib import Path
from medperf_git.leaderboard import workers
from medperf_git.leaderboard.build import build_folder
from tests.support import leaderboard_registry as lr
from tests.unit.leaderboard.test_incremental import Repository, about, open_view

if __name__ == "__main__":
    here = Path(sys.argv[1])
    workers._WORTH_IT = workers._SHARE = 1
    repository = Repository(here / "registry.git", lr.wide(1, 3))
    workers._Hand.do = lambda *_: time.sleep(60)  # here; the other process does its part
    opening = functools.partial(open_view, here / "registry.git", repository.head)
    build_folder(repository.view(), here / "site", open_view=opening, **about(repository.head))
"""


def test_a_build_that_was_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(tmp_path)]
    building = subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    try:
        children = waited_for(lambda: others_of(building.pid))
        waited_for(lambda: any((tmp_path / "site" / "results").glob("*/*/*/*/*")))
    finally:
        building.kill()
        building.wait()
    assert children
    waited_for(lambda: not any(Path("/proc", str(child)).exists() for child in children))


def others_of(parent: int) -> list[int]:
    """List the processes that write pages for another."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in listed if b"spawn_main" in Path("/proc", one, "cmdline").read_bytes()]


def waited_for(found, seconds: float = 30):  # type: ignore[no-untyped-def]  # whatever `found` gives
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value
