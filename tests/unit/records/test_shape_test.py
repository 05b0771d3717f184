"""The compiled schema and jsonschema say the same of any value near a record: yes is never said by one alone."""

import copy
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.records.convert import value_of
from medperf_git.records.schemas import KINDS, _validator

from .examples import EXAMPLES, fits

VALUES = {path: value_of(record) for path, record in EXAMPLES.items()}
TEXTS = ["", "a", "a\n", "\u0664", "a b", "sha256:" + "0" * 64, "ana", "ana/x@1", "x" * 300]
NUMBERS = [0, 1, -1, 2**53, True, False, Decimal("0.5"), Decimal("-1.25")]
OTHERS = st.sampled_from([*TEXTS, *NUMBERS, [], ["a"], ["a", "a"], {}, {"a": 1}])


def places(value, steps=()):
    """Yield the steps to everything in a value, itself included."""
    yield steps
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*steps, key))


def changed(draw, value):
    """Return the value with one thing replaced, removed, added or spelled otherwise."""
    *above, last = draw(st.sampled_from([steps for steps in places(value) if steps]))
    parent = value = copy.deepcopy(value)
    for step in above:
        parent = parent[step]
    match draw(st.sampled_from(["replace", "remove", "add", "spell"])):
        case "replace":
            parent[last] = draw(OTHERS)
        case "remove":
            del parent[last]
        case "add" if isinstance(parent, dict):
            parent[draw(st.sampled_from(["extra", "note", "previous", "from", "exact", "members"]))] = draw(OTHERS)
        case "add":
            parent.append(draw(OTHERS))
        case "spell" if isinstance(parent[last], str):
            parent[last] += draw(st.sampled_from(["\n", " ", "a", "-", "0", "\u0663", "A", "/"]))
        case "spell" if isinstance(parent[last], int | Decimal):
            parent[last] = parent[last] * draw(st.sampled_from([-1, 0, 10, 10**17]))
    return value


@st.composite
def near_records(draw):
    value = VALUES[draw(st.sampled_from(sorted(VALUES)))]
    for _ in range(draw(st.integers(1, 3))):
        value = changed(draw, value) if any(places(value)) else value
    return value


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=250, deadline=None)
@given(value=near_records())
def test_both_say_the_same_of_a_value_near_a_record(kind, value):
    assert fits(kind, value) == _validator(kind, 1).is_valid(value)


@pytest.mark.parametrize("path", sorted(VALUES))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_both_say_the_same_of_a_record_changed_in_one_place(path, data):
    kind, value = str(EXAMPLES[path].KIND), changed(data.draw, VALUES[path])
    assert fits(kind, value) == _validator(kind, 1).is_valid(value)
