"""Whatever a proposal or main holds, the judge answers with a verdict and never raises."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.policy.judge import judge
from medperf_git.policy.verdict import Outcome
from medperf_git.records import layout
from medperf_git.records.record import write_value
from medperf_git.records.strict_yaml import parse_yaml
from tests.support.registry_builder import House, Proposal, settled

from .examples import RULE_EXAMPLES

EVERY = [example for found in RULE_EXAMPLES.values() for example in (found.accepted, *found.refused.values())]
STRANGE: list[Any] = [
    0, -1, 1, 10**15, True, "", "x", "con/aux@1", "north/wards@999999", "dora/heart@1", "registry", "0001",
    "sha256:" + "ee" * 32, "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "notices/registry/0001/0001.yaml",
    "members/north/0001.yaml", "owner", "committee", "maintainers", "retired", "failed", "bucket", "cases", [], {},
    ["ana"], {"exact": 0}, {"from": 9, "to": 1}, "ssh-ed25519 " + "A" * 68, "request", "withdraw", "dispute",
]  # fmt: skip
SAFE = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where everything inside a value stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for key, one in items for inner in places(one, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a value with one part replaced; None removes it."""
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    if rest:
        copy[key] = changed(copy[key], tuple(rest), new)
    elif new is None:
        del copy[key]
    else:
        copy[key] = new
    return copy


def mutated(data: st.DataObject, path: str, text: bytes) -> bytes:
    """Return a record with one or two of its parts changed, in canonical form where it has one."""
    place = layout.place_of(path)
    assert place is not None
    value: Any = parse_yaml(text).value
    for _ in range(data.draw(st.integers(1, 2))):
        where = data.draw(st.sampled_from(places(value)[1:] or [()]))
        value = changed(value, where, data.draw(st.sampled_from([None, *STRANGE])))
    try:
        return write_value(place.kind, value)
    except (ValueError, TypeError, AttributeError):
        return text + b"# not canonical\n"


def some_proposal(data: st.DataObject) -> Proposal:
    return data.draw(st.sampled_from(EVERY))(settled())


@given(data=st.data())
@SAFE
def test_a_mutated_record_is_judged(data: st.DataObject) -> None:
    proposal = some_proposal(data)
    records = [path for path in proposal.files if layout.place_of(path)]
    for path in records[: data.draw(st.integers(1, 3))]:
        try:
            proposal.put(path, mutated(data, path, proposal.files[path]))
        except ValueError:
            continue  # this example is unreadable already
    if proposal.house.files:
        proposal.sign("north", "ana", "dora")
    judge(proposal.change())


@given(data=st.data())
@SAFE
def test_a_record_at_another_place_is_judged(data: st.DataObject) -> None:
    proposal = some_proposal(data)
    house = proposal.house
    every = sorted(path for path in house.files | proposal.files if layout.place_of(path))
    if not every:
        return
    path, other = data.draw(st.sampled_from(every)), data.draw(st.sampled_from(every))
    proposal.put(path, (house.files | proposal.files)[other])
    judge(proposal.change())


@given(data=st.data())
@SAFE
def test_a_broken_main_is_judged(data: st.DataObject) -> None:
    """Whatever went wrong before, a reader is told so and does not fall over."""
    proposal = some_proposal(data)
    house: House = proposal.house
    for path in data.draw(st.lists(st.sampled_from(sorted(house.files) or ["README.md"]), max_size=3, unique=True)):
        if not house.files:
            break
        junk = data.draw(st.sampled_from([b"", b"\xff\xfe", b"kind: member\n", None, b"mutate"]))
        if junk == b"mutate" and layout.place_of(path) and path in house.files:
            house.files[path] = mutated(data, path, house.files[path])
        elif junk is None:
            house.files.pop(path, None)
        else:
            house.files[path] = junk or b""
    judge(proposal.change())


@given(st.text(max_size=60), st.binary(max_size=200))
@SAFE
def test_any_path_with_any_bytes_is_refused(path: str, data: bytes) -> None:
    verdict = settled().propose().put(path, data).judge()
    assert verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize("example", EVERY)
def test_a_verdict_is_the_same_twice(example: Any) -> None:
    change = example(settled()).change()
    assert judge(change) == judge(change)
