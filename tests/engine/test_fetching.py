"""How images come here and go again: from private registries, by mirrors, told of while it lasts, removed in time."""

import base64
import contextlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.records.models import Image
from medperf_git.runner.engine import ImageUnavailable, Limits, Profile, WantedImage
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.image_uses import ImageUses
from medperf_git.runner.mirrors import Mirror
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube, TaskPlan, plan_task
from medperf_git.runner.tasks import Bench, StepFailed, run_task
from tests.engine.conftest import ENGINE, ROOT, docker
from tests.support.image_registry import image_registry, push_image

PASSWORD = "a word of this test"
MIB = 1024 * 1024


def random_bytes(size: int) -> bytes:
    """Return bytes that nothing makes smaller, other ones each time."""
    return random.Random(time.time_ns()).randbytes(size)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with image_registry(tmp_path / "registry") as address:
        yield address


@contextlib.contextmanager
def connected(**options: object) -> Iterator[DockerEngine]:
    engine = DockerEngine.connect(ENGINE, **options)
    try:
        yield engine
    finally:
        for image in engine.brought_images():
            engine.remove_image(image)
        engine.close()


@pytest.mark.parametrize("way", ["written down", "by a helper"])
def test_a_private_image_registry_is_read_with_the_login_of_the_docker_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    with image_registry(tmp_path / "registry") as address:
        wanted = push_image(address, "team/model", filling=random_bytes(1000))
    with image_registry(tmp_path / "registry", password=PASSWORD) as private:
        moved = WantedImage(
            type="DockerImage", reference=f"{private}/team/model:1", id=wanted.id, platform=wanted.platform,
            manifest=wanted.manifest,
        )  # fmt: skip
        with connected() as engine, pytest.raises(ImageUnavailable, match=r"docker login|auth|credentials"):
            engine.resolve_image(moved)
        login = tmp_path / "login"
        login.mkdir()
        monkeypatch.setenv("DOCKER_CONFIG", str(login))
        if way == "written down":
            auth = base64.b64encode(f"hospital:{PASSWORD}".encode()).decode()
            (login / "config.json").write_text(json.dumps({"auths": {private: {"auth": auth}}}))
        else:
            helper = tmp_path / "docker-credential-medperf-test"
            answer = json.dumps({"ServerURL": private, "Username": "hospital", "Secret": PASSWORD})
            helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
            helper.chmod(0o700)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            (login / "config.json").write_text(json.dumps({"credsStore": "medperf-test"}))
        with connected() as engine:
            assert engine.resolve_image(moved) == wanted.id


def test_any_mirror_serves_and_the_next_place_is_asked_when_one_has_it_not(address: str) -> None:
    here = push_image(address, "mirror/hospital/model", filling=random_bytes(1000))
    wanted = WantedImage(
        type="DockerImage", reference="images.invalid/hospital/model:1", id=here.id, platform=here.platform,
        manifest=here.manifest,
    )  # fmt: skip
    with connected() as engine, pytest.raises(ImageUnavailable):
        engine.resolve_image(wanted)
    mirrors = (Mirror("images.invalid", f"{address}/empty"), Mirror("images.invalid", f"{address}/mirror"))
    with connected(mirrors=mirrors) as engine:
        assert engine.resolve_image(wanted) == here.id


def test_while_an_image_is_fetched_its_bytes_are_told(address: str) -> None:
    if ENGINE == "podman":
        pytest.skip("Podman's service tells no bytes")
    wanted = push_image(address, "big", filling=random_bytes(20 * MIB))
    told: list[tuple[int, int]] = []
    with connected() as engine:
        engine.resolve_image(wanted, progress=lambda *numbers: told.append(numbers))
    assert told[-1][0] == told[-1][1] >= 20 * MIB
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_only_what_this_command_brought_is_removed(address: str, images: dict[str, str]) -> None:
    wanted = push_image(address, "mine", filling=random_bytes(1000))
    taken = push_image(address, "taken", filling=random_bytes(1000))
    with connected() as engine:
        uses = ImageUses(engine.remove_image)
        assert engine.resolve_image(wanted) == wanted.id
        assert engine.resolve_image(taken) == taken.id
        docker("tag", taken.id, "medperf-git-test/taken:1")
        try:
            uses.expect([wanted.id, wanted.id, taken.id])
            assert uses.done([wanted.id]) == ()
            assert engine.has_image(wanted)
            assert uses.done([wanted.id, taken.id]) == (wanted.id,)
            assert not engine.has_image(wanted)
            assert engine.has_image(taken)  # somebody gave it a name meanwhile
        finally:
            docker("rmi", "medperf-git-test/taken:1")
        built_here = WantedImage(type="DockerImage", reference="x", id=images["full"], platform="linux/amd64")
        engine.resolve_image(built_here)
        assert uses.done([built_here.id]) == ()
        assert engine.has_image(built_here)


@pytest.fixture
def small_engine(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A private engine whose disk holds about ten of the images below; its address and process."""
    if os.getuid() != 0:
        pytest.fail("only root can mount a small disk")
    disk, folder = tmp_path / "disk.img", Path(tempfile.mkdtemp(prefix="mg-small-"), "data")  # sockets want short paths
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(100 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, folder], check=True)
    try:
        subprocess.run([ROOT / "tests/support/private_dockerd.sh", folder.parent], check=True, capture_output=True)
        process = int((folder.parent / "pid").read_text())
        yield f"unix://{folder.parent}/d.sock", process
        os.kill(process, 15)
        for _ in range(100):
            if not Path(f"/proc/{process}").exists():
                break
            time.sleep(0.1)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(folder.parent, ignore_errors=True)


@pytest.mark.skipif(ENGINE != "docker", reason="the small disk is that of a private Docker engine")
def test_41_images_run_on_a_disk_that_holds_10(
    tmp_path: Path, small_engine: tuple[str, int], data: DatasetFolders, limits: Limits,
    make_cube: Callable[..., PinnedCube],
) -> None:  # fmt: skip
    address, process = small_engine
    with image_registry(tmp_path / "registry") as host:
        pushed = [push_image(host, f"m{number}", filling=random_bytes(7 * MIB)) for number in range(41)]
    with image_registry(tmp_path / "registry", beside=process) as there:
        engine = DockerEngine.connect(address=address)
        plans = [_plan(make_cube, image, f"{there}/m{number}:1") for number, image in enumerate(pushed)]
        bench = Bench(engine=engine, limits=limits, scratch=tmp_path / "scratch", uses=ImageUses(engine.remove_image))
        bench.uses.expect(image.id for image in pushed)

        def run(number: int) -> None:
            run_task(
                bench, plans[number], inputs={"data_path": data.data}, targets={}, log=tmp_path / "logs" / str(number),
                profile=Profile.STRICT,
            )  # fmt: skip

        for number, image in enumerate(pushed):
            run(number)
            assert bench.uses.done([image.id]) == (image.id,)

        def run_all() -> None:
            for number in range(41):
                run(number)

        with pytest.raises(StepFailed, match="no space left") as full:
            run_all()
        assert full.value.reason == "image-unavailable"
        assert 5 <= len(engine.brought_images()) <= 14
        engine.close()


def _plan(make_cube: Callable[..., PinnedCube], image: WantedImage, reference: str) -> TaskPlan:
    pinned = make_cube()
    named = Image("DockerImage", reference, image.id, image.platform, manifest=image.manifest)
    plan = plan_task(PinnedCube(replace(pinned.cube, image=named), pinned.digest), "infer")
    return replace(plan, command=None)
