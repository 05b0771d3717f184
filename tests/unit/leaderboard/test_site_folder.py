"""Where a site may be written: what lies there decides, and nothing hostile in it holds a build up."""

import os
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.leaderboard.writing import INDEX, write_site

FILES = {"index.html": b"page", INDEX: b'{"made_by": "medperf-git leaderboard"}'}


@pytest.mark.parametrize("what", ["text", "deep", "huge", "pipe", "folder", "link"])
def test_an_index_that_is_none_of_ours_makes_no_site(tmp_path: Path, what: str) -> None:
    index = tmp_path / "site" / INDEX
    index.parent.mkdir()
    match what:
        case "text":
            index.write_text("hello")
        case "deep":
            index.write_text("[" * 200_000)
        case "huge":
            index.write_bytes(FILES[INDEX] + b" " * 16_000_000)
        case "pipe":
            os.mkfifo(index)
        case "folder":
            index.mkdir()
        case "link":
            index.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageProblem, match="holds something that is no site of ours"):
        write_site(FILES, tmp_path / "site")
    assert list(index.parent.iterdir()) == [index]


@pytest.mark.parametrize("below", ["", "inner"])
def test_a_link_that_leads_to_itself_is_no_place_for_a_site(tmp_path: Path, below: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(EnvironmentProblem, match="could not be written to"):
        write_site(FILES, tmp_path / "loop" / below)
