"""A few faults of each kind, so that the program which lets hundreds happen (`make faults`) cannot rot."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import oracle
from tests.faults.calls import Point, evenly, was_injected, writing_calls
from tests.faults.clients import RUN, together
from tests.faults.engine import BASE, ROOT, Starts, build_images, watched_starts
from tests.faults.sweep import COMMANDS, MISSED, Undisturbed, strike, undisturbed
from tests.faults.world import Ended, World, build

pytestmark = pytest.mark.engine
POINTS = {
    "submit": (
        Point("main", "fsync", 3, "SIGKILL"), Point("main", "rename", 1, "ENOSPC"), Point("git3", "write", 1, "EIO")
    ),
    "register": (Point("main", "rename", 2, "SIGKILL"),),
    "sync": (
        Point("main", "rename", 1, "SIGKILL"), Point("main", "fsync", 1, "EIO"), Point("git1", "rename", 1, "SIGKILL")
    ),
    "run": (
        Point("main", "rename", 2, "SIGKILL"), Point("model", "rename", 3, "SIGKILL"),
        Point("model", "fsync", 4, "ENOSPC"), Point("_write_log", "write", 1, "EIO"),
    ),
    "prepare": (Point("main", "rename", 3, "SIGKILL"), Point("main", "mkdir", 5, "ENOSPC")),
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A benchmark and a clinic on the engine of this machine."""
    subprocess.run([ROOT / "scripts" / "ensure-engine.sh"], check=True, capture_output=True)
    subprocess.run([ROOT / "scripts" / "base-image.sh", BASE], check=True, capture_output=True)
    build_images()
    return build(tmp_path_factory.mktemp("faults") / "world")


@pytest.fixture(scope="module")
def starts() -> Iterator[Starts]:
    """Every start of a container from now on."""
    with watched_starts() as starts:
        yield starts


@pytest.mark.parametrize("name", COMMANDS)
def test_a_fault_loses_nothing_tears_nothing_and_does_nothing_twice(world: World, starts: Starts, name: str) -> None:
    known: Undisturbed = undisturbed(world, COMMANDS[name])
    found = {str(point): list(strike(world, COMMANDS[name], point, known, starts)) for point in POINTS[name]}
    assert {point: said for point, said in found.items() if said == [MISSED]} == {}, "no such call any more"
    assert {point: said for point, said in found.items() if said} == {}


def test_four_clients_at_once_do_the_work_of_one(world: World, starts: Starts) -> None:
    world.back_to("ready")
    ended = together(world, [RUN] * 4)
    assert [said for one in ended for said in oracle.faults_of_ending(one)] == []
    assert sorted(what for one in ended for what in starts.of(one.pid)) == ["base", "one", *["score"] * 3, "two"]
    assert list(oracle.faults_at_engine(*ended)) == []
    assert list(oracle.faults_of_files(world, frozenset())) == []


def test_a_log_of_strace_says_which_calls_write(tmp_path: Path) -> None:
    log = tmp_path / "trace"
    log.write_text(
        'openat(AT_FDCWD</>, "/a", O_RDONLY) = 3</a>\n'
        'openat(AT_FDCWD</>, "/b", O_WRONLY|O_CREAT, 0600) = 4</b>\n'
        'write(4</b>, "x", 1) = 1\n'
        '17 write(4</b>, "y", 1) = 1\n'
    )
    assert list(writing_calls(log)) == [("openat", 2), ("write", 1), ("write", 1)]
    assert not was_injected(log)
    log.write_text('openat(AT_FDCWD</>, "/a", O_RDONLY) = -1 EIO (Input/output error) (INJECTED)\n')
    assert not was_injected(log)
    log.write_text('rename("/a", "/b") = ?\n')
    assert was_injected(log)


def test_points_are_spread_over_all_of_a_command() -> None:
    points = [Point("main", "write", number, "EIO") for number in range(1, 11)]
    assert [point.number for point in evenly(points, 5)] == [1, 3, 5, 7, 9]
    assert evenly(points, 20) == points
    assert points[0].injection == "inject=write:error=EIO:when=1"


def test_the_oracle_sees_what_is_wrong(world: World) -> None:
    world.back_to("ran")
    assert list(oracle.faults_of_files(world, frozenset())) == []
    outcome = next(world.home.glob("runs/*/models/*/outcome.json"))
    outcome.write_bytes(outcome.read_bytes()[:20])
    (outcome.parent / ".infer.json.12ab.partial").touch()
    (world.home / "scratch" / "0123").mkdir()
    pack = next(world.home.glob("registries/*/repo.git/objects/pack/*.pack"))
    pack.unlink()
    said = " ".join(oracle.faults_of_files(world, frozenset()))
    assert all(word in said for word in ("torn: ", "left over: ", "left over in scratch: 0123", "git fsck of repo.git"))
    marks = oracle.Marks(frozenset({"one"}), frozenset({"one"}))
    said = " ".join(oracle.faults_of_repeating(["one", "one"], ["one", "score", "score", "score"], marks))
    assert all(
        word in said for word in ("more than once", "inference was done again: one", "evaluation was done again")
    )
    ended = Ended(70, "", "error: Traceback (most recent call last)", 1)
    assert len(list(oracle.faults_of_ending(ended))) == 2
