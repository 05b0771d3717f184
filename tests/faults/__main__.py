"""Let faults happen on purpose, and see that no promise breaks.

python -m tests.faults                             # everything: about 40 minutes on two processors
python -m tests.faults --only run submit           # some of it
python -m tests.faults --only run --sample 20      # that many points of each command
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.faults.clients import CROWDS, crowd
from tests.faults.disks import SIZES, small_disks
from tests.faults.dying_engine import MOMENTS, kill_engine
from tests.faults.engine import build_images, watched_starts
from tests.faults.kills import kill_often
from tests.faults.sweep import COMMANDS, INF, sweep
from tests.faults.tally import Tally
from tests.faults.world import build

JOBS = 2
KILLS = 200


def main() -> int:
    """Run the scenarios; 1 when a promise broke."""
    options = _options()
    root = Path(tempfile.mkdtemp(prefix="faults-", dir=options.folder))
    build_images()
    tallies: list[Tally] = []
    chosen = options.only or list(SCENARIOS)
    for name in chosen:
        jobs = range(options.jobs if name in SHARED else 1)
        with ProcessPoolExecutor(len(jobs)) as pool:
            parts = [pool.submit(SCENARIOS[name], root / f"{name}{job}", options, job) for job in jobs]
            tally, *others = [part.result() for part in parts]
        for other in others:
            tally.add(other)
        print(tally.line(), flush=True)
        tallies.append(tally)
    if options.report:
        options.report.write_text(json.dumps([asdict(tally) for tally in tallies], indent=1) + "\n")
    shutil.rmtree(root, ignore_errors=True)
    broken = [said for tally in tallies for said in tally.broken]
    print(f"{sum(tally.points for tally in tallies)} points, {len(broken)} broken promises", flush=True)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=SCENARIOS, metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--points", type=int, default=550, help="system calls in all commands together (550)")
    parser.add_argument("--sample", type=int, help="of each command, or repetitions of each other scenario, instead")
    parser.add_argument("--every", action="store_true", help="every system call that writes: many hours")
    parser.add_argument("--minutes", type=float, default=INF, help="begin nothing more in a scenario after these")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"worlds side by side ({JOBS})")
    parser.add_argument("--folder", type=Path, default=_quick_folder(), help="where the worlds lie (memory, else /tmp)")
    parser.add_argument("--report", type=Path, help="where to write the figures as JSON")
    return parser.parse_args()


def _quick_folder() -> Path:
    """Return a folder where thousands of syncs cost nothing; which disk lies below matters to no promise."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else Path("/tmp")


def _sweep(name: str, root: Path, options: argparse.Namespace, job: int) -> Tally:
    most = None if options.every else options.sample or options.points // len(COMMANDS)
    world = build(root, images=False)
    with watched_starts() as starts:
        return sweep(
            world, COMMANDS[name], starts, most=most, part=slice(job, None, options.jobs), minutes=options.minutes
        )


def _kills(root: Path, options: argparse.Namespace, job: int) -> Tally:
    times = (options.sample or KILLS) // options.jobs
    with watched_starts() as starts:
        return kill_often(build(root, images=False), starts, times=times, seed=job, minutes=options.minutes)


def _clients(root: Path, options: argparse.Namespace, _job: int) -> Tally:
    with watched_starts() as starts:
        return crowd(build(root, images=False), starts, sizes=CROWDS[: options.sample])


def _disks(root: Path, options: argparse.Namespace, _job: int) -> Tally:
    return small_disks(build(root, images=False), sizes=SIZES[: options.sample])


def _engine(root: Path, options: argparse.Namespace, _job: int) -> Tally:
    return kill_engine(build(root, images=False), moments=options.sample or MOMENTS)


Scenario = Callable[[Path, argparse.Namespace, int], Tally]
SCENARIOS: dict[str, Scenario] = {
    **{name: partial(_sweep, name) for name in COMMANDS},
    "kills": _kills,
    "engine": _engine,
    "disks": _disks,
    "clients": _clients,
}
SHARED = (*COMMANDS, "kills")  # among workers side by side; the others are one


if __name__ == "__main__":
    sys.exit(main())
