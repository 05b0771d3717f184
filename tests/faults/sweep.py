"""One command at a time, one fault at a time: at each system call that writes, then the same command once more."""

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.faults import oracle
from tests.faults.calls import FAULTS, Point, evenly, points_of, writing_calls
from tests.faults.engine import Starts
from tests.faults.tally import Tally
from tests.faults.world import BENCHMARK, Ended, World

INF = float("inf")
SUBMITTING = ("submit", "register")
FRESH = ("--name", "fresh", "--title", "Fresh")


@dataclass(frozen=True, slots=True)
class Command:
    """A command under test: from which moment, its words, who of it writes, what it comes to."""

    name: str
    moment: str
    words: Callable[[World], Sequence[str]]
    who: tuple[str, ...]
    states: tuple[Callable[[World], Any], ...]


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "submit", "ran", lambda _: ("result", "submit", "--yes"), ("main", "git"),
            (oracle.state_of_registry, oracle.state_of_run),
        ),
        Command(
            "register",
            "fresh",
            lambda _: ("dataset", "submit", "fresh", "--request", BENCHMARK, "--no-trial", "--yes"),
            ("main", "git"),
            (oracle.state_of_registry,),
        ),
        Command("sync", "moved", lambda _: ("sync",), ("main", "git"), (oracle.state_of_pin,)),
        Command(
            "run", "ready", lambda _: ("run", BENCHMARK, "--dataset", "cohort"), ("main", "model", "_write_log", "git"),
            (oracle.state_of_run, oracle.state_of_datasets),
        ),
        Command(
            "prepare", "ready",
            lambda world: ("dataset", "prepare", "--benchmark", BENCHMARK, *world.raw, *FRESH),
            ("main", "_write_log", "git"), (oracle.state_of_datasets,),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What a command comes to without a fault, and what it may leave."""

    states: list[Any]
    strays: frozenset[str]
    repeat: int


def undisturbed(world: World, command: Command) -> Undisturbed:
    """Run a command as it should go, and once more."""
    world.back_to(command.moment)
    first = world.run(command.words(world))
    assert first.code == 0, f"{command.name} does not even work without a fault\n{first}"
    if command.name in SUBMITTING:
        world.run(("submit",))
    strays, states = oracle.strays(world), [state(world) for state in command.states]
    return Undisturbed(states, strays, world.run(command.words(world)).code)


def points(world: World, command: Command, *, most: int | None, faults: Sequence[str] = FAULTS) -> list[Point]:
    """Count the calls of everybody in a command that writes, and return the points, `most` of them."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for who in command.who:
        world.back_to(command.moment)
        log = world.root / "count"
        ended = world.run(command.words(world), who=who, log=log)
        assert ended.code == 0, ended
        logs = [log] if not who.startswith("git") else sorted(log.parent.glob("count.[0-9]*"))
        for one in logs:
            name = who + (one.suffix.removeprefix(".") if who == "git" else "")
            calls = list(dict.fromkeys(writing_calls(one)))
            for fault in faults:
                for point in points_of(name, calls, fault):
                    found.setdefault((name, point.call, fault), []).append(point)
    everything = [point for group in found.values() for point in group]
    if most is None or most >= len(everything):
        return everything
    # The square root: hundreds of files are removed one like the other, while the few renames decide everything.
    weights = {key: math.sqrt(len(group)) for key, group in found.items()}
    share = most / sum(weights.values())
    chosen = [point for key, group in found.items() for point in evenly(group, max(1, round(weights[key] * share)))]
    return evenly(chosen, most)


def strike(world: World, command: Command, point: Point, known: Undisturbed, starts: Starts) -> Iterator[str]:
    """Let one fault happen, repeat the command, and say what does not hold; nothing when the fault did not come."""
    world.back_to(command.moment)
    starts.seen.clear()  # process numbers come back
    first = world.run(command.words(world), point)
    if not first.struck and first.code != -9:
        yield MISSED
        return
    yield from (f"{said}\n{first}" for said in oracle.faults_of_ending(first))
    marks = oracle.marks_of(world)
    oracle.age_strays(world)
    second = world.run(command.words(world))
    if second.code not in (0, known.repeat if first.code in (0, -9) else 0):
        yield f"the command does not go on afterwards: {second}"
    yield from (f"afterwards {said}" for said in oracle.faults_of_ending(second))
    yield from oracle.faults_at_engine(first, second)
    if command.name in SUBMITTING:  # what stands, and was not tidied, is by the command for unfinished ones
        second = replace(second, err=second.err + world.run(("submit",)).err)
    if command.name in ("run", "prepare"):
        yield from oracle.faults_of_repeating(starts.of(first.pid), starts.of(second.pid, patience=0), marks)
    yield from _faults_of_states(world, command, known, first, second)
    yield from oracle.faults_of_files(world, known.strays)


def _faults_of_states(world: World, command: Command, known: Undisturbed, first: Ended, second: Ended) -> Iterator[str]:
    for state, expected in zip(command.states, known.states, strict=True):
        found = state(world)
        if state is oracle.state_of_registry and "by hand" in first.err + second.err:
            found[oracle.BRANCHES] = expected[oracle.BRANCHES]  # one that stands is left, and the person was told
        if found != expected:
            yield f"{state.__name__} differs: {_difference(expected, found)}\nfirst {first}\nsecond {second}"


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        expected, found = sorted(expected.items()), sorted(found.items())
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        for one, other in itertools.zip_longest(expected, found):
            if one != other:
                return _difference(one, other)
    return f"expected {str(expected)[:600]}, got {str(found)[:600]}"


MISSED = "missed"


def sweep(
    world: World, command: Command, starts: Starts, *, most: int | None, part: slice = slice(None), minutes: float = INF
) -> Tally:
    """Strike a command at many points, in any order, or at the `part` of them that falls to this worker.

    After so many `minutes` no other point is begun.
    """
    began, tally = time.monotonic(), Tally(command.name)
    known = undisturbed(world, command)
    chosen = points(world, command, most=most)
    random.Random(len(chosen)).shuffle(chosen)
    for point in chosen[part]:
        if time.monotonic() - began > 60 * minutes:
            break
        found = list(strike(world, command, point, known, starts))
        if found == [MISSED]:
            tally.missed += 1
        else:
            tally.note(str(point), found, fault=point.fault)
    tally.seconds = time.monotonic() - began
    return tally
