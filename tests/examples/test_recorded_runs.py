"""The runs that are kept: their registries stand an audit from the genesis on, and are those that are told of."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KEPT = sorted(path.parent.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.glob("*/*/recorded.json"))


def test_every_pilot_and_the_demo_keep_a_run() -> None:
    pilots = {path.parent.name for path in EXAMPLES.glob("*/pilot.yaml")}
    assert {f"{pilot}/results" for pilot in pilots} | {"breast-cancer/recorded"} == set(KEPT)
    assert len(pilots) == 4


@pytest.mark.parametrize("kept", KEPT)
def test_a_kept_run_stands_an_audit_and_is_the_one_that_is_told_of(kept: str, tmp_path: Path) -> None:
    told = json.loads((EXAMPLES / kept / "recorded.json").read_text(encoding="utf-8"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MEDPERF_GIT_HOME": str(tmp_path / "state")}

    def type_(*words: str) -> str:
        command = [sys.executable, "-m", "medperf_git", *words]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    bundle = EXAMPLES / kept / "registry.bundle"
    subprocess.run(["git", "clone", "-q", "--bare", bundle, "registry.git"], check=True, cwd=tmp_path)
    type_("registry", "add", f"{tmp_path}/registry.git#{told['registry']}")
    assert f"valid, from the genesis {told['registry']}" in type_("audit")
    assert told["benchmark"].partition("/")[2] in type_("benchmark", "ls")
    if kept.endswith("results"):
        assert "synthetic" in told["data"]
        pages = list((EXAMPLES / kept / "site/benchmarks").glob("*/*/*/index.html"))
        assert len(pages) == 1
        assert "synthetic" in pages[0].read_text(encoding="utf-8")
