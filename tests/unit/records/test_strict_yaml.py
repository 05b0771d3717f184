import itertools
import time
from decimal import Decimal

import pytest
import yaml

from medperf_git.records import yaml_document
from medperf_git.records.strict_yaml import (
    MAX_BYTES,
    MAX_DEPTH,
    Document,
    Unreadable,
    parse_yaml,
    pointer_step,
)


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request, monkeypatch):
    """Run every test with libyaml, and with the pure Python parser that stands in where there is none."""
    chosen = yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader
    monkeypatch.setattr(yaml_document, "_LOADER", chosen)
    return request.param


def refusal(data: bytes | str):
    with pytest.raises(Unreadable) as caught:
        parse_yaml(data.encode() if isinstance(data, str) else data)
    finding = caught.value.finding
    assert finding.message
    assert finding.fix
    assert len(finding.message) < 300
    assert len(finding.got) <= 120
    return finding


def test_values_are_text_integers_decimals_booleans_lists_and_mappings():
    document = parse_yaml(b'a: text\nb: -12\nc: 0.125\nd: true\ne: [x, "y"]\nf: {g: false}\nh: "no"\ni: \'01\'\n')
    assert document.value == {
        "a": "text",
        "b": -12,
        "c": Decimal("0.125"),
        "d": True,
        "e": ["x", "y"],
        "f": {"g": False},
        "h": "no",
        "i": "01",
    }
    assert type(document.value["b"]) is int
    assert type(document.value["d"]) is bool


