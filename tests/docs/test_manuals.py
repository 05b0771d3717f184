"""The manuals' commands, typed by their people in the order they would be, with the demo's containers and real Git."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANUALS = sorted((ROOT / "docs/manuals").glob("*.md"))
BLOCK = re.compile(r"(?:^<!-- executed: (\d+) ([a-z-]+) -->\n)?^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, order=True)
class Block:
    """What one person types at one point of the story."""

    place: int
    person: str
    page: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands, each with the lines that continue it."""
        return [part.strip() for part in re.split(r"(?m)^\$ ", self.text) if part.strip()]


def blocks(page: Path) -> list[Block]:
    found = []
    for place, person, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        assert language in ("console", "yaml"), f"{page.name}: a block of {language or 'no language'}"
        assert (language == "console") == bool(place), f"{page.name}: commands that nobody executes:\n{text}"
        if place:
            found.append(Block(int(place), person, page.name, text))
    return found


def test_every_manual_has_commands_and_every_place_of_the_story_is_taken_once() -> None:
    story = [block for page in MANUALS for block in blocks(page)]
    assert {block.page for block in story} == {page.name for page in MANUALS}
    assert len({block.place for block in story}) == len(story)


@pytest.mark.engine
def test_the_manuals_commands_work_in_the_order_of_the_story(tmp_path: Path) -> None:
    for name in ("examples", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    split = [sys.executable, ROOT / "examples/breast-cancer/split.py", "--out", tmp_path / "raw"]
    subprocess.run(split, check=True, capture_output=True)
    for block in sorted(block for page in MANUALS for block in blocks(page)):
        home = tmp_path / "people" / block.person
        home.mkdir(parents=True, exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: os.environ[name] for name in ("DOCKER_HOST", "LANG") if name in os.environ}
        environment = {**kept, "PATH": path, "HOME": str(home), "MEDPERF_GIT_HOME": str(home / "state")}
        script = "set -euo pipefail\n" + "\n".join(block.commands)
        words = ["bash", "-c", script]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (
            f"{block.page}, {block.person}:\n{script}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        )
    assert (tmp_path / "site/index.html").is_file()
    assert "VERIFIED: results/" in done.stdout
