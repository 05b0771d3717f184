"""The pictures for the page of the pilots are taken from a built site, with what is said below each."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT

pytestmark = pytest.mark.browser
GOLDEN = ROOT / "tests/golden/three-hospitals"


def taken(out: Path, benchmark: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, ROOT / "scripts/screenshots.py", GOLDEN, "--benchmark", benchmark, "--out", out]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_a_picture_shows_the_page_to_the_end_of_its_ranking_and_its_sentence_is_kept(tmp_path: Path) -> None:
    done = taken(tmp_path, "breast-aspirates")
    assert done.returncode == 0, done.stderr
    width, height = struct.unpack(">II", (tmp_path / "pilot-breast-aspirates.png").read_bytes()[16:24])
    assert width == 1200
    assert 700 < height <= 1500
    index = json.loads((GOLDEN / "index.json").read_text(encoding="utf-8"))
    said = json.loads((tmp_path / "pilots.json").read_text(encoding="utf-8"))["breast-aspirates"]
    assert said["headline"] == index["benchmarks"][0]["headline"]
    assert said["commit"] == index["commit"]
    assert said["day"] == index["step_time"][:10]


def test_a_benchmark_that_the_site_lacks_is_named(tmp_path: Path) -> None:
    done = taken(tmp_path, "no-such-benchmark")
    assert done.returncode == 1
    assert "no site has a benchmark named no-such-benchmark" in done.stderr
