import contextlib
import copy
import dataclasses
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.records import models as m
from medperf_git.records.canonical import Unwritable, emit
from medperf_git.records.convert import value_of
from medperf_git.records.layout import place_of
from medperf_git.records.record import _accepted, _read_carefully, read_record, write_record
from medperf_git.records.schemas import schema_of
from medperf_git.records.strict_yaml import MAX_INTEGER
from medperf_git.records.text import SPACES, text_fault

from .examples import EXAMPLES

FILES = {path: write_record(record) for path, record in EXAMPLES.items()}
paths = st.sampled_from(sorted(FILES))
texts = st.text(min_size=1, max_size=60).filter(lambda text: not text_fault(text) and text.strip(SPACES + "\t\r\n"))
lines = st.text(st.characters(blacklist_characters="\t\r\n"), min_size=1, max_size=60).filter(
    lambda t: not text_fault(t) and t == t.strip(SPACES)
)
numbers = st.integers(-MAX_INTEGER, MAX_INTEGER) | st.builds(
    lambda n, places: Decimal(n).scaleb(-places), st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 9)
)
ids = st.from_regex(r"[a-z0-9]([-_.]?[a-z0-9]){0,10}", fullmatch=True)
strange = st.sampled_from(
    [
        "con/x1@1",
        "ana/x1@1",
        "con",
        "head",
        "",
        "x",
        0,
        1,
        -1,
        2**53 - 1,
        Decimal("0.5"),
        True,
        False,
        "sha256:" + "0" * 64,
        "2026-02-30T00:00:00Z",
        "members/ana/0001.yaml",
        "notices/x/0001.yaml",
        "../x",
        "~2",
        "/a~3",
        [1],
        ["x", "x"],
        {"x": 1},
        {"ref": "con/x1@1", "digest": "sha256:" + "0" * 64},
        [{"key": "x"}],
        {"x": [{"y": "z"}]},
        "a\nb",
        "failed",
    ]
)


def places_in(value, steps=()):
    if steps:
        yield steps
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places_in(inner, (*steps, key))


def consistent(path: str, data: bytes) -> None:
    """Nothing is raised; what is accepted is rewritten byte for byte, what is refused says why and what to do."""
    reading = read_record(path, data)
    place = place_of(path)
    assert place is not None
    assert reading == _read_carefully(place, data), "the quick way and the careful way agree"
    if reading.stored is not None:
        assert _accepted(place, data) is not None
        assert write_record(reading.stored.record) == data
    else:
        assert reading.findings
        assert all(finding.message and finding.fix and finding.path == path for finding in reading.findings)


@settings(max_examples=700, deadline=None)
@given(paths, st.data())
def test_a_record_with_any_value_exchanged_is_accepted_whole_or_refused_with_reasons(path, data):
    value = copy.deepcopy(value_of(EXAMPLES[path]))
    *steps, last = data.draw(st.sampled_from(sorted(places_in(value), key=str)))
    inner = value
    for step in steps:
        inner = inner[step]
    change = data.draw(st.sampled_from(["replace", "remove", "add", "twice"]))
    if change == "replace":
        inner[last] = data.draw(strange)
    elif change == "twice" and isinstance(inner, list):
        inner.append(copy.deepcopy(inner[last]))
    elif change == "add" and isinstance(inner, dict):
        inner[data.draw(st.sampled_from(["previous", "reason", "values", "policy", "extra", "genesis", "$ref"]))] = "x"
    elif len(inner) > 1:
        del inner[last]
    with contextlib.suppress(Unwritable):
        consistent(path, emit(value, schema_of(str(EXAMPLES[path].KIND))))


@settings(max_examples=500, deadline=None)
@given(paths, st.data())
def test_a_file_with_bytes_exchanged_is_accepted_whole_or_refused_with_reasons(path, data):
    content = bytearray(FILES[path])
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"\n", b" ", b":", b"- ", b"[", b"{", b'"', b"'", b"&a ", b"*a", b"!x "])
        )
        content[position : position + data.draw(st.integers(0, 3))] = piece
    consistent(path, bytes(content))


@settings(max_examples=300, deadline=None)
@given(
    lines, texts, st.dictionaries(ids, numbers, min_size=1, max_size=8), st.integers(0, 10**6), st.integers(0, 10**6)
)
def test_any_dataset_reads_as_it_was_written(title, description, statistics, low, more):
    path = "datasets/hospital-a/cohort/2.yaml"
    dataset = dataclasses.replace(
        EXAMPLES[path],
        title=title,
        description=description,
        statistics=statistics,
        cases=m.Cases(low=low, high=low + more),
    )
    reading = read_record(path, write_record(dataset))
    assert reading.stored is not None
    assert reading.stored.record == dataset


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text(max_size=20).filter(lambda t: not text_fault(t)), min_size=1, max_size=5).map(tuple) | texts,
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True), st.just("no") | texts, min_size=1, max_size=4
    ),
    texts,
)
def test_any_task_and_parameters_read_as_they_were_written(command, environment, parameters):
    path = "cubes/bob/forest/3.yaml"
    task = m.Task(m.RunArgs(command=command, environment=environment))
    cube = dataclasses.replace(EXAMPLES[path], tasks={"infer": task}, parameters=parameters)
    reading = read_record(path, write_record(cube))
    assert reading.stored is not None
    assert reading.stored.record == cube


def test_a_versioned_record_knows_its_reference():
    found = {
        path: str(record.ref)
        for path, record in EXAMPLES.items()
        if isinstance(record, m.Cube | m.Dataset | m.Benchmark)
    }
    assert found == {
        path: f"{(parts := path.split('/'))[1]}/{parts[2]}@{parts[3].removesuffix('.yaml')}" for path in found
    }
