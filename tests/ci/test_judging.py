"""The shell steps of the judging workflows of GitHub, GitLab and Forgejo, on a real repository (T40, T43, T48, T63)."""

from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.house import PINS, house_files
from medperf_git.forge.host import Host
from tests.ci.conftest import PIN, Hosted, proposal_of
from tests.ci.runner import Ran, forge_environ, load, run_job

JUDGES = {Host.GITHUB: ".github/workflows/judge.yml", Host.FORGEJO: ".forgejo/workflows/judge.yml"}
HOSTS = pytest.mark.parametrize("hosted", list(JUDGES), indirect=True)


def judge(hosted: Hosted, commit: str, tmp_path: Path) -> Ran:
    """Judge a commit as a pull request."""
    number = hosted.pull(commit)
    event = {"pull_request": {"number": number, "head": {"sha": commit}}}
    return run(hosted, event, tmp_path / f"run-{number}", name="pull_request")


def run(hosted: Hosted, event: dict[str, Any], folder: Path, *, name: str) -> Ran:
    workflow = load(hosted.git("show", f"main:{JUDGES[hosted.host]}"))
    github = {"server_url": hosted.server, "repository": hosted.slug, "token": "t0ken", "event_name": name}
    context = {"github": {**github, "event": event}}
    return run_job(workflow["jobs"]["judge"], folder, context=context, environ=forge_environ(folder))


@HOSTS
def test_a_good_proposal_passes(hosted: Hosted, tmp_path: Path) -> None:
    ran = judge(hosted, proposal_of(hosted, "lab-x"), tmp_path)
    assert [code for _, code in ran.steps] == [0, 0, 0], ran.said
    assert "pass: it would be accepted" in ran.said
    assert not list(ran.folder.glob("**/members/lab-x"))


@HOSTS
def test_one_that_waits_for_a_signature_does_not_pass_and_says_whose(hosted: Hosted, tmp_path: Path) -> None:
    ran = judge(hosted, proposal_of(hosted, "waiting"), tmp_path)
    assert ran.code == 1
    assert "waits for a maintainer: ana" in ran.said


@HOSTS
def test_a_bad_proposal_fails_with_the_reason(hosted: Hosted, tmp_path: Path) -> None:
    ran = judge(hosted, hosted.commit({"notes.txt": b"hello\n"}), tmp_path)
    assert ran.code == 1
    assert "no file of a registry has this path" in ran.said


@HOSTS
def test_t40_a_proposal_that_edits_a_workflow_is_refused(hosted: Hosted, tmp_path: Path) -> None:
    commit = hosted.commit({JUDGES[hosted.host]: b"on: pull_request\njobs: {}\n"}, on=proposal_of(hosted, "lab-x"))
    ran = judge(hosted, commit, tmp_path)
    assert ran.code == 1
    assert "a house file changes only together with a registry record" in ran.said


@HOSTS
def test_t48_a_proposal_that_brings_its_own_validator_is_judged_by_the_one_that_main_pins(
    hosted: Hosted, tmp_path: Path
) -> None:
    own = {
        PINS[hosted.host]: b"medperf-git==9.9.9 --hash=sha256:" + b"a" * 64 + b"\n",
        "validator/bin/medperf-git": b"#!/bin/sh\nexit 0\n",
        "medperf_git/__init__.py": b"raise SystemExit(0)\n",
        "pip.conf": b"[global]\nindex-url = https://evil.example\n",
    }
    ran = judge(hosted, hosted.commit(own), tmp_path)
    assert ran.code == 1
    assert (ran.folder / "pins.txt").read_text(encoding="utf-8") == hosted.git(
        "show", f"main:{PINS[hosted.host]}"
    ) + "\n"
    assert PIN.line in (ran.folder / "pins.txt").read_text(encoding="utf-8")
    for path in own:
        assert path in ran.said


@HOSTS
def test_what_a_proposal_says_is_no_command_to_the_log(hosted: Hosted, tmp_path: Path) -> None:
    ran = judge(hosted, hosted.commit({"a\n::add-mask::x": b"", "%0A::error::y": b""}), tmp_path)
    assert ran.code == 1
    commands = {line.partition(" ")[0] for line in ran.said.splitlines() if line.lstrip().startswith("::")}
    assert commands <= {"::error", "::warning", "::notice"}


def group(hosted: Hosted, tmp_path: Path, *heads: str) -> Ran:
    """Judge a group of the merge queue."""
    ref = "refs/heads/gh-readonly-queue/main/pr-1"
    head = hosted.merge(hosted.main, *heads, ref=ref)
    event = {"merge_group": {"head_sha": head, "head_ref": ref, "base_sha": hosted.main}}
    return run(hosted, event, tmp_path / f"queue-{len(heads)}", name="merge_group")


def test_t63_two_proposals_each_fine_and_together_wrong_are_refused_in_the_queue(
    hosted: Hosted, tmp_path: Path
) -> None:
    one, other = proposal_of(hosted, "lab-x"), proposal_of(hosted, "labx")
    assert judge(hosted, one, tmp_path).code == judge(hosted, other, tmp_path).code == 0
    assert group(hosted, tmp_path, one).code == 0
    ran = group(hosted, tmp_path, one, other)
    assert ran.code == 1
    assert "[lookalike]" in ran.said


def test_t63_behind_the_first_the_second_no_longer_passes_as_a_pull_request(hosted: Hosted, tmp_path: Path) -> None:
    hosted.merge(hosted.main, proposal_of(hosted, "lab-x"), ref="refs/heads/main")
    ran = judge(hosted, proposal_of(hosted, "labx"), tmp_path)
    assert (ran.code, "[lookalike]" in ran.said) == (1, True)


def test_a_queue_that_does_not_grow_from_main_is_refused(hosted: Hosted, tmp_path: Path) -> None:
    base = hosted.git("rev-parse", "main^1")
    ref = "refs/heads/gh-readonly-queue/main/pr-9"
    head = hosted.commit({"README.md": b"x\n"}, on=base)
    hosted.git("update-ref", ref, head)
    event = {"merge_group": {"head_sha": head, "head_ref": ref}}
    ran = run(hosted, event, tmp_path / "queue", name="merge_group")
    assert (ran.code, "main only moves forward along its first parents" in ran.said) == (1, True)


@pytest.mark.parametrize("host", list(JUDGES))
def test_without_a_pinned_validator_nothing_is_judged_and_the_command_is_named(host: Host, tmp_path: Path) -> None:
    import subprocess  # noqa: PLC0415

    from medperf_git.flows.house_pins import Pin, render_pins  # noqa: PLC0415
    from tests.support.people import git_environ  # noqa: PLC0415

    files = house_files("Heart", host=host, pins=render_pins(Pin("0.1.0", reason="no release was found")))
    repository = tmp_path / "forge" / "owner" / "heart"
    for path, data in files.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(data)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=repository, check=True, env=git_environ())
    subprocess.run(["git", "update-ref", "refs/pull/1/head", "HEAD"], cwd=repository, check=True, env=git_environ())
    github = {"server_url": (tmp_path / "forge").as_uri(), "repository": "owner/heart", "token": "t"}
    event = {"pull_request": {"number": 1, "head": {"sha": "0" * 40}}}
    job = load(files[JUDGES[host]])["jobs"]["judge"]
    ran = run_job(
        job, tmp_path / "run", context={"github": {**github, "event": event}}, environ=forge_environ(tmp_path)
    )
    assert [code for _, code in ran.steps] == [0, 1]
    assert "A maintainer runs: medperf-git doctor forge --write" in ran.said
