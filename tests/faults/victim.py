"""Run one command of medperf-git, with strace on one of its threads from the command's first instruction on.

python -m tests.faults.victim WHO LOG INJECTION TIME -- run ana/cells --dataset cohort

WHO is `main`, `none`, or a part of the name of a thread, of which the first is followed. TIME is when the command
believes to run; it moves one second with each question. An empty INJECTION only counts.
"""

import atexit
import ctypes
import importlib
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from medperf_git.cli import boundary, session
from tests.faults.calls import TRACE
from tests.support.clock import TestClock

_PR_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)
_traced: list["subprocess.Popen[bytes]"] = []


def main() -> None:
    """Become the command."""
    who, log, injection, moment, _, *argv = sys.argv[1:]
    session.now = TestClock(datetime.fromisoformat(moment))
    _import_first(Path(log).with_name(f"modules-{'-'.join(argv[:2]).replace('/', '.')}"))
    sys.argv = ["medperf-git", *argv]
    if who == "main":
        follow(log, injection)
    elif who != "none":
        follow_thread(who, log, injection)
    boundary.run()


def _import_first(known: Path) -> None:
    """Import what an earlier such command needed: nothing of that writes, and under strace it would take long."""
    if not known.exists():
        atexit.register(lambda: known.write_text("\n".join(sys.modules)))
        return
    for name in known.read_text().splitlines():
        with suppress(Exception):
            importlib.import_module(name)


def follow_thread(part: str, log: str, injection: str) -> None:
    """Follow the first thread with `part` in its name, from before it does anything."""
    plain = threading.Thread.run

    def run(self: threading.Thread) -> None:
        if part in self.name and not _traced:
            follow(log, injection)
        plain(self)

    threading.Thread.run = run  # type: ignore[method-assign]  # the interpreter offers no other place


def follow(log: str, injection: str) -> None:
    """Let strace hold this thread, and return once it does."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PTRACER, _ANY)
    thread = threading.get_native_id()
    words = ["strace", "-q", "-y", "-p", str(thread), "-o", log, "-e", TRACE, "-e", "signal=none"]
    words += ["-e", injection] if injection else []
    handle = os.open(f"/proc/self/task/{thread}/status", os.O_RDONLY | os.O_CLOEXEC)
    quiet = subprocess.DEVNULL
    errors = Path(f"{log}.strace").open("wb")  # noqa: SIM115  (strace writes to it as long as it lives)
    _traced.append(subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=errors))
    for _ in range(2000):
        if b"TracerPid:\t0\n" not in os.pread(handle, 4096, 0):
            return
        time.sleep(0.005)
    sys.exit(f"strace did not attach: {Path(f'{log}.strace').read_text()}")


if __name__ == "__main__":
    main()
