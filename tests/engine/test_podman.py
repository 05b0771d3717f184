"""Podman, a little of it with every run of the tests; all of it by `make test-podman`."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem, Refused
from medperf_git.records.digests import Digest
from medperf_git.runner.engine import Ended, Limits, Profile, StepSpec, WantedImage
from medperf_git.runner.engines.docker import DockerEngine
from tests.engine.conftest import BASE, ENGINE, ROOT

pytestmark = pytest.mark.skipif(ENGINE != "docker", reason="these start Podman themselves")


def service(kind: str) -> str:
    """Start Podman's service and return its address."""
    command = [ROOT / "scripts/ensure-podman.sh", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1].removeprefix("CONTAINER_HOST=")


def answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(str(address)) == 0


@pytest.fixture
def podman(images: dict[str, str]) -> Iterator[DockerEngine]:
    assert images  # Docker has made the base image
    with contextlib.closing(DockerEngine.connect("podman", address=service("root"))) as engine:
        yield engine


def step(engine: DockerEngine, limits: Limits, folder: Path, program: str) -> StepSpec:
    described = engine.load_local(f"localhost/{BASE}")
    scratch = folder / "tmp"
    scratch.mkdir()
    scratch.chmod(0o777)
    return StepSpec(
        image_id=described.id, command=("python3", "-c", program), entrypoint=None, environment=(), binds=(),
        limits=limits, profile=Profile.STRICT, scratch=scratch, run_id="test",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["root", "rootless"])
def test_a_service_that_is_started_anew_lets_its_caller_go(images: dict[str, str], kind: str) -> None:
    assert images
    address = Path(service(kind).removeprefix("unix://"))
    pid = address.with_name("podman.pid")
    before = pid.read_text()
    until = time.monotonic() + 60
    while answers(address) and time.monotonic() < until:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(before), signal.SIGTERM)  # all of it: without root the one that was started starts another
        time.sleep(0.2)
    assert service(kind)  # would not return while a shell waits for the service and holds the pipe
    assert pid.read_text() != before


def test_podman_keeps_strict_and_runs_a_step(podman: DockerEngine, limits: Limits, tmp_path: Path) -> None:
    podman.check_sandbox(Profile.STRICT)
    assert not podman.info().rootless
    spec = step(podman, limits, tmp_path, "import os; print(os.getuid(), os.environ['HOME'])")
    assert podman.run(spec, log=tmp_path / "log", stop=threading.Event()).succeeded
    assert (tmp_path / "log").read_text() == f"{podman.user(Profile.STRICT).uid} /tmp\n"


@pytest.mark.parametrize("where", ["itself", "a child"])
def test_t22_podman_tells_nothing_of_a_lack_of_memory_and_it_is_known_all_the_same(
    podman: DockerEngine, limits: Limits, tmp_path: Path, where: str
) -> None:
    eat = "hog = []\nwhile True: hog.append(bytearray(1 << 24))"
    child = f"import os, sys\nif os.fork() == 0:\n exec({eat!r})\nos.wait()\nsys.exit(1)"
    spec = step(podman, replace(limits, wall_seconds=20), tmp_path, eat if where == "itself" else child)
    assert podman.run(spec, log=tmp_path / "log", stop=threading.Event()).ended is Ended.OOM


def test_a_rootless_engine_that_ignores_limits_is_refused_until_a_weaker_profile_accepts_it(
    images: dict[str, str],
) -> None:
    assert images
    with contextlib.closing(DockerEngine.connect("podman", address=service("rootless"))) as engine:
        assert engine.info().rootless
        if Path("/sys/fs/cgroup/cgroup.controllers").exists():
            pytest.skip("this system lets a rootless engine keep limits")
        with pytest.raises(Refused, match="memory is not limited") as refused:
            engine.check_sandbox(Profile.STRICT)
        assert "--profile unlimited" in refused.value.hint
        assert "memory is not limited" in engine.check_sandbox(Profile.UNLIMITED)


def test_an_ordinary_user_runs_a_step_on_a_podman_of_their_own() -> None:
    done = subprocess.run(
        [ROOT / "scripts/test-podman.sh", sys.executable, "rootless", "tests/engine/test_sandbox.py", "-k", "ordinary"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_without_a_service_the_one_command_is_said(tmp_path: Path) -> None:
    where = f"unix://{tmp_path}/podman.sock"
    with pytest.raises(EnvironmentProblem, match="Podman's service does not answer") as problem:
        DockerEngine.connect("podman", address=where)
    assert "podman.socket" in problem.value.hint or f"podman system service --time=0 {where}" in problem.value.hint


def test_an_image_of_docker_is_known_to_podman_by_the_same_id(podman: DockerEngine) -> None:
    with contextlib.closing(DockerEngine.connect()) as docker:
        described = docker.load_local(BASE)
    wanted = WantedImage(type="DockerImage", reference=BASE, id=Digest(described.id), platform=described.platform)
    assert podman.resolve_image(wanted) == described.id
