"""Many clients at once in one home folder: one works, the others are told or wait, nothing is done or sent twice."""

import time
from collections.abc import Iterator, Sequence

from tests.faults import oracle
from tests.faults.engine import Starts
from tests.faults.sweep import COMMANDS, FRESH
from tests.faults.tally import Tally
from tests.faults.world import BENCHMARK, Ended, World, ended_of

CROWDS = (2, 4, 16)
RUN = ("run", BENCHMARK, "--dataset", "cohort")
PREPARE = ("dataset", "prepare", "--benchmark", BENCHMARK)
SUBMIT = ("result", "submit", "--yes")
TOLD = "another process"


def crowd(world: World, starts: Starts, *, sizes: Sequence[int] = CROWDS) -> Tally:
    """Start crowds of each size on each command, and on all of them together."""
    tally, began = Tally("clients"), time.monotonic()
    for name, command in COMMANDS.items():
        world.back_to(command.moment)
        assert world.run(command.words(world)).code == 0
        expected = [state(world) for state in command.states]
        for size in sizes:
            world.back_to(command.moment)
            ended = together(world, [command.words(world)] * size)
            faults = [*_faults_of_all(world, ended), *_faults_of_work(starts, ended, name)]
            for state, value in zip(command.states, expected, strict=True):
                if name != "prepare" and (found := state(world)) != value:
                    faults.append(f"{state.__name__}: expected {str(value)[:400]}, got {str(found)[:400]}")
            tally.note(f"{size} × {name}", faults, fault="crowds")
    for size in sizes:
        world.back_to("ran")
        words = [(*PREPARE, *world.raw, *FRESH), SUBMIT, ("sync",), (*RUN, "--model", "ana/one")]
        ended = together(world, [words[number % len(words)] for number in range(size)])
        tally.note(f"{size} of all kinds", list(_faults_of_all(world, ended)), fault="crowds")
    tally.seconds = time.monotonic() - began
    return tally


def together(world: World, commands: Sequence[Sequence[str]]) -> list[Ended]:
    """Start commands at the same moment and return how each ended."""
    started = [world.start(words, log=world.root / f"trace-{number}")[0] for number, words in enumerate(commands)]
    return [ended_of(process) for process in started]


def _faults_of_all(world: World, ended: Sequence[Ended]) -> Iterator[str]:
    for one in ended:
        yield from (f"{said}: {one}" for said in oracle.faults_of_ending(one))
    if not any(one.code == 0 for one in ended):
        yield f"nobody got on with it: {ended[0]}"
    yield from oracle.faults_at_engine(*ended)
    yield from oracle.faults_of_files(world, frozenset())


def _faults_of_work(starts: Starts, ended: Sequence[Ended], name: str) -> Iterator[str]:
    """Say what was done more than once by all of them together, and who was neither served nor told."""
    if name == "run":
        done = [what for one in ended for what in starts.of(one.pid)]
        if sorted(done) != ["base", "one", "score", "score", "score", "two"]:
            yield f"together they started {sorted(done)}"
    if name in ("run", "prepare"):
        for one in ended:
            if one.code and TOLD not in one.err:
                yield f"one was neither served nor told that another works: {one}"
    elif unserved := [one for one in ended if one.code]:
        yield f"{len(unserved)} of {len(ended)} were not served: {unserved[0]}"
