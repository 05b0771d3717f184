"""GitHub's workflows that speak, merge and publish run from main, on their own judgement (T05, T40, T43, T63)."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.house import Host
from tests.ci.conftest import Hosted, proposal_of
from tests.ci.runner import Ran, forge_environ, load, run_job
from tests.support.people import Human

FOLDER = ".github/workflows"


class Forge:
    """GitHub's side of a registry: its open pull requests and comments, behind a program called `gh`."""

    def __init__(self, hosted: Hosted, folder: Path) -> None:
        self.hosted = hosted
        self.folder = folder
        self.file = folder / "state.json"
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        gh = self.programs / "gh"
        gh.write_text(
            f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "gh.py"} {self.file} "$@"\n', encoding="utf-8"
        )
        gh.chmod(0o755)
        self.write({"pulls": [], "comments": {}, "calls": [], "repository": str(hosted.repository)})

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return state

    def write(self, state: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(state), encoding="utf-8")

    def open(self, commit: str, *, shown: str = "", draft: bool = False) -> int:
        """Open a pull request; `shown` is the head that the list still says when it has moved."""
        number = self.hosted.pull(commit)
        state = self.state
        state["pulls"].append(
            {"number": number, "head": {"sha": shown or commit}, "draft": draft, "title": "@all\n::x"}
        )
        self.write(state)
        return number

    def run(self, name: str, job: str) -> Ran:
        workflow = load(self.hosted.git("show", f"main:{FOLDER}/{name}"))
        folder = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        environ = forge_environ(self.folder, GITHUB_REPOSITORY="owner/heart")
        environ["PATH"] = f"{self.programs}{os.pathsep}{environ['PATH']}"
        github = {"server_url": self.hosted.server, "repository": "owner/heart", "token": "t0ken"}
        return run_job(workflow["jobs"][job], folder, context={"github": github}, environ=environ)

    def comments(self, number: int) -> list[str]:
        return [comment["body"] for comment in self.state["comments"].get(str(number), [])]


@pytest.fixture
def forge(hosted: Hosted, tmp_path: Path) -> Forge:
    return Forge(hosted, tmp_path / "github")


def test_each_proposal_gets_one_comment_that_is_kept_up_to_date(forge: Forge) -> None:
    good = forge.open(proposal_of(forge.hosted, "lab-x"))
    bad = forge.open(forge.hosted.commit({"@everyone <img src=x>.txt": b"x"}))
    ran = forge.run("comment.yml", "comment")
    assert ran.code == 0, ran.said
    (said,) = forge.comments(good)
    assert said.startswith("<!-- medperf-git -->\n### pass: it would be accepted")
    (said,) = forge.comments(bad)
    assert "`@everyone <img src=x>.txt`" in said
    calls = len(forge.state["calls"])
    assert forge.run("comment.yml", "comment").code == 0
    written = [call for call in forge.state["calls"][calls:] if "--method" in call]
    assert (written, len(forge.comments(good)), len(forge.comments(bad))) == ([], 1, 1)
    forge.hosted.merge(forge.hosted.main, proposal_of(forge.hosted, "labx"), ref="refs/heads/main")
    assert forge.run("comment.yml", "comment").code == 0
    (said,) = forge.comments(good)
    assert "### fail: it would be refused" in said


def test_nobody_elses_comment_is_touched(forge: Forge) -> None:
    number = forge.open(proposal_of(forge.hosted, "lab-x"))
    state = forge.state
    fake = {"id": 99, "user": {"login": "mallory"}, "body": "<!-- medperf-git -->\n### pass"}
    state["comments"][str(number)] = [fake]
    forge.write(state)
    assert forge.run("comment.yml", "comment").code == 0
    assert forge.comments(number)[0] == fake["body"]
    assert len(forge.comments(number)) == 2


def test_t43_what_a_list_says_besides_numbers_and_commits_is_dropped(forge: Forge) -> None:
    state = forge.state
    state["pulls"] = [{"number": 1, "head": {"sha": "$(touch /tmp/pwned)"}, "draft": False}]
    forge.write(state)
    assert forge.run("comment.yml", "comment").code == 0
    assert forge.run("merge.yml", "merge").code == 0
    assert forge.state["comments"] == {}


