"""The chest X-ray pilot on four clouds that reach one Git host and not each other; it needs root, and leaves nothing.

Where this is run by somebody else, `sudo` must work without a password; without it these tests fail and say so.
"""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PILOT = ROOT / "examples/chest-xray"
CLOUDS = PILOT / "clouds"
TOLD = yaml.safe_load((PILOT / "pilot.yaml").read_text(encoding="utf-8"))
SITES = [site["name"] for site in TOLD["sites"]]
AS_ROOT = [] if os.geteuid() == 0 or not shutil.which("sudo") else ["sudo", "-n"]


def command(out: Path) -> list[str]:
    return [*AS_ROOT, sys.executable, str(CLOUDS / "clouds.py"), "--reduced", "--out", str(out)]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play it once; return where it left the leaderboard, the repository and its figures."""
    out = tmp_path_factory.mktemp("clouds") / "out"
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return out


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(CLOUDS))
    spec = importlib.util.spec_from_file_location("stage", CLOUDS / "stage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def git(repository: Path, *words: str) -> bytes:
    command = ["git", "-c", "safe.directory=*", "--git-dir", str(repository), *words]
    return subprocess.run(command, capture_output=True, check=True).stdout


def left_behind(out: Path) -> list[str]:
    """Return what the kernel still keeps of it: processes in any of its machines, and control groups."""
    group = f"medperf-git-clouds-{zlib.crc32(bytes(out)):08x}"
    kept = list(map(str, Path("/sys/fs/cgroup").glob(f"**/{group}")))
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            seen = (process / "cmdline").read_bytes() + (process / "mountinfo").read_bytes()
            if process.name != str(os.getpid()) and (str(out / "machines").encode() in seen or group.encode() in seen):
                kept.append(f"{process.name}: {seen[:200]!r}")
    return kept


@pytest.mark.engine
def test_every_result_of_four_clouds_stands_and_the_leaderboard_shows_it(played: Path) -> None:
    figures = json.loads((played / "figures.json").read_text())
    assert figures["sites"] == SITES
    repository = played / "chest-xray.git"
    paths = git(repository, "ls-tree", "-r", "--name-only", "main", "results/").decode().splitlines()
    stand = {tuple(path.split("/")[4:6]) for path in paths if path.endswith("/0001.yaml")}
    assert {(data.split(".")[0], model.split(".")[1]) for data, model in stand} == {
        (site, model) for site in SITES for model in figures["models"]
    }
    assert len(stand) == len(SITES) * len(figures["models"]) >= 8
    assert git(repository, "for-each-ref", "--format=%(refname)").split() == [b"refs/heads/main"]
    (page,) = (played / "site/benchmarks").glob("*/chest-xray/1/index.html")
    text = page.read_text(encoding="utf-8")
    assert [name for name in [*SITES, *figures["models"], "synthetic"] if name not in text] == []


@pytest.mark.engine
def test_clouds_reach_the_git_host_and_nothing_else(played: Path) -> None:
    seen = json.loads((played / "figures.json").read_text())["reaches"]
    assert seen.pop("git-host") == [True] * 5  # what answers at the clouds is there
    assert seen == {site: [True, *(other == site for other in SITES)] for site in SITES}


@pytest.mark.engine
def test_proposals_arrive_at_the_same_time_and_none_is_lost(played: Path) -> None:
    figures = json.loads((played / "figures.json").read_text())
    assert figures["side_by_side"] == 4
    assert figures["overtaken"] >= 3  # of four that wait on one main, three are merged onto a newer one
    assert figures["at_the_git_host_at_once"] >= 2


@pytest.mark.engine
def test_no_case_and_no_byte_of_a_radiograph_is_on_the_git_host_or_in_the_leaderboard(
    played: Path, tmp_path: Path
) -> None:
    few = ["--reduced"] if all(site["reduced"] for site in TOLD["sites"]) else []
    subprocess.run([sys.executable, PILOT / "make_data.py", "--out", tmp_path, *few], check=True, capture_output=True)
    pictures = [path for site in SITES for path in (tmp_path / site).rglob("view*") if path.is_file()]
    cases = {part.encode() for path in pictures for part in path.parts if re.fullmatch(r"patient\d+", part)}
    pieces = {path.read_bytes()[-400:-300] for path in pictures}
    assert len(cases) >= (20 if few else 80)
    assert len(pieces) > len(cases) / 2
    site = b"".join(path.read_bytes() for path in (played / "site").rglob("*") if path.is_file())
    outside = git(played / "chest-xray.git", "cat-file", "--batch-all-objects", "--batch") + site
    assert b"kind: result" in outside
    assert [secret for secret in cases | pieces if secret in outside] == []


@pytest.mark.engine
def test_nothing_is_left_on_this_computer_but_what_was_asked_for(played: Path) -> None:
    assert sorted(path.name for path in played.iterdir()) == [
        ".medperf-git-demo",
        "chest-xray.git",
        "figures.json",
        "site",
    ]
    assert left_behind(played) == []


@pytest.mark.engine
def test_an_interruption_takes_everything_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(command(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:  # until the registry is begun: networks, sshd and engines are up by then
            if " init " in line:
                break
        assert len(left_behind(out)) > 5
        subprocess.run([*AS_ROOT, "kill", "-INT", str(process.pid)], check=True)
        said = process.stderr.read()
        assert process.wait() == 130, said
    assert "everything is taken away" in said
    assert left_behind(out) == []
    assert not (out / "machines").exists()


def test_who_is_not_root_is_told_what_is_needed(stage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "only root may make them: sudo" in stage.refusal(ROOT)


def test_a_missing_program_is_named_with_its_package(stage: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(stage, "COMMANDS", {"no-such-command": "some-package", "sh": "dash"})
    assert stage.refusal(ROOT) == "something is not installed here: apt-get install some-package"
