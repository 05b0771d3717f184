"""Kill the client of a full run at random, and again, until it is finished: each step is done once."""

import random
import time
from collections.abc import Iterator

from tests.faults import oracle
from tests.faults.engine import Starts
from tests.faults.oracle import Marks
from tests.faults.tally import Tally
from tests.faults.world import BENCHMARK, Ended, World

WORDS = ("run", BENCHMARK, "--dataset", "cohort", "--max-parallel", "2")
ATTEMPTS = 40  # of one run, before it is said that it never ends
NOTHING = Marks(frozenset(), frozenset())


def kill_often(world: World, starts: Starts, *, times: int, seed: int, minutes: float) -> Tally:
    """Kill so many clients, in as many runs as that takes, or until it has taken so many minutes."""
    tally, chance, began = Tally("kills"), random.Random(seed), time.monotonic()
    world.back_to("ready")
    at = time.monotonic()
    assert world.run(WORDS).code == 0
    seconds, expected, strays = time.monotonic() - at, oracle.state_of_run(world), oracle.strays(world)
    while tally.points < times and time.monotonic() - began < 60 * minutes:
        world.back_to("ready")
        starts.seen.clear()  # process numbers come back
        clients = _one_run(world, starts, tally, chance, seconds, times)
        faults = [*_faults_at_end(world, clients, expected), *oracle.faults_of_files(world, strays)]
        tally.broken += [f"kills after run {tally.points}: {said}" for said in faults]
        print(*(f"BROKEN kills, at the end of a run: {said}" for said in faults), sep="\n", end="", flush=True)
    tally.seconds = time.monotonic() - began
    return tally


def _one_run(
    world: World, starts: Starts, tally: Tally, chance: random.Random, seconds: float, times: int
) -> list[Ended]:
    """Start a run again and again, and kill it as often as the chance wants; return its clients."""
    clients: list[Ended] = []
    marks = NOTHING
    for _ in range(ATTEMPTS):
        patience = chance.uniform(0.2, 1.3 * seconds) if tally.points < times else None
        ended = world.run_until(WORDS, patience)
        clients.append(ended)
        again = set(starts.of(ended.pid)) & marks.infer
        faults = [f"finished inference was done again: {sorted(again)}"] if again else []
        if starts.of(ended.pid, patience=0).count("score") > 3 - len(marks.evaluate):
            faults.append(f"finished evaluation was done again after {sorted(marks.evaluate)}")
        faults += oracle.faults_of_ending(ended)
        if ended.code == 0:
            tally.broken += faults
            return clients
        tally.note(f"after {patience or 0:.2f} s", faults, fault="SIGKILL")
        marks = oracle.marks_of(world)
        oracle.age_strays(world)
    tally.broken.append(f"the run never ended: {clients[-1]}")
    return clients


def _faults_at_end(world: World, clients: list[Ended], expected: object) -> Iterator[str]:
    yield from oracle.faults_at_engine(*clients)
    if (found := oracle.state_of_run(world)) != expected:
        yield f"the run came to something else: expected {str(expected)[:600]}, got {str(found)[:600]}"
    if attempts := {attempt for attempt in oracle.attempts(world) if attempt != 1}:
        yield f"attempts were counted that only kills ended: {attempts}"
