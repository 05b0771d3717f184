"""Build the atlas from synthetic development scans, while the image is built."""

from __future__ import annotations

import sys
from pathlib import Path

from atlas import build_atlas
from make_data import PANCREAS, make_development
from prepared import Scan

CASES = 16


def main() -> None:
    """Write weights.npz beside this file, or where it is said."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("weights.npz")
    cases = [(Scan(one.hu.astype("float32"), one.affine), one.labels == PANCREAS) for one in make_development(CASES)]
    build_atlas(cases).save(target)
    print(f"atlas of {CASES} synthetic scans written")


if __name__ == "__main__":
    main()
