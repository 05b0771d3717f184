"""The story from its beginning, told by people's own commands through the hook alone."""

import json
from pathlib import Path

from tests.support.people import Town
from tests.support.story import RESULT, files_of, play


def test_the_whole_story_goes_through_the_hook_and_stands_an_audit(tmp_path: Path, template: Town) -> None:
    town = play(tmp_path / "town")
    east = town.human("east")
    east.run("sync")
    assert "valid" in east.run("audit").out
    records = {path for path in files_of(east.workspace().view) if path.endswith(".yaml")}
    assert RESULT in records
    assert records == {path for path in files_of(template.founder.workspace().view) if path.endswith(".yaml")}
    assert town.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_the_leaderboard_of_a_commit_has_the_same_bytes_on_every_machine(town: Town, tmp_path: Path) -> None:
    sites = []
    for name in ("north", "east"):
        out = tmp_path / name
        town.human(name).run("sync")
        town.human(name).run("leaderboard", "build", "--at", town.main, "--out", out)
        sites.append({str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert sites[0] == sites[1]
    assert "index.html" in sites[0]
    assert any(b"0.912" in data for name, data in sites[0].items() if name.endswith(".html"))
    assert all(json.loads(data) for name, data in sites[0].items() if name.endswith(".json"))
