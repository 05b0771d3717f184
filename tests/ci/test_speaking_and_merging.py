"""GitHub's workflows that speak, merge and publish run from main, on their own judgement (T05, T40, T43, T63)."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from medperf_git.forge.host import Host
from tests.ci.conftest import Hosted, proposal_of
from tests.ci.runner import INSTALL, Ran, forge_environ, holds, load, run_job
from tests.support.people import Human

FOLDER = ".github/workflows"
TOKEN = "t0ken"

# Notes whether the program behind `timeout`, or the shell that started it, has the token in its environment.
SNOOP = """
found=nothing
if cat /proc/$$/environ /proc/$PPID/environ | tr '\\0' '\\n' | grep -q 't0ken'; then found=t0ken; fi
echo "$(basename "$2"): $found" >>seen
"""


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
        self.write({"pulls": [], "comments": {}, "calls": [], "merged": {}, "repository": str(hosted.repository)})

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

    def workflow(self, name: str) -> dict[str, Any]:
        return load(self.hosted.git("show", f"main:{FOLDER}/{name}"))

    def run(self, name: str, job: str, **needs: Ran) -> Ran:
        written = self.workflow(name)["jobs"][job]
        folder = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        environ = forge_environ(self.folder, GITHUB_REPOSITORY="owner/heart")
        environ["PATH"] = f"{self.programs}{os.pathsep}{environ['PATH']}"
        github = {
            "server_url": self.hosted.server,
            "repository": "owner/heart",
            "token": TOKEN,
            "ref": "refs/heads/main",
        }
        context = {"github": github, "needs": {name: {"outputs": ran.outputs} for name, ran in needs.items()}}
        if not holds(written.get("if", ""), context):
            return Ran(folder, [("skipped", 0)])
        return run_job(written, folder, context=context, environ=environ)

    def judge(self) -> Ran:
        """Run the job of `merge` that judges."""
        ran = self.run("merge.yml", "judge")
        assert ran.code == 0, ran.said
        return ran

    def merge(self, judged: Ran | None = None) -> Ran:
        """Run `merge`, or only the job that merges when something was judged before."""
        return self.run("merge.yml", "merge", judge=judged or self.judge())

    def before(self, call: str, action: str) -> None:
        """Let something happen at the forge just before it answers a call."""
        gh = self.programs / "gh"
        text = gh.read_text(encoding="utf-8").replace("exec ", f'case "$*" in {call}) {action} ;; esac\nexec ', 1)
        gh.write_text(text, encoding="utf-8")

    @property
    def merges(self) -> list[tuple[int, str]]:
        """What GitHub was asked to merge: numbers and commits."""
        return [(int(call[2]), call[-1]) for call in self.state["calls"] if call[:2] == ["pr", "merge"]]

    @property
    def started(self) -> list[str]:
        """The workflows that were started, in order."""
        return [call[2] for call in self.state["calls"] if call[:2] == ["workflow", "run"]]

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
    assert forge.merge().steps == [("skipped", 0)]
    assert forge.state["comments"] == {}


def test_what_passes_is_merged_then_the_site_and_the_next_run_are_started(forge: Forge) -> None:
    forge.open(forge.hosted.commit({"notes.txt": b"x"}))
    forge.open(proposal_of(forge.hosted, "waiting"))
    base, commit = forge.hosted.main, proposal_of(forge.hosted, "lab-x")
    number = forge.open(commit)
    judged = forge.judge()
    assert judged.outputs == {"passed": f"{base} {number} {commit}"}
    ran = forge.merge(judged)
    assert ran.code == 0, ran.said
    assert forge.merges == [(number, commit)]
    assert forge.started == ["site.yml", "merge.yml"]
    assert forge.hosted.git("rev-parse", "main^1", "main^2").split() == [base, commit]
    assert len(forge.state["pulls"]) == 2


def test_t63_each_is_judged_on_main_as_the_merge_before_left_it(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    forge.open(proposal_of(forge.hosted, "labx"))
    assert forge.merge().code == 0
    assert forge.merge().steps == [("skipped", 0)]
    assert len(forge.merges) == 1
    assert forge.run("site.yml", "build").code == 0


def test_a_head_that_moved_after_it_was_judged_is_not_merged(forge: Forge) -> None:
    good, before = proposal_of(forge.hosted, "lab-x"), forge.hosted.main
    moved = forge.hosted.commit({"notes.txt": b"x"}, on=good)
    forge.open(moved, shown=good)
    # GitHub compares the head with the judged commit when it merges.
    forge.before("pr*", f"sed -i s/{good}/{moved}/ {forge.file}")
    ran = forge.merge()
    assert (ran.code, "GitHub merged none of those that pass" in ran.said) == (0, True), ran.said
    assert (forge.hosted.main, forge.started) == (before, [])


def test_one_that_github_holds_back_does_not_keep_the_others_out(forge: Forge) -> None:
    held = forge.open(proposal_of(forge.hosted, "lab-x"))
    free = forge.open(proposal_of(forge.hosted, "labx"))
    forge.before(f'"pr merge {held} "*', "exit 1")
    judged = forge.judge()
    base = forge.hosted.main
    judged.outputs["passed"] = " ".join(
        [base, *(f"{pull['number']} {pull['head']['sha']}" for pull in forge.state["pulls"])]
    )
    assert forge.merge(judged).code == 0
    assert [number for number, _ in forge.merges] == [free]


def test_a_main_that_moved_after_the_judgement_ends_the_run(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    judged = forge.judge()
    forge.hosted.merge(forge.hosted.main, proposal_of(forge.hosted, "labx"), ref="refs/heads/main")
    ran = forge.merge(judged)
    assert (ran.code, "the next run judges on the new one" in ran.said) == (0, True), ran.said
    assert (forge.merges, forge.started) == ([], [])


def test_a_main_that_moves_at_the_last_moment_is_said_loudly_and_nothing_is_built_on_it(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    other = proposal_of(forge.hosted, "labx")
    by_hand = forge.hosted.merge(forge.hosted.main, other, ref="refs/keep/by-hand")
    forge.before("pr*", f"git --git-dir={forge.hosted.repository} update-ref refs/heads/main {by_hand}")
    ran = forge.merge()
    assert (ran.code, "main moved at the last moment" in ran.said) == (1, True), ran.said
    assert forge.started == ["site.yml"]
    assert forge.run("site.yml", "build").code == 5
    assert forge.run("merge.yml", "judge").code == 1


def test_what_waits_in_the_merge_queue_is_left_to_it(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    forge.before('"pr merge "*', "exit 0")
    ran = forge.merge()
    assert (ran.code, "waits in the merge queue" in ran.said) == (0, True), ran.said
    assert forge.started == ["site.yml"]


@pytest.mark.parametrize(
    "words",
    ["{base} {pair}\n{base} {pair}", "{base} {pair}\n", "{pair} {base}", "{base} 0 {base}", "{base} {pair} $(id)"],
)
def test_what_the_judging_job_says_is_two_commits_and_a_number_or_nothing(forge: Forge, words: str) -> None:
    commit = proposal_of(forge.hosted, "lab-x")
    number = forge.open(commit)
    ran = Ran(forge.folder)
    ran.outputs = {"passed": words.format(base=forge.hosted.main, pair=f"{number} {commit}")}
    assert forge.merge(ran).code == 1
    assert forge.state["calls"] == []


def test_a_crowd_of_newer_proposals_does_not_hide_a_good_one(forge: Forge) -> None:
    commit = proposal_of(forge.hosted, "lab-x")
    number = forge.open(commit)
    state = forge.state
    # Drafts fill whole pages; the others have nothing that could be fetched.
    state["pulls"] += [{"number": 1000 + n, "head": {"sha": "0" * 40}, "draft": n > 4} for n in range(205)]
    forge.write(state)
    assert forge.judge().outputs["passed"].endswith(f" {number} {commit}")
    assert len([call for call in forge.state["calls"] if "page=" in call[1]]) == 4


def test_drafts_are_left_alone(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"), draft=True)
    assert forge.judge().outputs == {"passed": ""}


def test_no_validator_of_merge_finds_a_token_around_it_and_what_may_write_has_no_validator(forge: Forge) -> None:
    forge.open(proposal_of(forge.hosted, "lab-x"))
    jobs = forge.workflow("merge.yml")["jobs"]
    assert "write" not in jobs["judge"]["permissions"].values()
    assert INSTALL not in [step["name"] for step in jobs["merge"]["steps"]]
    assert "validator" not in str(jobs["merge"])
    assert not [step for step in jobs["judge"]["steps"] if "validator/" in step["run"] and "env" in step]
    (forge.programs / "timeout").write_text(f'#!/bin/sh\n{SNOOP}shift\nexec "$@"\n', encoding="utf-8")
    (forge.programs / "timeout").chmod(0o755)
    judged = forge.judge()
    seen = (judged.folder / "seen").read_text(encoding="utf-8").splitlines()
    assert seen == ["git: t0ken", "medperf-git: nothing"]


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
