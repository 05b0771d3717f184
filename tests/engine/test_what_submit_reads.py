"""Submitting reads what was reviewed, and opens no data, label, prediction or log (T20); the kernel is asked."""

import re
import subprocess
import sys
from pathlib import Path

from tests.engine.test_flow_story import BENCHMARK, town  # noqa: F401  (a fixture)
from tests.support.people import Town

OPENED = re.compile(r'open(?:at2?)?\([^"]*"([^"]+)"[^)]*\)?.*= \d+$', re.MULTILINE)


def test_t20_submitting_opens_no_data_label_prediction_or_log(town: Town, tmp_path: Path) -> None:  # noqa: F811
    clinic = town.human("clinic")
    clinic.run("run", BENCHMARK, "--dataset", "cohort")
    clinic.run("review")
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2", "-o", trace]
    program = [sys.executable, "-m", "medperf_git", "result", "submit", "--yes"]
    done = subprocess.run([*words, *program], env=clinic.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened = {Path(name) for name in OPENED.findall(trace.read_text(encoding="utf-8", errors="replace"))}
    ours = {path.relative_to(clinic.home).parts for path in opened if clinic.home in path.parents}
    assert any(parts[0] == "runs" and parts[-1] == "reviewed.json" for parts in ours), "the trace saw what is read"
    assert not {parts for parts in ours if parts[0] in ("datasets", "scratch")}
    forbidden = {"predictions", "outputs", "local_outputs", "logs"}
    assert not {parts for parts in ours if parts[0] == "runs" and forbidden & set(parts)}
