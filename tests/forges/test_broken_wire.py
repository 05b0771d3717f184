"""A wire that breaks while a proposal is pushed: at 32 points in each direction, doing it again is harmless."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.far_registry import Far
from tests.support.faulty import BAD, Faulty
from tests.support.people import Town
from tests.support.relay import Direction, Relay, relaying

POINTS = 32
PUSHES = ("push refs", "push")


@pytest.fixture(scope="module")
def relay(secure_server: Faulty) -> Iterator[Relay]:
    with relaying(secure_server.port) as found:
        yield found


@pytest.fixture
def far(signed: Town, secure_server: Faulty, relay: Relay, tmp_path: Path) -> Far:
    relay.mend()
    return Far.of(signed, tmp_path / "far", secure_server, url=f"https://127.0.0.1:{relay.port}")


@pytest.fixture(scope="module")
def exchange(
    signed: Town, secure_server: Faulty, relay: Relay, tmp_path_factory: pytest.TempPathFactory
) -> tuple[tuple[int, ...], dict[Direction, int]]:
    """Send it once over a whole wire: which connections are the push, and how many bytes go each way."""
    relay.mend()
    folder = tmp_path_factory.mktemp("whole") / "far"
    far = Far.of(signed, folder, secure_server, url=f"https://127.0.0.1:{relay.port}")
    far.bob.run("submit", "--yes")
    far.check_sent()
    pushes = tuple(number for number, call in enumerate(secure_server.calls) if call in PUSHES)
    assert len(relay.passed) == len(secure_server.calls), "a connection is a call"
    sizes: dict[Direction, int] = {way: sum(relay.passed[one][way] for one in pushes) for way in ("up", "down")}
    return pushes, sizes


@pytest.mark.parametrize("point", range(POINTS))
@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_push_that_was_cut_is_harmless_to_do_again(
    far: Far, relay: Relay, exchange: tuple[tuple[int, ...], dict[Direction, int]], direction: Direction, point: int
) -> None:
    pushes, sizes = exchange
    relay.cut(direction, on=pushes, after=point * sizes[direction] // POINTS)
    said = far.bob.try_to("submit", "--yes")
    assert relay.is_cut
    if said.code:  # else what was cut off was the farewell, after all was said
        assert said.code == 3
        assert f"cannot push to https://127.0.0.1:{relay.port}/bob/heart.git" in said.err
        assert "do now: " in said.err
    far.check_kept()
    relay.mend()
    far.bob.run("submit", "--yes")
    far.check_sent()


def test_an_acknowledgement_that_is_lost_after_the_push_costs_nothing(far: Far) -> None:
    far.server.plan(BAD["closed without a word"], "push", done=True)
    far.bob.run("submit", "--yes", code=3)
    assert far.pushed()
    assert far.forge.pulls == []
    far.check_kept()
    far.server.heal()
    far.bob.run("submit", "--yes")
    far.check_sent()
    far.bob.run("submit", "--yes")
    far.check_sent()
