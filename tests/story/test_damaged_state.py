"""Whatever JSON lies where this program keeps its state, it says which file it is and what to do; it never breaks."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.cli import boundary
from tests.support.people import Human, Town

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("../x"))
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
COMMANDS = {
    "config": (("whoami",), ("registry", "ls"), ("status",), ("registry", "rm", "heart", "--yes")),
    "outbox": (("status", "--all"), ("submit",), ("submit", "--resume", "--yes")),
    "pin": (("whoami",), ("sync",)),
}
Change = tuple[list[Any], Any]


@pytest.fixture(scope="module")
def north(shared_town: Town) -> Human:
    return shared_town.human("north")


def file_of(human: Human, what: str) -> Path:
    if what == "outbox":
        return next((human.home / "outbox" / "heart").glob("*.json"))
    return human.home / {"config": "config.json", "pin": "registries/heart/pin.json"}[what]


def told(human: Human, argv: tuple[str, ...]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with human.at_machine(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = boundary.main(list(argv))
    return code, err.getvalue()


@contextlib.contextmanager
def holding(path: Path, data: bytes) -> Iterator[None]:
    """Let a file hold other bytes for a while."""
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(whole)


def with_one_place_changed(value: Any, place: int, new: Any) -> Any:
    """Return a JSON value with another one at one of its places, counted through."""
    places = list(iter_places(value, ()))
    *above, last = places[place % len(places)]
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in above:
        inner = inner[key]
    inner[last] = new
    return copy


def iter_places(value: Any, above: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield (*above, key)
        yield from iter_places(inner, (*above, key))


def never_breaks(human: Human, what: str, data: bytes) -> None:
    path = file_of(human, what)
    for argv in COMMANDS[what]:
        with holding(path, data):
            code, err = told(human, argv)
        assert code in (0, 1, 2, 3, 5), (argv, data, err)
        assert code == 0 or "do now: " in err or code == 1, (argv, data, err)


SLOWLY = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("what", COMMANDS)
@SLOWLY
@given(value=ANY_JSON)
def test_any_json_in_a_file_of_ours_never_breaks_a_command(north: Human, what: str, value: Any) -> None:
    never_breaks(north, what, json.dumps(value).encode())


@pytest.mark.parametrize("what", COMMANDS)
@SLOWLY
@given(place=st.integers(0, 40), value=ANY_JSON)
def test_one_wrong_place_in_a_file_of_ours_never_breaks_a_command(
    north: Human, what: str, place: int, value: Any
) -> None:
    whole = json.loads(file_of(north, what).read_bytes())
    never_breaks(north, what, json.dumps(with_one_place_changed(whole, place, value)).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
@pytest.mark.parametrize("what", ["config", "outbox"])
def test_what_is_no_json_never_breaks_a_command(north: Human, what: str, data: bytes) -> None:
    never_breaks(north, what, data)


def test_a_damaged_file_is_named_with_the_remedy(north: Human) -> None:
    for what, argv in (("config", ("whoami",)), ("outbox", ("status",))):
        path = file_of(north, what)
        with holding(path, b'{"id": "x", "registries": []}'):
            code, err = told(north, argv)
        assert code == 3
        assert str(path) in err
        assert "move the file away" in err


def test_an_id_that_is_none_is_a_matter_of_trust(north: Human) -> None:
    path = file_of(north, "config")
    value = json.loads(path.read_bytes())
    value["registries"]["heart"]["id"] = "mg1:0"
    with holding(path, json.dumps(value).encode()):
        code, err = told(north, ("whoami",))
    assert code == 5
    assert "ask a maintainer for the id" in err


def test_an_entry_whose_records_were_changed_is_not_sent(north: Human) -> None:
    path = file_of(north, "outbox")
    data = path.read_bytes().replace(b"0.912", b"0.999")
    with holding(path, data):
        code, err = told(north, ("submit",))
    assert code == 3
    assert "its id is not that of its records" in err


def test_a_stray_file_in_the_outbox_is_left_alone(north: Human) -> None:
    stray = north.home / "outbox" / "heart" / "notes.json"
    stray.write_text('{"id": "x"}', encoding="utf-8")
    assert told(north, ("status",))[0] == 0
    assert stray.exists()
    stray.unlink()


def test_an_alias_is_no_path(north: Human, shared_town: Town) -> None:
    for alias in ("../x", "a/b", ".", "", "a\x00b"):
        assert told(shared_town.human("zoe"), ("registry", "add", shared_town.url, f"--alias={alias}"))[0] == 2
