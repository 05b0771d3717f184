import json
import re
from decimal import Decimal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.errors import Refused
from medperf_git.records.canonical import Unwritable, emit, format_number
from medperf_git.records.strict_yaml import MAX_INTEGER, parse_yaml
from medperf_git.records.text import text_fault

texts = st.text(max_size=40).filter(lambda text: not text_fault(text))
words = st.sampled_from(
    [
        "no",
        "yes",
        "On",
        "true",
        "null",
        "~",
        "1",
        "1.5",
        "01",
        "0x1f",
        "1e5",
        "1:1",
        "2026-01-01",
        "a",
        "a-b",
        "a_b",
        "a.b",
        "a/b",
        "a@1",
        "a:b",
        "a+b",
        "-a",
        "a-",
        "a:",
        "a::",
        ":a",
        "#a",
        "a#b",
        "a#",
        "",
        " ",
        " a",
        "a ",
        "a: b",
        "a #b",
        "<<",
        "=",
        "- a",
        "? a",
        "[a]",
        "{a}",
        "'a'",
        '"a"',
        "a\nb",
        "\\",
        "%a",
        "n",
        "sha256:" + "a" * 64,
        "ana/x@1",
        "a" * 128,
        "a" * 129,
        "!a",
        "&a",
        "*a",
        "|",
        ">",
        "@a",
        "`a",
        "...",
        "---",
    ]
)
strings = texts | words
integers = st.integers(-MAX_INTEGER, MAX_INTEGER)
decimals = st.builds(
    lambda mantissa, places: Decimal(mantissa).scaleb(-places),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(0, 9),
)
scalars = strings | integers | decimals | st.booleans()
mappings = st.recursive(
    st.dictionaries(strings, scalars, min_size=1, max_size=4),
    lambda inner: st.dictionaries(
        strings, scalars | inner | st.lists(scalars | inner, min_size=1, max_size=4), min_size=1, max_size=4
    ),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None)
@given(mappings)
def test_t29_reading_what_was_written_gives_the_same_values_and_the_same_bytes(value):
    if "<<" in str(value):
        return
    data = emit(value, {})
    read = parse_yaml(data).value
    assert read == value
    assert emit(read, {}) == data
    assert b"\r" not in data
    assert b"\t" not in data


@settings(max_examples=600, deadline=None)
@given(mappings)
def test_t29_another_reader_of_yaml_reads_the_same_values(value):
    data = emit(value, {})
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        assert yaml.load(data, Loader=loader) == _with_floats(value)


def _with_floats(value):
    if isinstance(value, dict):
        return {key: _with_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_floats(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


@given(decimals)
def test_a_written_number_has_the_one_form(number):
    text = format_number(number)
    assert re.fullmatch(r"0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9]", text)
    assert Decimal(text) == number
    assert Decimal(repr(float(number))) == number, "15 digits survive a double"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0, "0"),
        (Decimal("-0"), "0"),
        (Decimal("-0.000"), "0"),
        (Decimal("5.0"), "5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-5"), "0.00001"),
        (Decimal("0.10"), "0.1"),
        (Decimal("0E-100"), "0"),
        (Decimal("0E+100"), "0"),
        (MAX_INTEGER, "9007199254740991"),
    ],
)
def test_numbers_are_written_without_exponent_sign_of_zero_or_trailing_zeros(number, text):
    assert format_number(number) == text


@pytest.mark.parametrize(
    "number",
    [
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
        Decimal("1E+999999"),
        Decimal("1E-999999"),
        Decimal("1E+30"),
        Decimal("0.1234567891"),
        Decimal("1234567890.123456"),
        Decimal("1" * 40 + ".5"),
    ],
)
def test_a_number_outside_the_format_is_refused(number):
    with pytest.raises(Unwritable) as caught:
        format_number(number)
    assert caught.value.hint


def test_keys_follow_the_schema_and_free_keys_the_code_points():
    schema = {
        "properties": {
            "z": {},
            "m": {"$ref": "#/$defs/inner"},
            "l": {"items": {"$ref": "#/$defs/inner"}},
            "f": {"additionalProperties": {"$ref": "#/$defs/inner"}},
        },
        "$defs": {"inner": {"properties": {"two": {}, "one": {}}, "additionalProperties": False}},
    }
    inner = {"one": 1, "two": 2}
    value = {"é": 1, "b": 1, "Z": 1, "10": 1, "9": 1, "f": {"x": inner}, "l": [inner], "m": inner, "z": 1, "y_": 1}
    assert emit(value, schema).decode() == (
        "z: 1\nm:\n  two: 2\n  one: 1\nl:\n  - two: 2\n    one: 1\nf:\n  x:\n    two: 2\n    one: 1\n"
        '"10": 1\n"9": 1\nZ: 1\nb: 1\n"y_": 1\n"é": 1\n'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a-b_c.d/e@f:g+h", "a-b_c.d/e@f:g+h"),
        ("a--b", '"a--b"'),
        ("-a", '"-a"'),
        ("a:", '"a:"'),
        ("a b", '"a b"'),
        ("1a", '"1a"'),
        ("No", '"No"'),
        ("y", '"y"'),
        ("", '""'),
        ("a\nb\tc\r", '"a\\nb\\tc\\r"'),
        ('"\\/', '"\\"\\\\/"'),
        ("é😀", '"é😀"'),
        ("a" * 128, "a" * 128),
        ("a" * 129, '"' + "a" * 129 + '"'),
    ],
)
def test_text_outside_the_plain_set_is_a_json_string_on_one_line(text, written):
    data = emit({"k": text}, {})
    assert data.decode() == f"k: {written}\n"
    if written.startswith('"'):
        assert json.loads(written) == text


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, "the top"),
        ({"a": {}}, "/a"),
        ({"a": []}, "/a"),
        ({"a": [[1]]}, "/a/0"),
        ({"a": [1, {}]}, "/a/1"),
        ({"a": None}, "/a"),
        ({"a": 0.5}, "/a"),
        ({"a": (1,)}, "/a"),
        ({"a": b"x"}, "/a"),
        ({"a": {1: 2}}, "/a"),
        ({"a/b": {"c": "x\u202e"}}, "/a~1b/c"),
        ({"a": {"\u200b": 1}}, "/a"),
        ({"a": "e\u0301"}, "/a"),
        ({"a": "\ud800"}, "/a"),
        ({"a": [2**60]}, "/a/0"),
        ({"a": Decimal("NaN")}, "/a"),
    ],
)
def test_what_no_record_can_hold_is_refused_with_its_place(value, where):
    with pytest.raises(Unwritable, match=re.escape(f"(at {where})")) as caught:
        emit(value, {})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, Refused)
    assert caught.value.hint


def test_a_closed_schema_does_not_stop_the_writer():
    assert emit({"x": {"b": 1, "a": 2}}, {"additionalProperties": False}) == b"x:\n  a: 2\n  b: 1\n"
