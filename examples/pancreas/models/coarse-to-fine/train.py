"""Train both stages on synthetic development scans, while the image is built."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from make_data import PANCREAS, make_development
from planes import train
from prepared import Scan

CASES = 14


def main() -> None:
    """Write weights.joblib beside this file, or where it is said."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("weights.joblib")
    cases = [(Scan(one.hu.astype("float32"), one.affine), one.labels == PANCREAS) for one in make_development(CASES)]
    stages = train(cases)
    joblib.dump({"coarse": stages.coarse, "fine": stages.fine}, target)
    print(f"trained on {CASES} synthetic scans")


if __name__ == "__main__":
    main()
