"""The four pilots of the MedPerf paper in their short form: raw data to leaderboard, with their own containers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PILOTS = ("brain-tumour", "pancreas", "surgical-phases", "chest-xray")


@pytest.mark.engine
@pytest.mark.parametrize("pilot", PILOTS)
def test_a_pilot_runs_from_raw_data_to_its_leaderboard(pilot: str, tmp_path: Path) -> None:
    program = [sys.executable, ROOT / "examples/pilots.py", "--only", pilot, "--reduced", "--out", tmp_path / "out"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    told = yaml.safe_load((ROOT / "examples" / pilot / "pilot.yaml").read_text(encoding="utf-8"))
    home = {**os.environ, "MEDPERF_GIT_HOME": str(tmp_path / "out/people/reader/state")}
    listing = [sys.executable, "-m", "medperf_git", "result", "ls", "--json"]
    rows = json.loads(subprocess.run(listing, env=home, capture_output=True, text=True, check=True).stdout)
    sites = {site["name"] for site in told["sites"] if site["reduced"]}
    models = {model["name"] for model in told["models"]}
    pairs = {(row["dataset"].partition("/")[0], re.split(r"[/@]", row["model"])[1]) for row in rows}
    assert pairs == {(site, model) for site in sites for model in models}
    page = next((tmp_path / "out/site/benchmarks").glob(f"*/{told['benchmark']}/1/index.html"))
    assert "synthetic" in page.read_text(encoding="utf-8")
