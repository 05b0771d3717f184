import math
import time

import pytest

from medperf_git.records import foreign
from medperf_git.records.foreign import dump_foreign_yaml, load_foreign_yaml
from medperf_git.records.strict_yaml import Unreadable


def refusal(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        load_foreign_yaml(data)
    assert caught.value.finding.rule == "results-file"
    assert caught.value.finding.fix
    assert len(caught.value.finding.message) < 300
    return caught.value.finding.message


def test_yaml_and_json_of_a_container_are_read_as_plain_values():
    yaml_text = (
        b"auroc: 0.91\nn: 12\nsmall: 1e-05\nlarge: 1.5e+3\nwhen: 2026-01-01\nflag: yes\nnothing: ~\ncases: [{id: a}]\n"
    )
    assert load_foreign_yaml(yaml_text) == {
        "auroc": 0.91,
        "n": 12,
        "small": 1e-05,
        "large": 1500.0,
        "when": "2026-01-01",
        "flag": True,
        "nothing": None,
        "cases": [{"id": "a"}],
    }
    assert load_foreign_yaml(b'{"small": 1e-05, "face": "\\ud83d\\ude00", "list": [null, true, {}]}') == {
        "small": 1e-05,
        "face": "\U0001f600",
        "list": [None, True, {}],
    }
    assert load_foreign_yaml(b"{a: 1, b: [x, 'y']}") == {"a": 1, "b": ["x", "y"]}
    assert load_foreign_yaml(b"[1, 2]") == [1, 2]
    assert load_foreign_yaml(b"") is None


@pytest.mark.parametrize("data", [b"a: .nan\nb: .inf\n", b'{"a": NaN, "b": Infinity}', b'{"a": NaN, "b": 1e999}'])
def test_t24_what_is_no_number_stays_what_it_is(data):
    value = load_foreign_yaml(data)
    assert math.isnan(value["a"])
    assert value["b"] == math.inf


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a": 1, "a": 2}', "twice"),
        (b"a: 1\na: 2\n", "twice"),
        (b"1: a\ntrue: b\n", "twice"),
        (b"? [a]\n: 1\n", "neither text nor a number"),
        (b"~: 1\n", "neither text nor a number"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\x00}\x00", "utf-8"),
        (b"a: &x 1\nb: *x\n", "aliases"),
        (b"a: !!python/name:os.system x\n", "tag"),
        (b"a: !!binary aGk=\n", "tag"),
        (b"a: !" + b"x" * 500 + b" 1\n", "tag"),
        (b"a: {b: 1}\n<<: {c: 1}\n", "not YAML"),
        (b"a: 1\n---\nb: 2\n", "not YAML"),
        (b"a: [1\n", "not YAML"),
        (b'{"a": 1', "not YAML"),
        (b"a: " + b"[" * 41 + b"]" * 41, "deeper"),
        (b'{"a":' * 41 + b"1" + b"}" * 41, "deeper"),
        (b"[" * 1_000_000, ""),
        (b"a: " + b"[" * 1_000_000, ""),
        (b"- " * 1_000_000, "deeper"),
        (b"a: " + b"1" * 5000, "a number of 5000"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not YAML"),
        (b"a: " + b"1:" * 500_000 + b"1\n", "a number of"),
        (b"a: " + b"1:" * 500_000 + b"1.5\n", "a number of"),
        (b"a: !!int " + b"1" * 5000, "a number of"),
        (b"a: !!int x\n", "not YAML"),
        (b"a: \x00\n", "not YAML"),
        (b'a: !!int ""\n', "not YAML"),
        (b'a: !!float "_"\n', "not YAML"),
        (b"a: !!bool x\n", "not YAML"),
        (b"a: !!int\n", "not YAML"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\uDFFF": 1}', "surrogate"),
        (b'["\\ud83d\\ude00", ["\\ude00\\ud83d"]]', "surrogate"),
        (b"[" + b"[]," * 1_000_000 + b"1]", "nodes"),
        (b'["\\\\", ' + b"[" * 50 + b"]" * 50 + b"]", "deeper"),
        (b'["\\"", ' + b"[" * 50 + b"]" * 50 + b"]", "deeper"),
    ],
)
def test_t24_what_could_harm_or_be_read_in_two_ways_is_refused_quickly(data, said):
    start = time.process_time()
    assert said in refusal(data)
    assert time.process_time() - start < 2


def test_depth_up_to_the_limit_is_read():
    assert load_foreign_yaml(b"[" * 40 + b"]" * 40)
    assert load_foreign_yaml(b"a: " + b"[" * 39 + b"]" * 39)


def test_brackets_in_text_are_no_depth():
    assert load_foreign_yaml(b'["' + b"[" * 500 + b'", "\\"' + b"[{" * 500 + b'", "\\\\", "]"]')[0] == "[" * 500


def test_bytes_and_nodes_are_bounded(monkeypatch):
    with pytest.raises(Unreadable, match="at most 10"):
        load_foreign_yaml(b"a: 1234567890", max_bytes=10)
    monkeypatch.setattr(foreign, "_MAX_NODES", 50)
    assert "nodes" in refusal(b"- 1\n" * 51)


def test_what_is_written_for_a_container_reads_the_same():
    value = {"b": [1, 2.5, "é", None, True], "a": {"x": "no"}}
    data = dump_foreign_yaml(value)
    assert data.startswith(b"a:\n")
    assert load_foreign_yaml(data) == value
