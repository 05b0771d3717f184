"""A home folder on a disk of a few MiB: it says so, tears nothing, and goes on once the disk is larger."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.faults import oracle
from tests.faults.clients import PREPARE
from tests.faults.sweep import COMMANDS, FRESH
from tests.faults.tally import Tally
from tests.faults.world import Ended, World

SIZES = (1, 2, 4, 8, 16, 32, 64)
LARGE = 512
RAW_MIB = 12
SAYS = ("disk", "room", "space", "No space")


def small_disks(world: World, *, sizes: Sequence[int] = SIZES) -> Tally:
    """Let the clinic work on disks of each size; `sizes` in MiB."""
    tally, began = Tally("disks"), time.monotonic()
    raw = world.root / "large"
    for role in ("data", "labels"):
        (raw / role).mkdir(parents=True)
    for number in range(RAW_MIB):
        (raw / "data" / f"{number}.txt").write_bytes(bytes([65 + number]) * (1 << 20))
        (raw / "labels" / f"{number}.txt").write_text(f"label {number}\n")
    commands = (
        ("sync",),
        (*PREPARE, "--data", str(raw / "data"), "--labels", str(raw / "labels"), *FRESH),
        COMMANDS["run"].words(world),
    )  # fmt: skip
    expected: list[object] | None = None
    for size in (LARGE, *sizes):
        world.back_to("moved")
        with on_disk(world, size):
            first = [world.run(words) for words in commands]
            faults = list(_faults_of(first))
            _resize(world, LARGE)
            oracle.age_strays(world)
            second = [world.run(words) for words in commands]
            faults += [f"it does not go on with more room: {ended}" for ended in second if ended.code]
            faults += oracle.faults_of_files(world, frozenset())
            faults += oracle.faults_at_engine(*first, *second)
            found = [oracle.state_of_run(world), oracle.state_of_datasets(world), oracle.state_of_pin(world)]
            if expected is None:
                expected = found
            elif found != expected:
                faults.append(f"it came to something else: expected {str(expected)[:900]}, got {str(found)[:900]}")
        if size != LARGE:
            tally.note(f"{size} MiB", faults, fault="disks")
    tally.seconds = time.monotonic() - began
    return tally


def _faults_of(ended: Sequence[Ended]) -> Iterator[str]:
    for one in ended:
        yield from (f"{said}: {one}" for said in oracle.faults_of_ending(one))
        if one.code and not any(word in one.err + one.out for word in SAYS):
            yield f"it does not say that the disk is full: {one}"


@contextmanager
def on_disk(world: World, size: int) -> Iterator[None]:
    """Put the clinic's home folder on a disk of so many MiB."""
    aside = world.home.with_name("aside")
    world.home.rename(aside)
    world.home.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=700", "tmpfs", world.home], check=True)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", world.home], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", world.home], check=True)


def _resize(world: World, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}m", world.home], check=True)
