"""Fuzz every target, or those named, for a time in all.

python -m tests.fuzz --seconds 300                 # all targets, the same inputs each time
python -m tests.fuzz record tree --seed 7          # two of them, other inputs
python -m tests.fuzz --keep tests/fuzz/corpus      # write what brings news into the corpus
"""

import argparse
import sys
from pathlib import Path

from tests.fuzz.campaign import Broken, fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Run the campaigns one after another; 1 when one broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together (60)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs (1)")
    parser.add_argument("--keep", type=Path, help="where to write inputs that bring news")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}")
    chosen, failed = options.targets or list(TARGETS), 0
    for name in chosen:
        try:
            tally = fuzz(name, seconds=options.seconds / len(chosen), seed=options.seed, keep=options.keep)
            print(
                f"{name:10} {tally.runs:8} runs {tally.outcomes:5} outcomes, slowest {tally.slowest:.3f} s", flush=True
            )
        except Broken as broken:
            failed = 1
            print(broken, file=sys.stderr, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
