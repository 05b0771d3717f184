"""The one judge as people, CI and other programs ask it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medperf_git.flows.wording import escape
from tests.support.people import Human, Town, git_environ

HOOKS = Path(__file__).resolve().parents[3] / "hooks"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.found("ana")
    return town


@pytest.fixture
def clone(town: Town) -> Path:
    """A clone of a registry with an open proposal, and a bad branch of one's own."""
    town.ask("bob")
    folder = town.folder / "clone"
    environ = git_environ()
    subprocess.run(["git", "clone", "-q", town.url, str(folder)], check=True, env=environ)
    (folder / "notes.txt").write_text("hello\n", encoding="utf-8")
    subprocess.run(["git", "checkout", "-q", "-b", "bad"], cwd=folder, check=True, env=environ)
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True, env=environ)
    subprocess.run(["git", "commit", "-q", "-m", "bad"], cwd=folder, check=True, env=environ)
    return folder


def proposal(town: Town) -> str:
    return town.git("for-each-ref", "--format=%(objectname)", "refs/heads/submit")


def test_check_in_a_plain_repository_says_which_of_the_three_it_is(town: Town, clone: Path) -> None:
    ana = town.founder
    waits = ana.run("check", "--repo", clone, "--base", "main", "--head", proposal(town), "--json", code=1).value
    assert waits["verdict"] == "needs-a-person"
    fails = ana.run("check", "--repo", clone, "--base", "main", "--head", "bad", "--json", code=1).value
    assert (fails["verdict"], [f["path"] for f in fails["findings"] if f["rule"] == "layout"]) == (
        "fail",
        ["notes.txt"],
    )
    bob = town.people["bob"]
    ana.run("admit", "bob", "--yes")
    commits = town.git("rev-list", "--first-parent", "main").split()
    bob.run("sync")
    passes = bob.run("check", "--base", commits[1], "--head", commits[0], "--json").value
    assert passes["verdict"] == "pass"


def test_check_counts_what_it_read_with_trees_apart(town: Town, clone: Path) -> None:
    told = town.founder.run("check", "--repo", clone, "--head", proposal(town), "--json", code=1).value
    for count in (told["objects_read"], told["bytes_read"]):
        assert count["total"] == count["tree"] + count["other"]
        assert count["other"] > 0


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("text", "✗ no file of a registry has this path [layout]"),
        ("github", "::error file=notes.txt,title=layout::no file of a registry has this path"),
        ("markdown", "- ❌ `no file of a registry has this path` (`layout`)"),
    ],
)
def test_each_format_names_file_rule_and_fix(town: Town, clone: Path, form: str, expected: str) -> None:
    said = town.founder.run("check", "--repo", clone, "--head", "bad", "--format", form, code=1)
    assert expected in said.out
    assert "remove it" in said.out


def test_our_own_trouble_is_never_worded_as_the_authors_fault(town: Town, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    town.join("bob")
    environ = git_environ()
    command = ["git", "clone", "-q", "--depth=1", f"file://{town.url}", str(shallow)]
    subprocess.run(command, check=True, env=environ)
    head = town.main
    town.join("eve")
    subprocess.run(["git", "fetch", "-q", "--depth=1", "origin", "main"], cwd=shallow, check=True, env=environ)
    told = town.founder.run("check", "--repo", shallow, "--base", head, "--head", town.main, "--json", code=3).value
    assert told["verdict"] == "could-not-check"


def test_a_commit_that_is_not_here_is_a_usage_problem(town: Town) -> None:
    said = town.founder.run("check", "--head", "a" * 40, code=2)
    assert "fetch it first" in said.err


def test_files_are_checked_by_themselves(town: Town, tmp_path: Path) -> None:
    ana = town.founder
    draft = tmp_path / "draft.yaml"
    draft.write_text("kind: member\nspec: 1\n", encoding="utf-8")
    said = ana.run("check", draft, code=1)
    assert "missing key" in said.out
    copy = tmp_path / "copy" / "members" / "ana" / "0001.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text(town.git("show", "main:members/ana/0001.yaml") + "\n", encoding="utf-8")
    ana.run("check", copy)


def run_hook(name: str, *argv: str, human: Human) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HOOKS / name), *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=human.environ, timeout=60)


def test_the_hook_check_change_judges_in_any_ci(town: Town, clone: Path) -> None:
    bad = run_hook("check_change", str(clone), "main", "bad", human=town.founder)
    assert (bad.returncode, "verdict: fail" in bad.stdout) == (1, True)


def test_the_hook_pre_commit_names_what_is_wrong(town: Town, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text("kind: member\n", encoding="utf-8")
    done = run_hook("pre-commit", str(draft), human=town.founder)
    assert (done.returncode, "schema version" in done.stdout) == (1, True)


def test_the_hook_build_site_writes_pages_of_a_verified_history(town: Town, tmp_path: Path) -> None:
    done = run_hook("build_site", town.url, town.main, str(tmp_path / "site"), human=town.founder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()


def test_json_of_check_has_nothing_that_a_terminal_acts_upon(town: Town, clone: Path) -> None:
    text = town.founder.run("check", "--repo", clone, "--head", "bad", "--json", code=1).out
    assert escape(text) == text
    json.loads(text)
