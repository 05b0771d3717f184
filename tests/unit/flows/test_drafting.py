"""Drafts are commented, and any valid YAML becomes canonical without a change of content."""

from pathlib import Path

import pytest
import yaml

from medperf_git.flows.drafting import commented_draft, format_file
from medperf_git.records.layout import Kind
from medperf_git.records.schemas import schema_of
from tests.support.people import Human

MEMBER = """\
# a comment that fmt drops
title: 'Ana'   # quoted otherwise
member: ana
kind: member
spec: 1
created: '2026-11-25T11:00:00Z'
status: active
keys: {signing: [{key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAuSHSNb6tZQmC3hy9LNsz7/qQKHd+hUYWpQpxVE9Vlj"}]}
"""


@pytest.fixture
def ana(tmp_path: Path) -> Human:
    return Human("ana", tmp_path / "ana")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_draft_names_every_field_and_is_yaml(kind: Kind) -> None:
    text = commented_draft(kind)
    assert yaml.safe_load(text)["kind"] == kind
    for name, field in schema_of(kind)["properties"].items():
        assert f"{name}:" in text
        if description := field.get("description"):
            assert description in text


def test_new_writes_a_draft_and_never_over_a_file(ana: Human, tmp_path: Path) -> None:
    out = tmp_path / "draft.yaml"
    ana.run("new", "dataset", "--out", out)
    assert "kind: dataset" in out.read_text(encoding="utf-8")
    assert "is there already" in ana.run("new", "dataset", "--out", out, code=1).err


def test_fmt_brings_a_file_into_canonical_form_and_shows_the_difference(ana: Human, tmp_path: Path) -> None:
    path = tmp_path / "member.yaml"
    path.write_text(MEMBER, encoding="utf-8")
    said = ana.run("fmt", "--check", path, code=1)
    assert path.read_text(encoding="utf-8") == MEMBER
    said = ana.run("fmt", path)
    assert "+title: Ana" in said.out
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text) == yaml.safe_load(MEMBER)
    assert text.startswith("kind: member\nspec: 1\n")
    assert ana.run("fmt", "--check", path).out == "1 files: 0 would change, 0 with findings\n"
    ana.run("check", path)


def test_fmt_fills_in_nothing(tmp_path: Path) -> None:
    path = tmp_path / "member.yaml"
    path.write_text("kind: member\nspec: 1\n", encoding="utf-8")
    formatted = format_file(path, write=True)
    assert formatted.findings
    assert path.read_text(encoding="utf-8") == "kind: member\nspec: 1\n"


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "kind: nothing\n", "a: &x 1\nb: *x\n", ""])
def test_what_is_no_record_is_a_finding(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    assert format_file(path, write=True).findings
    assert path.read_text(encoding="utf-8") == text
