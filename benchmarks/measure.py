"""Measure commands: seconds by the wall, seconds of the processor, peak memory; medians of interleaved rounds.

    table = Table("one result", rounds=5)
    table.add("medperf-git", ["medperf-git", "check", …])
    table.add("peer", ["check-jsonschema", …])
    figures = table.run()

The machine is shared and noisy: only what ran in the same rounds is compared, and processor time before wall time.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]

_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024

# A small process in between starts each command: the peak of a child counts from the size of who started it.
_LAUNCHER = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE)
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode != int(sys.argv[1]):
    sys.exit(f"{sys.argv[2:]} ended with {done.returncode}")
sys.stdout.buffer.write(done.stdout + b"\\0%f %f %d" % (wall, used.ru_utime + used.ru_stime, used.ru_maxrss))
"""


@dataclass(frozen=True)
class Run:
    """What one run of a command took, and what it said: seconds, seconds, peak bytes of its largest process."""

    wall: float
    cpu: float
    peak: int
    output: str = ""


@dataclass
class Table:
    """Commands that are compared with each other."""

    title: str
    rounds: int
    rows: dict[str, Callable[[], Run]] = field(default_factory=dict)
    taken: dict[str, list[Run]] = field(default_factory=dict)

    def add(
        self, name: str, command: Sequence[str], *, environ: Mapping[str, str] | None = None, code: int = 0
    ) -> None:
        """Add a command, which must end with `code`."""
        self.rows[name] = lambda: timed(command, environ=environ, code=code)

    def run(self) -> dict[str, Run]:
        """Run all once to warm up (not for a single round), then in rounds; print and return the medians."""
        for one in self.rows.values() if self.rounds > 1 else ():
            one()
        self.taken = {name: [] for name in self.rows}
        for _ in range(self.rounds):
            for name, one in self.rows.items():
                self.taken[name].append(one())
        medians = {name: _median(runs) for name, runs in self.taken.items()}
        self._print(medians)
        return medians

    def ratios(self, name: str, peer: str) -> tuple[float, float]:
        """Return how many times the wall time of a peer a row took: the median over the rounds, and by the fastest."""
        walls = [[run.wall for run in self.taken[one]] for one in (name, peer)]
        return median(own / other for own, other in zip(*walls, strict=True)), min(walls[0]) / min(walls[1])

    def _print(self, medians: Mapping[str, Run]) -> None:
        wide = max(map(len, medians))
        print(f"\n{self.title} ({self.rounds} round{'s: medians' if self.rounds > 1 else ''})")
        print(f"{'':{wide}}  {'wall s':>9} {'CPU s':>9} {'peak MiB':>9}")
        for name, one in medians.items():
            peak = f"{one.peak / 2**20:9.0f}" if one.peak else ""
            print(f"{name:{wide}}  {one.wall:9.4f} {one.cpu:9.4f} {peak}".rstrip(), flush=True)


def timed(command: Sequence[str], *, environ: Mapping[str, str] | None = None, code: int = 0) -> Run:
    """Run a command and return what it took; SystemExit when it ends otherwise than with `code`."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(code), *map(str, command)],
        stdout=subprocess.PIPE,
        env=None if environ is None else dict(environ),
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"cannot measure {' '.join(map(str, command))}")
    output, _, figures = done.stdout.rpartition(b"\0")
    wall, cpu, peak = map(float, figures.split())
    return Run(wall, cpu, int(peak) * _PEAK_UNIT, output.decode())


def inside(work: Callable[[], object]) -> Run:
    """Return what a call in this process took; it has no peak of its own, and pays for nobody's garbage."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Run(time.perf_counter() - wall, time.process_time() - cpu, 0)


def ours(*arguments: str) -> list[str]:
    """Return the command line of this checkout's medperf-git."""
    return [sys.executable, "-P", "-m", "medperf_git", *arguments]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of our own commands, with a home folder of their own."""
    return dict(os.environ) | {"MEDPERF_GIT_HOME": str(home), "PYTHONPATH": str(ROOT)}


def cache_folder() -> Path:
    """Return where generated registries and installed peers are kept between runs, outside the tree."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medperf-git-bench"
    folder = Path(os.environ.get("MEDPERF_GIT_BENCH") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def options(description: str | None, *, sizes: Sequence[int], rounds: int = 5) -> argparse.Namespace:
    """Read `--sizes`, `--rounds` and `--no-peers`; MEDPERF_GIT_BENCH_SIZES replaces the default sizes of all tables."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = os.environ.get("MEDPERF_GIT_BENCH_SIZES", "").split()
    parser.add_argument("--sizes", type=int, nargs="+", default=[int(size) for size in named] or list(sizes))
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="install and run nothing else")
    return parser.parse_args()


def _median(runs: Sequence[Run]) -> Run:
    return Run(
        median(run.wall for run in runs),
        median(run.cpu for run in runs),
        int(median(run.peak for run in runs)),
        runs[-1].output,
    )
