"""Plain processes and containers give the same results files, byte for byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.fets_scale.programs import EXAMPLE, load

pytestmark = pytest.mark.engine
challenge, make_data = load("challenge", "make_data")


@pytest.fixture(scope="module", autouse=True)
def _images():
    done = subprocess.run([EXAMPLE / "build.sh"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def chain(folder: Path, *, number: int, words: tuple[str, ...]) -> dict[str, bytes]:
    """Prepare a site, run a model on it and evaluate it, by one engine; return predictions and results."""
    site, model = challenge.SITES[4], challenge.models()[number]
    shutil.copytree(EXAMPLE / "model", folder / "model")
    (folder / "model" / "parameters.yaml").write_text(model.text)
    make_data.write_all(folder / "raw", [site])
    raw, out = folder / "raw" / site.name, folder / "out"
    command = [
        sys.executable, EXAMPLE / "process_engine.py", "cube", "test", EXAMPLE / "preparator", folder / "model",
        EXAMPLE / "metrics", "--data", raw, "--labels", raw, "--out", out, *words,
    ]  # fmt: skip
    environment = os.environ | {"MEDPERF_GIT_HOME": str(folder / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    assert any("results" in name or "output_path" in name for name in found), sorted(found)
    return found


def test_processes_give_the_same_bytes_as_containers(tmp_path: Path):
    by = {}
    for engine, words in (("docker", ()), ("process", ("--profile", "compat"))):
        (folder := tmp_path / engine).mkdir()
        by[engine] = chain(folder, number=4, words=("--engine", engine, *words))
    assert len([name for name in by["docker"] if name.endswith("predictions.csv")]) == 1
    assert by["docker"] == by["process"]


def test_processes_take_no_profile_that_promises_a_sandbox(tmp_path: Path):
    command = [
        sys.executable,
        EXAMPLE / "process_engine.py",
        "cube",
        "test",
        EXAMPLE / "preparator",
        "--data",
        tmp_path,
    ]
    command += ["--labels", tmp_path, "--engine", "process"]
    environment = os.environ | {"MEDPERF_GIT_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "plain processes are in no sandbox" in done.stderr