def test_people_may_write_comments_block_scalars_and_windows_line_ends():
    text = "# comment\n---\na: |\n  one\n  two\nb: >-\n  one\n  two\nc: several plain\n  lines\n...\n"
    assert parse_yaml(text.replace("\n", "\r\n").encode()).value == {
        "a": "one\ntwo\n",
        "b": "one two",
        "c": "several plain lines",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("no", "No", "NO", "yes", "on", "On", "off", "y", "n", "Y", "N", "True", "TRUE", "False", "null", "Null", "~"),
        *("nan", ".nan", ".NaN", "inf", ".inf", "-.inf", "Infinity", "", "1.10", "22:22", "1:1", "12e45678", "1e5"),
        *("1E5", "1.5e3", "0o14", "0x1f", "0b1", "1_000", ".5", "5.", "5.0", "+1", "+.5", "-0", "-0.0", "01", "-01"),
        *("00", "0.0", "1.50", "2026-01-01", "2026-01-01T10:00:00Z", "9007199254740992", "-9007199254740992"),
        *("0.1234567891", "1234567890.123456", "123456789012345.5", "=", "<<", "1" * 60000, "1" * 60000 + ".5", "é"),
        *("١٢", "１", "-", "- ", "--1", "1-2", "1 2", "50%", "$x", "(a)", "+a", ".a", "^a", "\\a", ";a", "<a", "=a"),
    ],
)
def test_t28_a_plain_scalar_that_readers_differ_about_is_refused(text):
    if text in ("- ", "-"):
        assert refusal(f"x: 1\na: {text}\n").line == 2
        return
    finding = refusal(f"x: 1\na: {text}\n")
    assert finding.rule in ("yaml-scalar", "yaml-number")
    assert (finding.line, finding.pointer) == (2, "/a")
    assert "quote it" in finding.fix
    assert parse_yaml(f'a: "{text}"\n'.encode().replace(b"\\a", b"\\\\a")).value == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-1", -1),
        ("9007199254740991", 2**53 - 1),
        ("-9007199254740991", 1 - 2**53),
        ("0.5", Decimal("0.5")),
        ("-0.000000001", Decimal("-0.000000001")),
        ("123456.123456789", Decimal("123456.123456789")),
        ("0.123456789", Decimal("0.123456789")),
        ("99999999999999.1", Decimal("99999999999999.1")),
    ],
)
def test_numbers_inside_the_format_are_exact(text, value):
    read = parse_yaml(f"a: {text}\n".encode()).value["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("data", "rule", "line"),
    [
        ("a: 1\nb: &x 2\n", "yaml-alias", 2),
        ("a: 1\nb: *x\n", "yaml-alias", 2),
        ("a: 1\n&x b: 2\n", "yaml-alias", 2),
        ("a: &x\n  b: 1\n", "yaml-alias", 1),
        ("a: !!str 1\n", "yaml-tag", 1),
        ("a: !<tag:example.org,2026:x> 1\n", "yaml-tag", 1),
        ("a: !!python/object/apply:os.system [x]\n", "yaml-tag", 1),
        ("a: ! x\n", "yaml-tag", 1),
        ("!!map {a: 1}\n", "yaml-tag", 1),
        ("!!map\na: 1\n", "yaml-tag", 1),
        ("a: {b: 1}\n<<: {c: 1}\n", "yaml-scalar", 2),
        ('a: {b: 1}\n"<<": {c: 1}\n', "yaml-key", 2),
        ("a: 1\nb: 2\na: 3\n", "yaml-duplicate", 3),
        ('a: 1\n"a": 3\n', "yaml-duplicate", 2),
        ("'a': 1\n\"\\x61\": 3\n", "yaml-duplicate", 2),
        ("a:\n  b: 1\n  ? b\n  : 2\n", "yaml-duplicate", 3),
        ("a: 1\n---\nb: 2\n", "yaml-syntax", 2),
        ("a: 1\n...\nb: 2\n", "yaml-syntax", 3),
        ("%YAML 1.2\n---\na: 1\n", "yaml-directive", 1),
        ("%YAML 1.1\n---\na: 1\n", "yaml-directive", 1),
        ("%TAG ! tag:example.org,2026:\n---\na: 1\n", "yaml-directive", 1),
        ("a: 1\n1: 2\n", "yaml-key", 2),
        ("true: 2\n", "yaml-key", 1),
        ("? [a]\n: 2\n", "yaml-key", 1),
        ("{a: 1}: 2\n", "yaml-key", 1),
        ("no: 2\n", "yaml-scalar", 1),
        ("- a\n- b\n", "yaml-syntax", 1),
        ("text\n", "yaml-syntax", 1),
        ("# only a comment\n", "yaml-syntax", 1),
        ("a:\n\tb: 1\n", "yaml-syntax", 2),
        ("a: [1, 2\n", "yaml-syntax", 2),
        ("a: 'x\n", "yaml-syntax", 2),
        ('a: "\\q"\n', "yaml-syntax", 1),
        ("a: `x`\n", "yaml-syntax", 1),
        ("a: @x\n", "yaml-syntax", 1),
        ("a: b: c\n", "yaml-syntax", 1),
        ("a: one\n\n  two\n", "yaml-scalar", 1),
        ("\ufeffa: 1\n", "yaml-text", 1),
        ("a: 1\nb: x\u202ey\n", "yaml-text", 2),
        ("a: 1\nb: x\u200by\n", "yaml-text", 2),
        ("a: 1\nb: \x1b[31mred\n", "yaml-text", 2),
        ("a: 1\nb: \x00\n", "yaml-text", 2),
        ("a: 1\nb: \x7f\n", "yaml-text", 2),
        ("a: 1\nb: x\x85y\n", "yaml-text", 2),
        ("a: 1\nb: x\u2028y\n", "yaml-text", 2),
        ("a: 1\nb: caf\u0065\u0301\n", "yaml-text", 2),
        ("a: 1\ncafe\u0301: 1\n", "yaml-text", 2),
        ("a: \U0001f468\u200d\U0001f469\n", "yaml-text", 1),
        ("a: \ue000\n", "yaml-text", 1),
        ("a: \U000e0041\n", "yaml-text", 1),
        ("a: \U0001ffff\n", "yaml-text", 1),
        (b"a: 1\nb: \xff\n", "yaml-text", 2),
        (b"a: 1\nb: \xed\xa0\x80\n", "yaml-text", 2),
        (b"a: \xc0\x80\n", "yaml-text", 1),
        (b"\xff\xfea\x00:\x00", "yaml-text", 1),
        ('a: 1\nb: "\\u202e"\n', "yaml-text", 2),
        ('a: 1\nb: "\\0"\n', "yaml-text", 2),
        ('a: 1\nb: "\\e[31m"\n', "yaml-text", 2),
        ('a: 1\nb: "\\x85"\n', "yaml-text", 2),
        ('a: 1\nb: "\\N"\n', "yaml-text", 2),
        ('a: 1\nb: "\\L"\n', "yaml-text", 2),
        ('a: 1\nb: "\\uFEFF"\n', "yaml-text", 2),
        ('a: 1\nb: "e\\u0301"\n', "yaml-text", 2),
        ('a: 1\n"\\u202e": 2\n', "yaml-text", 2),
        ('a: 1\nb: "\\U000E0041"\n', "yaml-text", 2),
        ("", "yaml-syntax", 0),
        (" \n\t\n", "yaml-syntax", 0),
        (b"a: " + b"x" * MAX_BYTES, "too-large", 0),
    ],
)
def test_what_two_readers_could_take_differently_is_refused_with_its_line(data, rule, line):
    finding = refusal(data)
    assert (finding.rule, finding.line) == (rule, line)


