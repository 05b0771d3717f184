"""The pipeline that `init` writes for GitLab, run by gitlab-ci-local on a real repository (T40, T48, T63)."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from medperf_git.forge.host import Host
from tests.ci.conftest import Hosted, proposal_of
from tests.ci.runner import forge_environ, load
from tests.ci.tools import modules, node
from tests.support.people import git_environ

pytestmark = pytest.mark.parametrize("hosted", [Host.GITLAB], indirect=True)

# What the runner of a merge request brings; the install step is answered by this checkout's own program.
VENV = """#!/bin/sh
[ "$1 $2 $3" = "-m venv validator" ] || exit 9
mkdir -p validator/bin
printf '#!/bin/sh\\nexec %s -m medperf_git "$@"\\n' "{python}" >validator/bin/medperf-git
printf '#!/bin/sh\\ncase "$*" in *"--require-hashes -r pins.txt") exit 0;; *) exit 9;; esac\\n' >validator/bin/python
chmod 755 validator/bin/medperf-git validator/bin/python
"""


@dataclass
class Pipeline:
    """How a pipeline ended."""

    code: int
    said: str
    folder: Path


def run(hosted: Hosted, folder: Path, *jobs: str, **variables: str) -> Pipeline:
    """Run jobs of main's pipeline in an empty work tree, with the variables that GitLab would set."""
    folder.mkdir()
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").write_text(VENV.format(python=sys.executable), encoding="utf-8")
    (programs / "python3").chmod(0o755)
    work = folder / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True, env=git_environ())
    subprocess.run(["git", "remote", "add", "origin", "git@gitlab.example:owner/heart.git"], cwd=work, check=True)
    (work / ".gitlab-ci.yml").write_text(hosted.git("show", "main:.gitlab-ci.yml") + "\n", encoding="utf-8")
    subprocess.run(["git", "add", "-A"], cwd=work, check=True, env=git_environ())
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=work, check=True, env=git_environ())
    url = hosted.repository.as_uri().removesuffix(".git")
    given = {"CI_PROJECT_URL": url, "CI_JOB_TOKEN": "t0ken", **variables}
    words = [f"--variable={name}={value}" for name, value in given.items()]
    environ = forge_environ(folder)
    environ["PATH"] = f"{programs}{os.pathsep}{environ['PATH']}"
    main = modules() / "gitlab-ci-local" / "dist" / "index.js"
    options = ["--force-shell-executor", "--no-color", f"--home={folder}", "--no-artifacts-to-source"]
    done = node(main, *options, *words, *jobs, cwd=work, env=environ)
    return Pipeline(done.returncode, done.stdout + done.stderr, work)


def request(hosted: Hosted, folder: Path, commit: str, *, kind: str = "detached", ref: str = "") -> Pipeline:
    """Run the pipeline of a merge request."""
    number = hosted.pull(commit) if not ref else hosted.numbers
    variables = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_COMMIT_SHA": commit,
        "CI_MERGE_REQUEST_IID": str(number),
        "CI_MERGE_REQUEST_EVENT_TYPE": kind,
        "CI_MERGE_REQUEST_REF_PATH": ref or f"refs/merge-requests/{number}/head",
        "CI_MERGE_REQUEST_PROJECT_URL": hosted.repository.as_uri().removesuffix(".git"),
    }
    return run(hosted, folder, "judge", **variables)


def test_a_good_proposal_passes(hosted: Hosted, tmp_path: Path) -> None:
    ran = request(hosted, tmp_path / "run", proposal_of(hosted, "lab-x"))
    assert ran.code == 0, ran.said
    assert "pass: it would be accepted" in ran.said


def test_a_bad_proposal_fails_with_the_reason(hosted: Hosted, tmp_path: Path) -> None:
    ran = request(hosted, tmp_path / "run", hosted.commit({"notes.txt": b"hello\n"}))
    assert ran.code == 1, ran.said
    assert "no file of a registry has this path" in ran.said


def test_what_a_comment_would_say_is_a_file_that_the_merge_request_links(hosted: Hosted, tmp_path: Path) -> None:
    good = request(hosted, tmp_path / "good", proposal_of(hosted, "lab-x"))
    bad = request(hosted, tmp_path / "bad", hosted.commit({"@all <img src=x>.txt": b"hello\n"}))
    for ran, head in ((good, "### pass: it would be accepted"), (bad, "### fail: it would be refused")):
        (place,) = ran.folder.rglob("artifacts/judge/judge.md")
        assert place.read_text(encoding="utf-8").startswith(head)
    assert "`@all <img src=x>.txt`" in place.read_text(encoding="utf-8")
    job = load(hosted.git("show", "main:.gitlab-ci.yml"))["judge"]
    assert job["artifacts"] == {
        "when": "always",
        "expose_as": "What the judge says",
        "paths": ["judge.md"],
        "expire_in": "30 days",
    }


def test_t40_t48_a_proposal_with_its_own_pipeline_and_validator_is_refused(hosted: Hosted, tmp_path: Path) -> None:
    own = {".gitlab-ci.yml": b"judge:\n  script: [exit 0]\n", "validator/bin/medperf-git": b"#!/bin/sh\nexit 0\n"}
    ran = request(hosted, tmp_path / "run", hosted.commit(own, on=proposal_of(hosted, "lab-x")))
    assert ran.code == 1, ran.said
    assert "a house file changes only together with a registry record" in ran.said
    assert "validator/bin/medperf-git" in ran.said


def test_t63_two_proposals_each_fine_and_together_wrong_are_refused_in_a_merge_train(
    hosted: Hosted, tmp_path: Path
) -> None:
    one, other = proposal_of(hosted, "lab-x"), proposal_of(hosted, "labx")
    assert request(hosted, tmp_path / "one", one).code == 0
    assert request(hosted, tmp_path / "other", other).code == 0
    ref = f"refs/merge-requests/{hosted.numbers}/train"
    head = hosted.merge(hosted.main, one, other, ref=ref)
    ran = request(hosted, tmp_path / "train", head, kind="merge_train", ref=ref)
    assert ran.code == 1, ran.said
    assert "[lookalike]" in ran.said


def test_pages_are_built_from_a_verified_main_and_not_from_a_forged_one(hosted: Hosted, tmp_path: Path) -> None:
    variables = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": hosted.main}
    ran = run(hosted, tmp_path / "good", "pages", **variables)
    assert ran.code == 0, ran.said
    assert list(ran.folder.rglob("public/index.html"))
    hosted.git("update-ref", "refs/heads/main", hosted.commit({"notes.txt": b"forged\n"}))
    ran = run(hosted, tmp_path / "forged", "pages", **variables)
    assert ran.code != 0
    assert "is not valid; no site is built from it" in ran.said


def test_a_push_elsewhere_starts_nothing(hosted: Hosted, tmp_path: Path) -> None:
    ran = run(hosted, tmp_path / "run", "--list", CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="other")
    assert not {"judge", "pages"} & set(ran.said.split())
