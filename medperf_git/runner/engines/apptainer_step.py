"""One run of the apptainer command, from its start to the end of all its processes."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from medperf_git.runner.watch import MemoryWatch, descendants

_PIECE = 1 << 16
_NEAR = 0.98
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Process:
    """A started apptainer command; what it started is below it and goes with it.

    It is ended when it comes so near to its cap on memory that it only fetches its own program again and again, and
    when the kernel has killed a process of it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, memory_cap: int) -> None:
        self._cap = memory_cap
        self._watch = MemoryWatch("")
        self.out_of_memory = False
        self._process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, cwd="/",
        )  # fmt: skip
        self.pid = self._process.pid

    def output(self) -> Iterator[bytes]:
        """Yield what it prints until it ends."""
        assert self._process.stdout is not None  # noqa: S101  (asked for above)
        while piece := os.read(self._process.stdout.fileno(), _PIECE):
            yield piece

    def wait(self) -> int:
        """Return its exit code; a signal counts as a shell counts it."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """Stop it and all it started."""
        kill_tree(self.pid)

    def memory(self) -> int | None:
        """Return bytes of memory of all its processes that no file backs."""
        processes = tuple(descendants(self.pid))
        self._watch.folder = self._watch.folder or next(filter(None, map(_own_group, processes)), None)
        # The sum counts twice what a process shares with its children, and leaves out files in shared memory. Who fills
        # these a kernel may let try for ever at the cap, and kill nothing.
        grouped = self._watch.in_use() if self._watch.folder is not None else None
        used = sum(map(_anonymous, processes)) if grouped is None else grouped
        if used > self._cap * _NEAR or self._watch.kills:
            self.out_of_memory = True
            self.kill()
        return used

    def processes(self) -> Iterator[int]:
        """Yield the numbers of all its processes."""
        yield from descendants(self.pid)

    def layer_disk(self) -> Path | None:
        """Return None: what it writes outside the mounts is in memory."""
        return None

    def layer_bytes(self) -> int | None:
        """Return None: what it writes outside the mounts is in memory."""
        return None

    def close(self) -> None:
        """Let go of it, dead or alive."""
        if self._process.poll() is None:
            self.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def kill_tree(pid: int) -> None:
    """Kill a process and all below it."""
    for one in reversed(list(descendants(pid))):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(one, signal.SIGKILL)


def _own_group(pid: int) -> Path | None:
    """Return the folder of the control group that Apptainer made for a process; None when it made none."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if "apptainer" in place and controllers in ("memory", ""):
                folder = Path("/sys/fs/cgroup", controllers, place.lstrip("/"))
                if (folder / "memory.stat").exists():
                    return folder
    return None


def _anonymous(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return max(0, int(words[1]) - int(words[2])) * _PAGE
