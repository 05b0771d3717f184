"""`runner.py` at a small size, for `make bench`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.runner import main

if __name__ == "__main__":
    sys.exit(main(sizes=(6,), rounds=3))
