"""The judging of main step by step as a command, for `bench_history.py`: `sync` of one, or `audit` of all."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from medperf_git.registry.objects import Store
from medperf_git.registry.sync import Pin, audit, registry_id, sync, write_pin


def main() -> int:
    """Verify, and say how many steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("sync", "audit"))
    parser.add_argument("repository", type=Path)
    parser.add_argument("root", help="the first commit of main")
    parser.add_argument("before", help="the last commit but one")
    wanted = parser.parse_args()
    store = Store.open(wanted.repository)
    tip = store.ref("refs/heads/main") or ""
    if wanted.what == "audit":
        report = audit(store, tip)
    else:
        with tempfile.TemporaryDirectory() as folder:
            pin = Path(folder) / "pin.json"
            write_pin(pin, Pin(registry_id(store, wanted.root), wanted.before, 1))
            report = sync(store, tip, pin_file=pin)
    print(f"{report.verified} steps", report.stopped or "")
    return int(report.stopped is not None)


if __name__ == "__main__":
    sys.exit(main())