def test_what_passes_is_merged_and_the_site_is_started(forge: Forge) -> None:
    forge.open(forge.hosted.commit({"notes.txt": b"x"}))
    forge.open(proposal_of(forge.hosted, "waiting"))
    commit = proposal_of(forge.hosted, "lab-x")
    number = forge.open(commit)
    ran = forge.run("merge.yml", "merge")
    assert ran.code == 0, ran.said
    merges = [call for call in forge.state["calls"] if call[:2] == ["pr", "merge"]]
    assert [(call[2], call[-1]) for call in merges] == [(str(number), commit)]
    assert ["workflow", "run", "site.yml", "--repo", "owner/heart", "--ref", "main"] in forge.state["calls"]
    assert forge.hosted.git("rev-parse", "main^2") == commit
    assert len(forge.state["pulls"]) == 2


def test_t63_each_is_judged_on_main_as_the_merge_before_left_it(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    forge.open(proposal_of(forge.hosted, "labx"))
    ran = forge.run("merge.yml", "merge")
    assert (ran.code, "1 merged" in ran.said) == (0, True)
    assert forge.run("site.yml", "build").code == 0


def test_a_head_that_moved_after_it_was_listed_is_not_merged(forge: Forge) -> None:
    moved = forge.hosted.commit({"notes.txt": b"x"}, on=proposal_of(forge.hosted, "lab-x"))
    forge.open(moved, shown=proposal_of(forge.hosted, "lab-x"))
    state = forge.state
    before = forge.hosted.main
    gh = forge.programs / "gh"
    # Between the list and the merge the head moves; GitHub compares it with the judged commit.
    text = gh.read_text(encoding="utf-8").replace(
        "exec ", f'[ "$1" = pr ] && sed -i s/{state["pulls"][0]["head"]["sha"]}/{moved}/ {forge.file}\nexec '
    )
    gh.write_text(text, encoding="utf-8")
    ran = forge.run("merge.yml", "merge")
    assert (ran.code, "0 merged" in ran.said) == (0, True), ran.said
    assert forge.hosted.main == before


def test_drafts_are_left_alone(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"), draft=True)
    assert "0 merged" in forge.run("merge.yml", "merge").said


def test_the_site_is_built_from_a_verified_main(forge: Forge) -> None:
    ran = forge.run("site.yml", "build")
    assert ran.code == 0, ran.said
    assert (ran.folder / "site" / "index.html").is_file()
    assert ran.steps[-1][0] == "Hand the pages to the job that publishes them"


def test_t05_t40_a_forged_step_on_main_stops_the_site_and_every_reader(forge: Forge, tmp_path: Path) -> None:
    reader = Human("reader", tmp_path / "reader")
    reader.run("registry", "add", forge.hosted.repository)
    own = {f"{FOLDER}/judge.yml": b"on: pull_request\njobs: {}\n", "members/eve/0001.yaml": b"kind: member\n"}
    forge.hosted.git("update-ref", "refs/heads/main", forge.hosted.commit(own))
    ran = forge.run("site.yml", "build")
    assert ran.code == 5
    assert "is not valid; no site is built from it" in ran.said
    assert not (ran.folder / "site").exists()
    said = reader.run("sync", code=5)
    assert "is not valid" in said.err


@pytest.mark.parametrize("hosted", [Host.FORGEJO], indirect=True)
def test_forgejos_pages_go_to_a_branch_of_their_own(hosted: Hosted, tmp_path: Path) -> None:
    workflow = load(hosted.git("show", "main:.forgejo/workflows/site.yml"))
    context = {"github": {"server_url": hosted.server, "repository": "owner/heart", "token": "t0ken"}}
    for number in range(2):
        ran = run_job(
            workflow["jobs"]["site"], tmp_path / f"run-{number}", context=context, environ=forge_environ(tmp_path)
        )
        assert ran.code == 0, ran.said
    assert "index.html" in hosted.git("ls-tree", "-r", "--name-only", "refs/heads/pages").splitlines()
    hosted.git("update-ref", "refs/heads/main", hosted.commit({"notes.txt": b"forged\n"}))
    ran = run_job(workflow["jobs"]["site"], tmp_path / "forged", context=context, environ=forge_environ(tmp_path))
    assert ran.code == 5
