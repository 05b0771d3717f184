"""Predict every prepared case with the atlas."""

from __future__ import annotations

import sys
from pathlib import Path

from atlas import Atlas, predict
from prepared import PLANES, folders, iter_scans, write_masks


def main() -> None:
    """Write four masks a case."""
    data, out = folders(sys.argv[1:])
    atlas, count = Atlas.load(Path(__file__).with_name("weights.npz")), 0
    for case, scan in iter_scans(data):
        coarse, fine = predict(scan, atlas)
        write_masks(out, case, scan, coarse=dict.fromkeys(PLANES, coarse), fine=fine)
        count += 1
    print(f"{count} cases predicted")


if __name__ == "__main__":
    main()
