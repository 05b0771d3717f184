"""`check --steps`: main as a merge would leave it, judged step by step (T63)."""

import subprocess
from pathlib import Path

import pytest

from tests.support.people import Town, git_environ


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = Town(tmp_path_factory.mktemp("town"))
    town.found("ana")
    town.join("bob")
    town.join("eve")
    return town


def run(*words: str, cwd: Path | None = None) -> None:
    subprocess.run(words, cwd=cwd, check=True, env=git_environ())


def test_every_step_that_main_would_gain_is_judged(town: Town) -> None:
    root = town.git("rev-list", "--max-parents=0", "main")
    words = ("check", "--repo", town.repository, "--steps", "--base", root, "--head", "main", "--json")
    told = town.founder.run(*words).value
    assert (told["verdict"], told["base"], told["head"]) == ("pass", root, town.main)
    assert told["objects_read"]["total"] > 0


def test_together_they_are_no_single_proposal(town: Town) -> None:
    """Two members are two steps, each fine; a judge that saw one change would still find one kind of record."""
    root = town.git("rev-list", "--max-parents=0", "main")
    said = town.founder.run("check", "--repo", town.repository, "--steps", "--base", root, "--head", "main")
    assert said.out == "pass: it would be accepted\n"


def test_the_step_that_is_wrong_is_named(town: Town, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "-q", town.url, str(clone))
    (clone / "notes.txt").write_text("x", encoding="utf-8")
    for words in (["add", "-A"], ["commit", "-q", "-m", "x"], ["commit", "-q", "--allow-empty", "-m", "y"]):
        run("git", *words, cwd=clone)
    done = subprocess.run(
        ["git", "rev-parse", "main~1"], cwd=clone, check=True, env=git_environ(), capture_output=True, text=True
    )
    said = town.founder.run("check", "--repo", clone, "--steps", "--base", town.main, "--head", "main", code=1)
    assert f"step {done.stdout[:12]}: no file of a registry has this path" in said.out
    assert "[empty]" in said.out


def test_nothing_to_judge_is_no_pass(town: Town) -> None:
    said = town.founder.run("check", "--repo", town.repository, "--steps", "--base", "main", "--head", "main", code=1)
    assert "main would gain no step" in said.out


def test_our_own_trouble_is_said_as_ours(town: Town, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "-q", "--bare", town.url, str(clone))
    gone = town.git("rev-parse", "main:members/eve/0001.yaml")
    for pack in (clone / "objects" / "pack").glob("*.pack"):
        moved = tmp_path / pack.name
        pack.rename(moved)
        with moved.open("rb") as stream:
            subprocess.run(["git", "unpack-objects", "-q"], stdin=stream, cwd=clone, check=True, env=git_environ())
    loose = clone / "objects" / gone[:2] / gone[2:]
    loose.unlink()
    for pack in (clone / "objects" / "pack").iterdir():
        pack.unlink()
    said = town.founder.run("check", "--repo", clone, "--steps", "--base", "main~1", "--head", "main", code=2)
    assert "names no commit" in said.err
    base = town.git("rev-parse", "main~1")
    said = town.founder.run("check", "--repo", clone, "--steps", "--base", base, "--head", "main", code=3)
    assert "the trouble is on this side" in said.out
