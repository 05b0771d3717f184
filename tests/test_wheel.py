"""The wheel in an empty environment, with what it asks for and nothing of this checkout."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed program; versions are those of the lock."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(re.findall(r"(?m)^([a-z0-9-]+==.+?) \\$", lines)), encoding="utf-8")
    venv.create(folder / "env", with_pip=True)
    binaries = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = folder.glob("*.whl")
    run(binaries / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", constraints, wheel)
    return binaries / "medperf-git"


def test_a_registry_begins_grows_and_is_shown_without_the_checkout(program: Path, tmp_path: Path) -> None:
    def as_(person: str, *words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MEDPERF_GIT_HOME": str(tmp_path / person)}
        return run(program, *words, env=environment, cwd=tmp_path).stdout

    as_("ana", "init", "eval.git", "--name", "eval", "--as", "ana", "--yes")
    as_("bob", "join", "eval.git", "--as", "bob", "--yes")
    assert "merged" in as_("ana", "admit", "bob", "--yes")  # through the hook, which the wheel brought
    assert "valid" in as_("bob", "audit")
    as_("bob", "leaderboard", "build", "--out", "site")
    assert "<!doctype html>" in (tmp_path / "site/index.html").read_text(encoding="utf-8").lower()
    assert (tmp_path / "site").glob("**/*.css")
    assert "benchmark" in as_("bob", "new", "benchmark", "--help")
    as_("bob", "cube", "new", "model", "forest")
    assert "ENTRYPOINT" in (tmp_path / "forest/Dockerfile").read_text(encoding="utf-8")


def test_the_recorded_demo_needs_nothing_but_the_wheel_and_git(program: Path, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    said = run(program, "demo", "--recorded", "--no-open", env=environment, cwd=tmp_path).stdout
    assert "Refused both times" in said
    assert (tmp_path / "medperf-git-demo/site/index.html").is_file()


def test_the_wheel_brings_the_whole_demo_and_nothing_compiled(program: Path) -> None:
    (package,) = (program.parents[1] / "lib").glob("python*/site-packages/medperf_git/_assets")
    brought = {str(file.relative_to(package)) for file in package.rglob("*") if "__pycache__" not in file.parts}
    scripts = {"scripts/base-image.sh", "scripts/verify-result.sh", "examples/kit/images.sh", "examples/kit/story.py"}
    example = {"build.sh", "demo.py", "split.py", "demo_data/make.py", "metrics/Dockerfile", "recorded/registry.bundle"}
    assert scripts | {f"examples/breast-cancer/{name}" for name in example} <= brought
    assert all(os.access(package / script, os.X_OK) for script in scripts if script.startswith("scripts/"))
