"""A container's log: streamed, cut at its cap, and told apart from a disk that takes no more."""

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.runner.disk import DiskFull
from medperf_git.runner.engine import MIB, Ended, Limits, Profile, StepSpec
from medperf_git.runner.supervise import follow
from medperf_git.runner.watch import descendants, removed_bytes


class Printing:
    """A container that prints pieces and ends, or is stopped."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.done = threading.Event()

    def output(self) -> Iterator[bytes]:
        yield from self.pieces
        self.done.set()

    def wait(self) -> int:
        self.done.wait(10)
        return 0

    def kill(self) -> None:
        self.done.set()

    def memory(self) -> int | None:
        return None

    def processes(self) -> tuple[int, ...]:
        return (os.getpid(),)

    def layer_bytes(self) -> int | None:
        return None


@pytest.fixture
def spec(tmp_path: Path) -> StepSpec:
    limits = Limits(memory_bytes=1 << 20, cpus=1, wall_seconds=10, pids=1, open_files=16, log_bytes=10)
    return StepSpec(
        image_id="sha256:0", command=None, entrypoint=None, environment=(), binds=(), limits=limits,
        profile=Profile.STRICT, scratch=tmp_path, shm_bytes=1, run_id="test",
    )  # fmt: skip


def test_a_log_at_its_cap_is_cut_and_says_so(spec: StepSpec, tmp_path: Path) -> None:
    seen = follow(Printing(b"12345", b"678901234"), spec, log=tmp_path / "log", stop=threading.Event())
    assert seen.ended is Ended.LOG_LIMIT
    assert (tmp_path / "log").read_bytes().startswith(b"1234567890\n[medperf-git: the log was cut here")


def test_a_disk_that_takes_no_log_is_no_fault_of_the_container(spec: StepSpec) -> None:
    roomy = replace(spec, limits=replace(spec.limits, log_bytes=1 << 20))
    with pytest.raises(DiskFull, match="/dev/full cannot be written: No space left on device"):
        follow(Printing(b"hello"), roomy, log=Path("/dev/full"), stop=threading.Event())


def test_t22_a_removed_file_that_is_held_open_or_mapped_counts(spec: StepSpec, tmp_path: Path) -> None:
    spec.scratch.mkdir(exist_ok=True)
    device = {spec.scratch.stat().st_dev}
    before = removed_bytes([os.getpid()], device)
    with (spec.scratch / "held").open("w+b") as held:
        held.write(b"x" * MIB)
        held.flush()
        assert removed_bytes([os.getpid()], device) == before
        (spec.scratch / "held").unlink()
        assert removed_bytes([os.getpid()], device) >= before + MIB
        assert removed_bytes([os.getpid()], set()) == 0
        assert follow(Printing(b""), spec, log=tmp_path / "log", stop=threading.Event()).peak_disk >= MIB
        with mmap.mmap(held.fileno(), 0) as mapped:
            held.close()
            if os.getuid() == 0:  # what is mapped is shown to root alone
                assert removed_bytes([os.getpid()], device) >= before + MIB
            assert mapped[0] == ord("x")


def test_the_children_of_a_process_and_theirs_are_found_whoever_started_them() -> None:
    program = "import os, subprocess; os.fork(); subprocess.run(['sleep', '30'])"
    with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as process:
        try:
            until = time.monotonic() + 10
            while len(found := list(descendants(process.pid))) < 4 and time.monotonic() < until:
                time.sleep(0.02)
            names = sorted(Path(f"/proc/{pid}/comm").read_text().strip()[:6] for pid in found)
            assert found[0] == process.pid
            assert names == ["python", "python", "sleep", "sleep"]
        finally:
            os.killpg(process.pid, signal.SIGKILL)
