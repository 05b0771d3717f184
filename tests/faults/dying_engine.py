"""Kill the engine itself, a private one, in the middle of a run: nothing finished is lost, nothing is left."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults import oracle
from tests.faults.engine import IMAGES, ROOT, image, watched_starts
from tests.faults.sweep import COMMANDS
from tests.faults.tally import Tally
from tests.faults.world import World, ended_of

MOMENTS = 10


def kill_engine(world: World, *, moments: int = MOMENTS) -> Tally:
    """Kill a private engine at so many moments of a run, start it again, and let the run go on."""
    tally, began, command = Tally("engine"), time.monotonic(), COMMANDS["run"]
    with private_engine() as engine:
        world = replace(world, host=engine.host)
        world.back_to("ready")
        assert (first := world.run(command.words(world))).code == 0, first
        shutil.copytree(world.home / "cache", world.kept_home("ready") / "cache", dirs_exist_ok=True)  # the probe
        world.back_to("ready")
        at = time.monotonic()
        assert world.run(command.words(world)).code == 0
        seconds, expected, strays = time.monotonic() - at, oracle.state_of_run(world), oracle.strays(world)
        for number in range(moments):
            world.back_to("ready")
            when = seconds * (number + 0.5) / moments
            faults = _one(world, engine, when, expected, strays)
            tally.note(f"killed after {when:.2f} s", faults, fault="engine killed")
    tally.seconds = time.monotonic() - began
    return tally


def _one(world: World, engine: "PrivateEngine", when: float, expected: object, strays: frozenset[str]) -> list[str]:
    words = COMMANDS["run"].words(world)
    with watched_starts(engine.host) as starts:
        process, _ = world.start(words)
        time.sleep(when)
        engine.kill()
        first = ended_of(process)
    faults = list(oracle.faults_of_ending(first))
    if first.code not in (0, 3):
        faults.append(f"an engine that is gone is exit code 3: {first}")
    marks = oracle.marks_of(world)
    engine.start()
    oracle.age_strays(world)
    with watched_starts(engine.host) as again:
        second = world.run(words)
        faults += oracle.faults_of_ending(second)
        faults += oracle.faults_of_repeating(starts.of(first.pid), again.of(second.pid), marks)
    if second.code:
        faults.append(f"it does not go on with a new engine: {second}")
    faults += oracle.faults_at_engine(first, second, host=engine.host)
    if (found := oracle.state_of_run(world)) != expected:
        faults.append(f"the run came to something else: expected {str(expected)[:600]}, got {str(found)[:600]}")
    return [*faults, *oracle.faults_of_files(world, strays)]


class PrivateEngine:
    """A daemon of our own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = f"unix://{folder}/d.sock"

    def start(self) -> None:
        """Start it, also after a kill."""
        subprocess.run([ROOT / "tests" / "support" / "private_dockerd.sh", self.folder], check=True)

    def kill(self) -> None:
        """Kill the daemon and its containerd, as a machine that runs out of memory does; containers may go on."""
        for pid_file in (self.folder / "pid", self.folder / "exec" / "containerd" / "containerd.pid"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(pid_file.read_text())
                os.kill(pid, signal.SIGKILL)
                _await_end(pid)
            pid_file.unlink(missing_ok=True)

    def end(self) -> None:
        """Kill it and all it started, and take away its mounts."""
        self.kill()
        for pid in _processes_of(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
            if (place := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", place], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def private_engine() -> Iterator[PrivateEngine]:
    """Start an engine that has our images."""
    engine = PrivateEngine(Path("/tmp", f"mg-faults-engine-{os.getpid()}"))
    engine.start()
    try:
        names = [image(name) for name in IMAGES]
        with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as save:
            command = ["docker", "--host", engine.host, "load", "-q"]
            subprocess.run(command, stdin=save.stdout, check=True, capture_output=True)
        yield engine
    finally:
        engine.end()


def _processes_of(folder: Path) -> list[int]:
    """Return the shims of containers that outlive an engine, and their children."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    shims = {pid for pid in parents if _is_about(pid, folder)} - {os.getpid()}
    return [pid for pid, parent in parents.items() if parent in shims] + sorted(shims)


def _is_about(pid: int, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return str(folder).encode() in Path("/proc", str(pid), "cmdline").read_bytes()
    return False


def _await_end(pid: int) -> None:
    for _ in range(100):
        stat = Path("/proc", str(pid), "stat")
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return
