"""What only Apptainer does; run by `make test-apptainer`, for it is seldom installed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import digest_of
from medperf_git.runner.engine import MIB, Limits, Profile, StepSpec, WantedImage
from medperf_git.runner.engines.apptainer import ApptainerEngine
from medperf_git.runner.manifest import hashed_file
from medperf_git.runner.mirrors import Mirror
from medperf_git.runner.tasks import StepFailed, TaskRun
from tests.engine.conftest import ENGINE
from tests.support.image_registry import image_registry, push_image

pytestmark = pytest.mark.skipif(ENGINE != "apptainer", reason="run by `make test-apptainer`")


@pytest.fixture
def apptainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApptainerEngine]:
    """The engine with a cache of its own."""
    monkeypatch.setenv("APPTAINER_CACHEDIR", str(tmp_path / "cache"))
    engine = ApptainerEngine.connect()
    yield engine
    assert engine.reap() == ()


def run_probe(engine: ApptainerEngine, image: str, folder: Path) -> str:
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o777)
    limits = Limits(memory_bytes=128 * MIB, cpus=1, wall_seconds=30)
    spec = StepSpec(
        image_id=image, command=None, entrypoint=None, environment=(), binds=(), limits=limits,
        profile=Profile.UNLIMITED, scratch=folder / "tmp", run_id="test",
    )  # fmt: skip
    result = engine.run(spec, log=folder / "log", stop=threading.Event())
    assert result.succeeded, (folder / "log").read_text()
    return (folder / "log").read_text()


def test_strict_is_refused_where_system_calls_are_not_filtered_and_unlimited_says_what_is_lacking(
    apptainer: ApptainerEngine, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="system calls are not filtered") as refused:
        apptainer.check_sandbox(Profile.STRICT)
    assert "--profile unlimited" in refused.value.hint
    warnings = apptainer.check_sandbox(Profile.UNLIMITED, cache=tmp_path / "kept")
    assert "system calls are not filtered" in warnings
    assert apptainer.check_sandbox(Profile.UNLIMITED, cache=tmp_path / "kept") == warnings


def test_an_image_is_pulled_by_digest_from_a_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPTAINER_CACHEDIR", str(tmp_path / "cache"))
    with image_registry(tmp_path / "registry") as address:
        pushed = push_image(address, "mirror/model", filling=b"x" * 1000)
        engine = ApptainerEngine.connect(mirrors=(Mirror("images.invalid", f"{address}/mirror"),))
        wanted = replace(pushed, reference="images.invalid/model:1")
        assert engine.resolve_image(wanted) == pushed.id
    assert "NoNewPrivs:\t1" in run_probe(engine, pushed.id, tmp_path)
    assert engine.remove_image(pushed.id)
    assert not engine.has_image(wanted)


def test_a_sif_file_is_known_by_its_digest(apptainer: ApptainerEngine, images: dict[str, str], tmp_path: Path) -> None:
    sif = Path(os.environ["APPTAINER_CACHEDIR_OF_THE_IMAGES"]) / "medperf-git" / f"{images['full'][7:]}.sif"
    _, digest = hashed_file(sif)
    wanted = WantedImage(type="SingularityFile", reference="x.sif", id=digest, platform="linux/amd64", archive=sif)
    assert apptainer.resolve_image(wanted) == digest
    noted = json.loads((tmp_path / "cache" / "medperf-git" / f"{digest[7:]}.json").read_text())
    assert noted["Entrypoint"] == ["python3", "/app/actor.py"]
    with pytest.raises(IntegrityBroken, match="the record names"):
        apptainer.resolve_image(replace(wanted, id=digest_of(b"another")))


def test_a_killed_client_leaves_a_step_that_the_next_command_ends(tmp_path: Path, images: dict[str, str]) -> None:
    program = f"""
import threading
from pathlib import Path
from medperf_git.runner.engine import *
from medperf_git.runner.engines.apptainer import ApptainerEngine
scratch = Path({str(tmp_path)!r}) / "tmp"
scratch.mkdir(); scratch.chmod(0o777)
spec = StepSpec(image_id={images["full"]!r}, command=("never-ends",), entrypoint=None, environment=(), binds=(),
                limits=Limits(memory_bytes=256 * MIB, cpus=1), profile=Profile.UNLIMITED, scratch=scratch)
ApptainerEngine.connect().run(spec, log=scratch.parent / "log", stop=threading.Event())
"""
    client = subprocess.Popen([sys.executable, "-c", program])
    for _ in range(200):
        if (tmp_path / "log").exists() and "for ever" in (tmp_path / "log").read_text():
            break
        time.sleep(0.1)
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert subprocess.run(["pgrep", "-f", "never-ends"], capture_output=True, check=False).stdout
    assert len(ApptainerEngine.connect().reap()) == 1
    for _ in range(50):
        if not subprocess.run(["pgrep", "-f", "actor.py never-ends"], capture_output=True, check=False).stdout:
            break
        time.sleep(0.1)
    else:
        pytest.fail("it goes on")


def test_a_step_that_is_stopped_leaves_nothing(infer: Callable[..., TaskRun], limits: Limits) -> None:
    with pytest.raises(StepFailed, match="did not end"):
        infer("never-ends", limits=replace(limits, wall_seconds=4))
    time.sleep(0.5)
    assert not subprocess.run(["pgrep", "-f", "actor.py never-ends"], capture_output=True, check=False).stdout
