"""Fail when lines and branches of a package are covered less than promised.

    python scripts/coverage_gate.py 95 records signing policy      # reads .coverage

Lines together with branches must reach the promise, and branches alone must reach it as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def summarise(package: str) -> tuple[float, float]:
    """Return the covered percentage of lines with branches, and of branches alone."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "coverage.json"
        chosen = ["--include", f"medperf_git/{package}/*", "-o", str(out)]
        subprocess.run([sys.executable, "-m", "coverage", "json", "-q", *chosen], check=True)
        totals = json.loads(out.read_text(encoding="utf-8"))["totals"]
    branches = totals["num_branches"]
    return totals["percent_covered"], 100.0 * totals["covered_branches"] / branches if branches else 100.0


def main() -> int:
    """Print one line a package; return 1 when one is below the promise."""
    promise, packages = float(sys.argv[1]), sys.argv[2:]
    failed = False
    for package in packages:
        both, branches = summarise(package)
        below = min(both, branches) < promise
        failed |= below
        word = f"below {promise:g} %" if below else "ok"
        print(f"coverage of {package:<10} lines and branches {both:5.1f} %   branches {branches:5.1f} %   {word}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
