import pytest
import yaml

from medperf_git.records import yaml_document
from medperf_git.records.strict_yaml import Unreadable, parse_yaml


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request, monkeypatch):
    monkeypatch.setattr(yaml_document, "_LOADER", yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [b,\nc]\n", 2),
        ("a: [\n  b\n]\n", 3),
        ("a: {b: 1,\n c: 2,\nd: 3}\n", 3),
        ('a: "b\nc"\n', 2),
        ("a: 'b\nc'\n", 2),
        ('a: "b\n\tc"\n', 2),
        ("a:\n  - [b,\n  c]\n", 3),
        ('a: "b\r\nc"\r\n', 2),
        ('a: "b\rc"\r', 2),
        ('a: "b"# c\n', 1),
        ("a: ># b\n  c\n", 1),
        ("a: |\n    \n  b\n", 2),
        ("a: >\n  \n   \n # b\n", 4),
    ],
)
def test_lines_that_only_some_readers_accept_are_refused(text, line):
    with pytest.raises(Unreadable) as caught:
        parse_yaml(text.encode())
    finding = caught.value.finding
    assert finding.rule == "yaml-syntax"
    assert finding.line in (line, line + 1)  # PyYAML itself refuses one of them, a line further


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [b,\n c]\n", ["b", "c"]),
        ("a: [\n  b, # one\n# two\n  c\n  ]\n", ["b", "c"]),
        ('a: "b\n\n \tc"\n', "b\nc"),
        ("a:\n- [b,\n  c]\n", [["b", "c"]]),
        ("a: b\n  c\n", "b c"),
        ('a: "b" # c\n', "b"),
        ('a: ["b","c"]\n', ["b", "c"]),
        ('a: {"b":"c"}\n', {"b": "c"}),
        ("a: | # b\n  c\n", "c\n"),
        ("a: |2-\n   c\n", " c"),
        ("a: |-2\n   c\n", " c"),
        ("a: |\n\n  b\n   c\n  \td\n", "\nb\n c\n\td\n"),
        ("{a: [b,\nc]}\n", ["b", "c"]),
    ],
)
def test_lines_that_yaml_allows_are_read(text, value):
    assert parse_yaml(text.encode()).value == {"a": value}
