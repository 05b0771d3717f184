"""Bombs: each goes off in a container of a real engine, is stopped within its limit, and leaves the disk as it was."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.runner.engine import MIB, Cap, Ended, Limits, Profile
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.tasks import Bench, StepFailed, TaskRun
from tests.engine.conftest import ENGINE

KEPT_BY_THE_ENGINE = {"eat-memory", "eat-memory-in-child", "fork-bomb", "big-file"}
LEFT_AT_MOST = 64 * MIB
# Between two looks at the disk four writers go on, and while the kill is on its way: what they add is measured.
OVERSHOOT_AT_MOST = 256 * MIB


@pytest.fixture(scope="session")
def own_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk that nobody else writes to, for those who may mount one; else any folder."""
    folder = tmp_path_factory.mktemp("disk")
    if os.getuid() != 0:
        yield folder
        return
    image = folder.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(3 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)
    image.unlink()


@pytest.fixture
def bench(engine: DockerEngine, limits: Limits, own_disk: Path, tmp_path: Path) -> Bench:
    """A workbench with small caps on that disk."""
    return Bench(engine=engine, limits=limits, scratch=own_disk / tmp_path.name, run_id="test")


@pytest.mark.parametrize(
    ("action", "reason", "ended", "named"),
    [
        ("never-ends", "timeout", Ended.DEADLINE, r"within 2 s.*--timeout 4s"),
        ("flood-log", "disk", Ended.LOG_LIMIT, "log grew beyond 1 MiB"),
        ("eat-memory", "out-of-memory", Ended.OOM, r"more than 256 MiB of memory.*--memory 512m"),
        ("eat-memory-in-child", "out-of-memory", Ended.OOM, "more than 256 MiB of memory"),
        ("flood-output", "disk", Ended.DISK_LIMIT, r"more than 16 MiB of output.*--disk 32m"),
        ("flood-tmp", "disk", Ended.DISK_LIMIT, r"more than 16 MiB in /tmp.*--disk 32m"),
        ("flood-removed", "disk", Ended.DISK_LIMIT, r"more than 16 MiB in /tmp.*--disk 32m"),
        ("many-files", "disk", Ended.DISK_LIMIT, "more than 2000 files"),
        ("many-files-in-tmp", "disk", Ended.DISK_LIMIT, "more than 2000 files"),
        ("fork-bomb", "exit-code", Ended.EXITED, "no more than 64 processes"),
        ("fill-volume", "exit-code", Ended.EXITED, r"a volume holds 8 MiB.*--disk 16m"),
        ("fill-shm", "exit-code", Ended.EXITED, "shared memory 64 MiB"),
        ("big-file", "exit-code", Ended.EXITED, r"files grew beyond 32 MiB.*--disk 64m"),
    ],
)
def test_t22_a_bomb_is_stopped_inside_its_limit(
    infer: Callable[..., TaskRun], limits: Limits, own_disk: Path, keeps_limits: bool, *, action: str, reason: str,
    ended: Ended, named: str,
) -> None:  # fmt: skip
    if action in KEPT_BY_THE_ENGINE and not keeps_limits:
        pytest.skip("the probe refuses this engine: it does not keep this cap")
    if ENGINE == "apptainer" and action == "fill-volume":
        reason, ended, named = "disk", Ended.DISK_LIMIT, "in /tmp"  # its volumes lie there
    if ENGINE == "apptainer" and action == "fill-shm":
        reason, ended, named = "out-of-memory", Ended.OOM, "of memory"  # shared memory has no cap of its own there
    seconds = 2 if action == "never-ends" else 20
    wide = replace(limits, output_bytes=1 << 30) if action == "big-file" else limits
    before, free = time.monotonic(), shutil.disk_usage(own_disk).free
    with pytest.raises(StepFailed) as failure:
        infer(action, limits=replace(wide, wall_seconds=seconds))
    took, left = time.monotonic() - before, free - shutil.disk_usage(own_disk).free
    result = failure.value.result
    assert result is not None
    assert (failure.value.reason, result.ended) == (reason, ended)
    assert re.search(named, f"{failure.value.message}; {failure.value.hint}")
    assert took < seconds + 5
    assert abs(left) < LEFT_AT_MOST or os.getuid() != 0  # else others write to that disk as well
    assert (result.peak_disk or 0) < wide.output_bytes + OVERSHOOT_AT_MOST


@pytest.mark.skipif(ENGINE == "apptainer", reason="Apptainer keeps its root file system in memory, which is capped")
def test_t22_the_root_file_system_is_capped_under_compat(infer: Callable[..., TaskRun], limits: Limits) -> None:
    before = time.monotonic()
    with pytest.raises(StepFailed) as failure:
        infer("flood-root", profile=Profile.COMPAT, limits=replace(limits, wall_seconds=20))
    result = failure.value.result
    assert result is not None
    assert (failure.value.reason, result.ended, result.broke) == ("disk", Ended.DISK_LIMIT, Cap.LAYER)
    assert "more than 16 MiB in its root file system" in failure.value.message
    assert time.monotonic() - before < 25
    assert (result.peak_disk or 0) < limits.tmp_bytes + OVERSHOOT_AT_MOST


def test_t22_processors_are_shared_out(
    infer: Callable[..., TaskRun], limits: Limits, tmp_path: Path, keeps_limits: bool
) -> None:
    if not keeps_limits:
        pytest.skip("the probe refuses this engine: it does not keep this cap")
    with pytest.raises(StepFailed) as failure:
        infer("burn-processors", limits=replace(limits, wall_seconds=5, cpus=0.5))
    assert failure.value.reason == "timeout"
    had = re.search(r"had ([0-9.]+) s", (tmp_path / "logs" / "log").read_text())
    assert had is not None
    assert float(had[1]) < 2 * 0.5 * 1.6  # two seconds of half a processor, and what the last period gave
