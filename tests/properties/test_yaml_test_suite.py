"""None of the documents that the YAML test suite calls invalid is read, as it is or below a key."""

import json
from pathlib import Path

import pytest
import yaml

from medperf_git.records import yaml_document
from medperf_git.records.canonical import Unwritable, emit
from medperf_git.records.quick import parse_canonical
from medperf_git.records.strict_yaml import Unreadable, parse_yaml

FILE = Path(__file__).with_name("yaml_test_suite") / "invalid.json"
INVALID: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
# What PyYAML's C parser reads all the same; why `yaml_lines` exists.
READ_BY_LIBYAML = {"9C9N", "DK95/1", "QB6E", "S98Z", "SU5Z", "X4QW"}


@pytest.fixture(params=["C", "Python"], autouse=True)
def loader(request, monkeypatch):
    monkeypatch.setattr(yaml_document, "_LOADER", yaml.CSafeLoader if request.param == "C" else yaml.SafeLoader)


def below_a_key(text: str, indent: str) -> str:
    return "k:\n" + "".join(f"{indent}{line}\n" for line in text.removesuffix("\n").split("\n"))


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_document_is_accepted_by_no_path(name):
    whole = INVALID[name]
    for text in (whole, whole.replace("\n", "\r\n"), below_a_key(whole, " "), below_a_key(whole, "  ")):
        with pytest.raises(Unreadable) as caught:
            parse_yaml(text.encode())
        assert caught.value.finding.message
        assert caught.value.finding.fix
        assert not quickly_accepted(text.encode())


def quickly_accepted(data: bytes) -> bool:
    value = parse_canonical(data)
    try:
        return bool(value) and emit(value, {}) == data
    except Unwritable:
        return False


def test_there_are_94_of_them_and_the_c_parser_alone_would_read_some():
    assert len(INVALID) == 94
    for name in READ_BY_LIBYAML:
        assert isinstance(yaml.load(INVALID[name], Loader=yaml.CSafeLoader), dict)
