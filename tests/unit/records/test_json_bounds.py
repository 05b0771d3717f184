import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.records.json_bounds import bounds_fault, has_lone_surrogate

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{},:é\n'), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"\\[{:,', max_size=4), inner, max_size=4),
    max_leaves=25,
)


def size(value) -> tuple[int, int]:
    """Return how deep a value is and how many nodes it has, keys counted."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    sizes = [size(one) for one in inner]
    keys = len(inner) if isinstance(value, dict) else 0
    depth = 1 + max((depth for depth, _ in sizes), default=0) if isinstance(value, dict | list) else 0
    return depth, 1 + keys + sum(nodes for _, nodes in sizes)


@settings(max_examples=500, deadline=None)
@given(plain, st.booleans())
def test_depth_is_exact_and_nodes_are_never_counted_too_low(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    depth, nodes = size(value)
    assert not bounds_fault(text, max_depth=depth, max_nodes=2 * nodes + 1)
    assert not depth or bounds_fault(text, max_depth=depth - 1, max_nodes=10**6)
    assert bounds_fault(text, max_depth=100, max_nodes=nodes - 1)


@pytest.mark.parametrize(
    ("value", "lone"),
    [
        ("\ud800", True),
        ({"a": ["x", {"\udfff": 1}]}, True),
        ([[["é\udc00"]]], True),
        ({"é": ["\U0001f600", 1, None, True, 1.5]}, False),
        (None, False),
    ],
)
def test_half_a_character_is_found_anywhere(value, lone):
    assert has_lone_surrogate(value) is lone
