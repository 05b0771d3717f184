"""T29: 20 000 generated records are read alike by everybody, and changed ones never by only one of our readers."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from medperf_git.records.canonical import Unwritable, emit
from medperf_git.records.entries import accept
from medperf_git.records.layout import Kind
from medperf_git.records.quick import parse_canonical
from medperf_git.records.schemas import KINDS, schema_of
from medperf_git.records.strict_yaml import Unreadable, parse_yaml
from tests.unit.records.examples import fits

from .strategies import records

# 20 000 in all; fewer of those that take long to draw, which hold more values each.
SHARE = {
    "registry": 2800,
    "quarantine": 1500,
    "member": 1500,
    "cube": 1000,
    "dataset": 2500,
    "benchmark": 300,
    "policy": 3000,
    "association": 3100,
    "result": 1500,
    "notice": 2800,
}
LEAST = 500  # of a kind that this table does not name
PIECES = [
    *(b"", b"\n", b" ", b"  ", b":", b": ", b"- ", b"[", b"]", b"{", b"}", b'"', b"'", b"&a ", b"*a", b"!x ", b"#"),
    *(b"|", b">", b"\\", b"\t", b"\r", b"%", b"@", b"`", b"?", b"? ", b",", b"0", b"1.0", b"-", b"e", b"~", b"<<"),
    *(b"\xff", b"\xe2\x80\xae", b"e\xcc\x81", b"\xc3\xa9", b"\\u202e", b"\\x41", b"---\n", b"...\n", b"\x00"),
    *(b"true", b"no", b"_", b"a: 1\n", b" #"),
]
mutations = st.lists(
    st.tuples(st.integers(0, 2**31), st.integers(0, 3), st.sampled_from(PIECES)), min_size=1, max_size=3
)


def as_floats(value: Any) -> Any:
    """Return a value as a reader has it that knows no decimals; fifteen digits survive a double."""
    if isinstance(value, dict):
        return {key: as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def typed(value: Any) -> Any:
    """Return a value in which 1, 1.0 and true differ."""
    if isinstance(value, dict):
        return {(type(key), key): typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value), value


def read_by_libraries(data: bytes) -> list[Any]:
    """Return what PyYAML over libyaml (YAML 1.1) and ruamel.yaml in pure Python (YAML 1.2) read."""
    return [yaml.load(data, Loader=yaml.CSafeLoader), YAML(typ="safe", pure=True).load(data.decode())]


def quickly(data: bytes, kind: str) -> dict[str, Any] | None:
    value = parse_canonical(data)
    return value if value is not None and rewritten(value, kind) == data else None


def carefully(data: bytes, kind: str) -> dict[str, Any] | None:
    try:
        value = parse_yaml(data).value
    except Unreadable:
        return None
    return value if rewritten(value, kind) == data else None


def rewritten(value: Any, kind: str) -> bytes | None:
    try:
        return emit(value, schema_of(kind))
    except Unwritable:
        return None


def changed(data: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for position, length, piece in changes:
        start = position % (len(data) + 1)
        data = data[:start] + piece + data[start + length :]
    return data


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: -SHARE.get(kind, LEAST)))
def test_t29_generated_records_are_read_alike_by_four_readers(kind):
    drawn = 0

    @settings(max_examples=SHARE.get(kind, LEAST), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(records(kind), mutations)
    def check(value, changes):
        nonlocal drawn
        drawn += 1
        assert fits(kind, value)
        data = emit(value, schema_of(kind))
        assert typed(parse_canonical(data)) == typed(value)
        found = accept(data, Kind(kind), max_bytes=len(data), max_nodes=10**6)
        assert found is None or typed(found.value) == typed(value)  # None: it may disagree with itself
        assert typed(parse_yaml(data).value) == typed(value)
        for read in read_by_libraries(data):
            assert typed(read) == typed(as_floats(value))

        other = changed(data, changes)
        quick, careful = quickly(other, kind), carefully(other, kind)
        assert typed(quick) == typed(careful)
        if careful is not None:
            for read in read_by_libraries(other):
                assert typed(read) == typed(as_floats(careful))

    check()
    assert drawn >= SHARE.get(kind, LEAST)


def test_there_are_20_000_in_all():
    assert sum(SHARE.values()) == 20_000
