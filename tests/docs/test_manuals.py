"""The manuals' commands, typed by their people in the order they would be, with the demo's containers and real Git."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT, Block, Terminals, blocks

MANUALS = [*sorted((ROOT / "docs/manuals").glob("*.md")), ROOT / "docs/coming-from-medperf.md"]
QUICK_START = ROOT / "docs/quick-start.md"


def story(pages: list[Path]) -> list[Block]:
    return sorted(block for page in pages for block in blocks(page) if block.place)


@pytest.mark.parametrize("page", MANUALS, ids=lambda page: page.stem)
def test_every_command_of_a_manual_is_executed(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("console", "yaml"), f"{page.name}: a block of {block.language or 'no language'}"
        assert (block.language == "console") == bool(block.place), (
            f"{page.name}: commands nobody executes:\n{block.text}"
        )


@pytest.mark.parametrize("pages", [MANUALS, [QUICK_START]], ids=["manuals", "quick start"])
def test_every_page_has_commands_and_every_place_of_the_story_is_taken_once(pages: list[Path]) -> None:
    assert {ROOT / block.page for block in story(pages)} == set(pages)
    assert len({block.place for block in story(pages)}) == len(story(pages))


@pytest.mark.engine
def test_the_manuals_commands_work_in_the_order_of_the_story(tmp_path: Path) -> None:
    for name in ("examples", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    split = [sys.executable, ROOT / "examples/breast-cancer/split.py", "--out", tmp_path / "raw"]
    subprocess.run(split, check=True, capture_output=True)
    terminals = Terminals(tmp_path)
    said = [terminals.type(block) for block in story(MANUALS)]
    assert (tmp_path / "site/index.html").is_file()
    assert any("VERIFIED: results/" in one for one in said)


@pytest.mark.engine
def test_the_quick_start_leads_from_nothing_to_a_leaderboard(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    terminals = Terminals(tmp_path)
    said = [terminals.type(block) for block in story([QUICK_START])]
    assert "laboratory/forest@1" in said[-1]
    assert "committee/knn@1" in said[-1]
    assert "no claim beyond it can be made" in said[-1]
    page = tmp_path / "quick-start/leaderboard/benchmarks/committee/aspirates/1/index.html"
    assert "Patients of a hospital" in page.read_text(encoding="utf-8")
