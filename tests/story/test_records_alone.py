"""`audit --records`: what main holds now, each record by itself, and read once."""

import json
from pathlib import Path

from tests.support.people import Town
from tests.support.story import RESULT, Clone


def test_what_was_read_once_is_not_read_again(town: Town) -> None:
    east = town.human("east")
    first = json.loads(east.run("audit", "--records", "--json").out)
    again = json.loads(east.run("audit", "--records", "--json").out)
    assert first["findings"] == again["findings"] == []
    assert first["records_read"] > 10
    assert first["signatures_read"] >= first["records_read"]
    assert (again["records_read"], again["signatures_read"]) == (0, 0)
    assert "0 records and 0 signatures were new here" in east.run("audit", "--records").out


def test_a_changed_record_is_named_with_what_is_wrong(town: Town, tmp_path: Path) -> None:
    east = town.human("east")
    east.run("audit", "--records")
    clone = Clone.of(town, tmp_path / "clone")
    (clone.folder / RESULT).write_bytes((clone.folder / RESULT).read_bytes().replace(b"0.912", b"0.999"))
    clone.git("commit", "-qam", "Improve")
    town.git("fetch", "-q", str(clone.folder), "+HEAD:refs/heads/main")
    said = east.run("audit", "--records", code=5)
    assert RESULT in said.out + said.err
    assert "signed for other bytes" in said.out + said.err
