"""The four pilots of the MedPerf paper in their short form: raw data to leaderboard, with their own containers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PILOTS = ("brain-tumour", "pancreas", "surgical-phases", "chest-xray")


def told_to_the_reader(folder: Path, *words: str) -> list[dict[str, Any]]:
    """Return what a command tells the reader of a story with --json."""
    home = {**os.environ, "MEDPERF_GIT_HOME": str(folder / "out/people/reader/state")}
    command = [sys.executable, "-m", "medperf_git", *words, "--json"]
    return list(json.loads(subprocess.run(command, env=home, capture_output=True, text=True, check=True).stdout))


@pytest.mark.engine
@pytest.mark.parametrize("pilot", PILOTS)
def test_a_pilot_runs_from_raw_data_to_its_leaderboard(pilot: str, tmp_path: Path) -> None:
    program = [sys.executable, ROOT / "examples/pilots.py", "--only", pilot, "--reduced", "--out", tmp_path / "out"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    told = yaml.safe_load((ROOT / "examples" / pilot / "pilot.yaml").read_text(encoding="utf-8"))
    rows = told_to_the_reader(tmp_path, "result", "ls")
    sites = {site["name"] for site in told["sites"] if site["reduced"]}
    models = {model["name"] for model in told["models"]}
    pairs = {(row["dataset"].partition("/")[0], re.split(r"[/@]", row["model"])[1]) for row in rows}
    assert pairs == {(site, model) for site in sites for model in models}
    (board,) = told_to_the_reader(tmp_path, "leaderboard", "show", f"{told['committee']}/{told['benchmark']}")
    assert {row["rank"].isdecimal() for row in board["ranking"]} == {True}
    # One X-ray site has one class only; at one surgical site a value would rest on a single video.
    ranked_at = {"chest-xray": "1/2", "surgical-phases": "2/3"}.get(pilot, f"{len(sites)}/{len(sites)}")
    assert {row["sites"] for row in board["ranking"]} == {ranked_at}
    page = next((tmp_path / "out/site/benchmarks").glob(f"*/{told['benchmark']}/1/index.html"))
    assert "synthetic" in page.read_text(encoding="utf-8")
