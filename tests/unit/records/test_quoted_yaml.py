"""YAML for others: every parser, of 1.1 or 1.2, reads the same values back."""

import pytest
import yaml
from ruamel.yaml import YAML

from medperf_git.records.quoted_yaml import render_yaml
from tests.support.exports import CONTROL, LINES, TEXTS

EXAMPLE = """\
title: "1e5"
"no": "yes"
"key 2":
- "a"
- 1
- 0.5
- true
- null
inner:
  end: "x\\ny"
empty: []
"""


@pytest.mark.parametrize("text", [*LINES, *TEXTS, CONTROL])
def test_t49_text_is_the_same_as_key_and_value_to_parsers_of_both_versions(text: str) -> None:
    value = {"key": text, "list": [text, 1, 0.00001, True, None], text: {"inner": text}}
    data = render_yaml(value)
    assert yaml.safe_load(data) == value
    assert YAML(typ="safe", pure=True).load(data) == value


def test_text_is_quoted_keys_keep_their_order_and_nothing_is_shared() -> None:
    shared = {"end": "x\ny"}
    value = {"title": "1e5", "no": "yes", "key 2": ["a", 1, 0.5, True, None], "inner": shared, "empty": []}
    assert render_yaml(value).decode() == EXAMPLE
    assert b"&" not in render_yaml([shared, shared])