def test_the_character_that_is_not_allowed_is_named():
    assert "U+202E" in refusal("a: x\u202ey\n").message
    assert "NFC" in refusal("a: e\u0301\n").message


def test_an_escaped_surrogate_never_becomes_text():
    assert refusal('a: "\\ud83d\\ude00"\n').rule in ("yaml-syntax", "yaml-text")


def test_an_emoji_beyond_the_basic_plane_is_text():
    assert parse_yaml('a: "\U0001f600 ❤"\nb: "\\U0001F600"\n'.encode()).value["b"] == "\U0001f600"


BRACKETS = {
    "flow lists": b"[" * 25_000,
    "flow lists just below the old cap": b"[" * 19_900,
    "flow mappings": b"{" * 25_000,
    "flow lists as a value": b"a: " + b"[" * 25_000,
    "flow mappings with keys": b"{a: " * 12_500,
    "flow lists with entries": b"[a," * 20_000,
    "alternating": b"[{" * 12_500,
    "block lists": b"- " * 25_000,
    "block lists by indentation": b"\n".join(b" " * depth + b"-" for depth in range(300)),
    "block mappings by indentation": b"\n".join(b" " * depth + b"a:" for depth in range(300)),
    "explicit keys": b"? " * 25_000,
    "explicit keys in flow": b"? [" * 15_000,
    "with quotes": b'["x", ' * 10_000,
    "with quoted brackets between": b'["[", ' * 10_000,
    "in single quotes and out": b"['[', " * 10_000,
    "after a comment": b"# [\n" + b"[" * 25_000,
    "closing only": b"]" * 25_000,
    "commas": b"[" + b"," * 60_000,
    "tags": b"!" * 60_000,
    "anchors": b"&a " * 20_000,
    "aliases": b"a: [" + b"*a, " * 15_000,
    "documents": b"---\n" * 15_000,
    "document ends": b"...\n" * 15_000,
    "directives": b"%TAG ! x\n" * 6_000,
    "quotes": b'"' * 60_000,
    "nodes": b"a: [" + b"1," * 30_000 + b"1]\n",
    "spaces": b" " * 65_000,
    "line feeds": b"\n" * 65_000,
    "question marks": b"?" * 60_000 + b" ",
    "colons": b"a: " * 20_000,
    "a wide key": b"? " + b"x" * 60_000 + b"\n: 1\n? [\n",
}


@pytest.mark.parametrize("name", BRACKETS)
def test_t27_nested_and_repeated_marks_are_refused_quickly_and_without_a_crash(name, loader):
    start = time.process_time()
    finding = refusal(BRACKETS[name])
    elapsed = time.process_time() - start
    assert finding.rule
    assert elapsed < (0.05 if loader == "C" and name != "nodes" else 5)


def test_depth_is_counted_from_the_top():
    fits = "a: " + "[" * (MAX_DEPTH - 1) + "x" + "]" * (MAX_DEPTH - 1) + "\n"
    assert parse_yaml(fits.encode()).value
    assert refusal("a: " + "[" * MAX_DEPTH + "x" + "]" * MAX_DEPTH).rule == "too-deep"


def test_t26_a_bomb_of_aliases_is_refused_quickly():
    names = "abcdefghi"
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in itertools.pairwise(names)]
    start = time.process_time()
    assert refusal("\n".join(lines)).rule == "yaml-alias"
    assert time.process_time() - start < 0.05


def test_a_line_is_known_for_every_pointer_and_else_for_its_parent():
    document = parse_yaml(b"a:\n  b:\n    - 1\n    - c: 2\n\n  d/e~f: 3\n")
    assert document.line_of("/a/b/1/c") == 4
    assert document.line_of("/a/d~1e~0f") == 6
    assert document.line_of("/a/missing/deeper") == 1
    assert document.line_of("/missing") == 1
    assert Document({}).line_of("/x") == 1


def test_a_pointer_step_is_escaped_as_rfc_6901_says():
    assert pointer_step("a/b~c") == "/a~1b~0c"
    assert pointer_step(0) == "/0"


def test_a_larger_limit_can_be_asked_for():
    assert parse_yaml(b"a: x" + b"x" * MAX_BYTES, max_bytes=2 * MAX_BYTES).value
