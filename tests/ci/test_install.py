"""The real install step: exactly what main pins, by hash, or nothing (T48, T61)."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import medperf_git
from medperf_git.flows import house_pins
from medperf_git.flows.house import house_files
from medperf_git.flows.house_pins import Pin, find_pin, render_pins
from medperf_git.forge.host import Host
from tests.ci.runner import INSTALL, Ran, forge_environ, load, run_job
from tests.support.people import git_environ

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, as a release would be."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install(pins: bytes, folder: Path, *, links: Path) -> Ran:
    """Run the step of the judging workflow on a main that holds `pins`."""
    files = house_files("Heart", host=Host.GITHUB, pins=pins)
    folder.mkdir(parents=True)
    run = folder / "run"
    job = load(files[".github/workflows/judge.yml"])["jobs"]["judge"]
    job["steps"] = [step for step in job["steps"] if step["name"] == INSTALL]
    work = folder / "main"
    for path, data in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=work, check=True, env=git_environ())
    environ = forge_environ(folder)
    environ |= {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
    environ["PIP_FIND_LINKS"] = f"{environ.get('PIP_FIND_LINKS', '')} {links}".strip()
    # The step expects the bare repository that the step before has made beside it.
    job["steps"].insert(0, {"name": "Bring main", "run": f"git clone --quiet --bare '{work}' registry.git"})
    return run_job(job, run, context={}, environ=environ, real=True)


def test_the_pinned_release_and_everything_it_needs_are_installed_by_hash(wheel: Path, tmp_path: Path) -> None:
    ran = install(render_pins(Pin("0.1.0", sha256(wheel))), tmp_path / "good", links=wheel.parent)
    assert ran.code == 0, ran.said
    program = ran.folder / "validator" / "bin" / "medperf-git"
    for words in (["--version"], ["check", "--help"], ["leaderboard", "build", "--help"]):
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, check=False, env=forge_environ(tmp_path)
        )
        assert done.returncode == 0, done.stderr
    script = "from medperf_git.flows.house import *; print(*house_files('x', host=Host.GITHUB))"
    brought = subprocess.run([program.with_name("python"), "-c", script], capture_output=True, text=True, check=True)
    assert ".github/workflows/judge.yml" in brought.stdout.split()
    script = "from medperf_git.flows.house_pins import *; print(render_pins(Pin('1', '0' * 64)).decode())"
    brought = subprocess.run([program.with_name("python"), "-c", script], capture_output=True, text=True, check=True)
    assert "numpy==" in brought.stdout
    check = [ran.folder / "validator" / "bin" / "python", "-m", "pip", "check"]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_t61_another_wheel_of_the_same_version_is_refused(wheel: Path, tmp_path: Path) -> None:
    pins = b"medperf-git==0.1.0 --hash=sha256:" + b"0" * 64 + b"\n"
    ran = install(pins, tmp_path / "other", links=wheel.parent)
    assert ran.code != 0
    assert "HASHES" in ran.said
    assert not (ran.folder / "validator" / "bin" / "medperf-git").exists()


def test_a_pin_is_taken_from_the_released_file_when_it_is_the_code_that_runs_here(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    monkeypatch.setattr(medperf_git, "__file__", str(tmp_path / "medperf_git" / "__init__.py"))

    def fetch(version: str, folder: Path) -> str:
        assert version == "0.1.0"
        (folder / wheel.name).write_bytes(wheel.read_bytes())
        return ""

    assert find_pin(fetch=fetch) == Pin("0.1.0", sha256(wheel))


def test_a_release_with_other_code_is_not_pinned(wheel: Path, tmp_path: Path) -> None:
    def fetch(_: str, folder: Path) -> str:
        with zipfile.ZipFile(wheel) as read, zipfile.ZipFile(folder / wheel.name, "w") as written:
            for name in read.namelist():
                more = b"\nprint('mine')\n" if name == "medperf_git/policy/judge.py" else b""
                written.writestr(name, read.read(name) + more)
        return ""

    pin = find_pin(fetch=fetch)
    assert (pin.sha256, pin.reason) == ("", "the released 0.1.0 is not the code that runs here")


def test_without_a_release_the_pin_stays_open_and_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    pin = find_pin(fetch=lambda *_: "the package installer did not find a release 0.1.0")
    assert pin.sha256 == ""
    lines = render_pins(pin).decode().splitlines()
    assert "medperf-git==0.1.0" in lines
    assert any("A maintainer runs: medperf-git doctor forge --write" in line for line in lines)
    monkeypatch.setattr(house_pins, "_noted_by_installer", lambda: "7" * 64)
    assert find_pin(fetch=lambda *_: "no network").sha256 == "7" * 64


def test_the_installers_trouble_is_a_reason_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert house_pins._download("0.1.0", tmp_path) == "the package installer did not answer"
    (tmp_path / "x.whl").write_bytes(b"no zip")
    assert not house_pins._runs_here(tmp_path / "x.whl")


def test_the_lock_of_the_judge_has_the_versions_of_the_lock_and_fits_a_house_file() -> None:
    import re  # noqa: PLC0415

    both = [
        dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8")))
        for name in ("requirements/judge.lock", "requirements.lock")
    ]
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in both[0].items():
        assert f"{name}=={version} " in text, name
    assert len(render_pins(Pin("0.1.0", "0" * 64))) < 64 * 1024
    assert "://" not in (ROOT / "requirements/judge.lock").read_text(encoding="utf-8")
