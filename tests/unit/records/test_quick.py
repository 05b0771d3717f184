import contextlib
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings

from medperf_git.records.canonical import Unwritable, emit
from medperf_git.records.convert import value_of
from medperf_git.records.quick import _compiled, parse_canonical
from medperf_git.records.record import write_record
from medperf_git.records.schemas import KINDS, _validator, schema_of
from medperf_git.records.strict_yaml import MAX_BYTES, parse_yaml

from .examples import EXAMPLES, fits
from .test_canonical import mappings


@settings(max_examples=600, deadline=None)
@given(mappings)
def test_what_was_written_is_read_as_the_careful_reader_reads_it(value):
    data = emit(value, {})
    quick = parse_canonical(data)
    if quick is not None:  # deeper values than any record has may be left to the careful reader
        assert quick == value
        assert emit(quick, {}) == data
        if "<<" not in str(value):
            assert quick == parse_yaml(data).value


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_is_read_the_quick_way(path):
    value = value_of(EXAMPLES[path])
    data = emit(value, schema_of(str(EXAMPLES[path].KIND)))
    assert parse_canonical(data) == value == parse_yaml(data).value
    assert fits(EXAMPLES[path].KIND, value)


@pytest.mark.parametrize(("ending", "loaded"), [(b"", "[]"), (b"# more\n", "['yaml', 'jsonschema']")])
def test_a_record_without_fault_is_read_without_the_libraries_that_explain(ending, loaded):
    path = next(iter(EXAMPLES))
    script = (
        "import sys\nfrom medperf_git.records.record import read_record\n"
        "read_record(sys.argv[1], sys.stdin.buffer.read())\n"
        "print([name for name in ('yaml', 'jsonschema') if name in sys.modules])"
    )
    data = write_record(EXAMPLES[path]) + ending
    done = subprocess.run([sys.executable, "-c", script, path], input=data, capture_output=True, check=True)
    assert done.stdout.decode().strip() == loaded


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"a",
        b"a\n",
        b"a:\n",
        b"a: 1",
        b"a: 1\n\n",
        b" a: 1\n",
        b"a: 1\n b: 2\n",
        b"a: 1\n  b: 2\n",
        b"a:\n  - 1\n    - 2\n",
        b'a: "x\n',
        b'a: "x" y\n',
        b'"a" 1\n',
        b'"a\n',
        b'- "a\n',
        b"a: x\xff\n",
        b"a: \xe2\x80\xae\n",
        b"a: " + b"x" * MAX_BYTES + b"\n",
        b"\n".join(b"  " * depth + b"a:" for depth in range(300)) + b" 1\n",
        b"\n".join(b"  " * depth + b"a:" for depth in range(30)) + b" 1\n",
        b"- " * 20_000,
        b"[" * 25_000,
        b"a: \n",
        b"a:\n" + b" " * 22 + b"b: 1\n",
    ],
)
def test_other_lines_are_left_to_the_careful_reader(data):
    value = parse_canonical(data)
    if value is not None:
        with contextlib.suppress(Unwritable):
            assert emit(value, {}) != data


@pytest.mark.parametrize("kind", KINDS)
def test_the_compiled_schema_agrees_with_jsonschema_on_every_record(kind):
    validator = _validator(kind, 1)
    for record in EXAMPLES.values():
        value = value_of(record)
        assert fits(kind, value) == validator.is_valid(value) == (kind == record.KIND)


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        (True, [1, "x"], []),
        (False, [], [1, {}]),
        ({"type": ["string", "array"]}, ["x", []], [1, True, {}]),
        ({"const": 1}, [1], [True, "1", 2]),
        ({"enum": ["a"]}, ["a"], ["b", 1, ["a"]]),
        ({"minimum": 1, "maximum": 2}, [1, 2, "x", True, False], [0, 3]),
        ({"anyOf": [{"const": 1}, {"type": "integer"}]}, [1, 2], ["x"]),
        ({"oneOf": [{"const": 1}, {"type": "integer"}]}, [2], [1, "x"]),
        ({"allOf": [{"minimum": 1}, {"type": "integer"}]}, [2], [0, "x"]),
        ({"not": {"required": ["a"]}}, [{}], [{"a": 1}, "x"]),
        ({"items": {"type": "string"}, "minItems": 1, "maxItems": 2}, [["a"], "x"], [[], [1], ["a", "b", "c"]]),
        ({"propertyNames": {"pattern": "^a$"}}, [{}, {"a": 1}, 5], [{"b": 1}]),
        ({"if": {"required": ["a"]}, "then": {"required": ["b"]}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
    ],
)
def test_keywords_mean_what_json_schema_says(schema, fitting, other):
    test = _compiled(schema, {})
    assert all(map(test, fitting))
    assert not any(map(test, other))


def test_a_keyword_that_is_not_known_is_not_ignored():
    with pytest.raises(KeyError, match=re.escape("multipleOf")):
        _compiled({"multipleOf": 2}, {})
