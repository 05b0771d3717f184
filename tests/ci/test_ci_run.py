"""What `.ci/run` ends with is what `make check` ended with."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("code", [0, 2, 7])
def test_a_check_that_fails_fails_the_run(tmp_path: Path, code: int) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    _program(tmp_path / "scripts" / "ensure-engine.sh", 0)
    _program(tmp_path / "scripts" / "ensure-commands.sh", 0)
    _program(tmp_path / "bin" / "make", code, say="3 passed in 1 s")
    done = subprocess.run(
        [tmp_path / ".ci" / "run"],
        env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert f"exit {code}" in done.stdout
    assert done.stdout.rstrip().endswith("3 passed in 1 s")


def test_a_machine_without_an_engine_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    _program(tmp_path / "scripts" / "ensure-engine.sh", 3)
    _program(tmp_path / "scripts" / "ensure-commands.sh", 0)
    _program(tmp_path / "bin" / "make", 0)
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    assert subprocess.run([tmp_path / ".ci" / "run"], env=environ, capture_output=True, check=False).returncode == 3


def _program(path: Path, code: int, say: str = "done") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{say}'\nexit {code}\n")
    path.chmod(0o755)
