"""A record is accepted entry by entry: as the careful way reads it, in little time and little memory."""

import random
import re
import time
from pathlib import Path

import pytest

from medperf_git.records import entries
from medperf_git.records.canonical import emit
from medperf_git.records.convert import value_of
from medperf_git.records.entries import accept
from medperf_git.records.layout import Kind, place_of
from medperf_git.records.record import _accepted, _read_carefully, write_record
from medperf_git.records.schemas import KINDS, schema_of
from medperf_git.records.strict_yaml import MAX_COMPARISON_BYTES, MAX_COMPARISON_NODES, Unreadable, parse_yaml

from .examples import EXAMPLES

VECTORS = Path(__file__).resolve().parents[3] / "registry_spec" / "vectors"


def entries_of(data: bytes) -> list[bytes]:
    return re.findall(rb"[^ \n].*\n(?: .*\n)*", data)


def test_more_lines_than_the_careful_reader_would_count_are_left_to_it():
    path = "members/ana/0001.yaml"
    record, data = EXAMPLES[path], write_record(EXAMPLES[path])
    lines = data.count(b"\n")
    found = accept(data, record.KIND, max_bytes=len(data), max_nodes=5 * (lines + 1))
    assert found is not None
    assert found.record == record
    assert found.value == value_of(record)
    assert accept(data, record.KIND, max_bytes=len(data), max_nodes=5 * lines) is None
    assert accept(data, record.KIND, max_bytes=len(data) - 1, max_nodes=5 * (lines + 1)) is None
    with pytest.raises(Unreadable, match="20000 nodes"):
        parse_yaml(emit({"a": [{"b": "c"}] * 5_000}, {}))


@pytest.mark.parametrize("path", EXAMPLES)
def test_entries_in_another_order_or_twice_or_with_others_between_are_left_to_the_careful_reader(path):
    record = EXAMPLES[path]
    parts = entries_of(write_record(record))
    bounds = {"max_bytes": 10**6, "max_nodes": 10**6}
    assert accept(b"".join(parts), record.KIND, **bounds) is not None
    for other in (
        [*parts[1:], parts[0]],
        [*parts, parts[-1]],
        [*parts[:1], b"other: x\n", *parts[1:]],
        [*parts[:1], b"\n", *parts[1:]],
        parts[1:],
    ):
        assert accept(b"".join(other), record.KIND, **bounds) is None


def test_a_text_that_was_accepted_in_one_record_is_judged_anew_beside_others():
    path = next(path for path in EXAMPLES if path.startswith("results/"))
    record = EXAMPLES[path]
    value = value_of(record)
    bounds = {"max_bytes": 10**6, "max_nodes": 10**6}
    schema = schema_of("result")
    assert accept(emit(value, schema), record.KIND, **bounds) is not None
    late = value | {"started": "2099-01-01T00:00:00Z"}
    assert accept(emit(late, schema), record.KIND, **bounds) is None
    assert accept(emit(late | {"finished": "2099-01-02T00:00:00Z"}, schema), record.KIND, **bounds) is not None
    assert accept(emit(value | {"outcome": "failed"}, schema), record.KIND, **bounds) is None
    assert accept(emit(value, schema), record.KIND, **bounds) is not None


@pytest.mark.parametrize("kind", KINDS)
def test_any_mixture_of_entries_seen_before_is_read_as_the_careful_way_reads_it(kind):
    chance, accepted = random.Random(kind), 0
    records = {path: entries_of(write_record(record)) for path, record in EXAMPLES.items() if kind == record.KIND}
    there = [file.read_bytes() for file in sorted(VECTORS.glob("*/*/*.yaml"))]
    others = [text for data in there if len(data) < 9000 for text in entries_of(data)]
    same = [text for data in there if data.startswith(b"kind: %b\n" % kind.encode()) for text in entries_of(data)]
    for _ in range(150):
        path = chance.choice(sorted(records))
        parts = list(records[path])
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(parts))
            key = parts[at].partition(b":")[0]
            instead = [text for text in same if text.startswith(key + b":")] or others
            parts[at] = chance.choice(chance.choice([instead, instead, instead, others]))
        place, data = place_of(path), b"".join(parts)
        found, careful = _accepted(place, data), _read_carefully(place, data)
        assert found == (careful.stored and careful.stored.record)
        accepted += found is not None
    assert 0 < accepted < 150


@pytest.mark.parametrize("data", [b"x", b"a: x\na: ", b"a:\n  - x\n "])
def test_a_last_line_without_end_takes_no_time(data):
    hostile = data + b"x" * (MAX_COMPARISON_BYTES - len(data))
    start = time.process_time()
    assert accept(hostile, Kind.COMPARISON, max_bytes=MAX_COMPARISON_BYTES, max_nodes=MAX_COMPARISON_NODES) is None
    assert time.process_time() - start < 0.5


def test_a_long_entry_is_judged_and_not_kept():
    path = next(path for path in EXAMPLES if path.startswith("results/"))
    value = value_of(EXAMPLES[path])
    known = entries._reader(Kind.RESULT)._known
    assert _accepted(place_of(path), emit(value, schema_of("result"))) is not None
    before = known.cache_info()
    for number in range(20):
        values = {f"metric-{number}-{place}": {"value": place} for place in range(20)}
        data = emit(value | {"values": values}, schema_of("result"))
        found = _accepted(place_of(path), data)
        assert found == _read_carefully(place_of(path), data).stored.record
    after = known.cache_info()
    assert after.misses == before.misses
    assert after.hits == before.hits + 20 * (len(value) - 1)
