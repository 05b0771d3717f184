"""Predict every prepared case, coarse and fine; a case in which its planes do not agree is left out and named."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
from planes import NotAgreed, Stages, predict
from prepared import folders, iter_scans, write_masks


def main() -> None:
    """Write four masks a case."""
    data, out = folders(sys.argv[1:])
    stages, count, left = Stages(**joblib.load(Path(__file__).with_name("weights.joblib"))), 0, 0
    for case, scan in iter_scans(data):
        try:
            coarse, fine = predict(scan, stages)
        except NotAgreed:
            left += 1
            print(f"case {case}: the three planes do not agree where a pancreas lies, so it has no prediction")
            continue
        write_masks(out, case, scan, coarse=coarse, fine=fine)
        count += 1
    if not count:
        sys.exit("no case could be predicted: the three planes did not agree in any of them")
    print(f"{count} cases predicted, {left} left out")


if __name__ == "__main__":
    main()
