"""How images are found: by id, from an archive, from an image registry; never by a tag."""

import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.errors import IntegrityBroken, Refused
from medperf_git.records.digests import Digest, digest_of
from medperf_git.runner.engine import ImageUnavailable, Profile, StepSpec, WantedImage
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.tasks import Bench
from tests.engine.conftest import BASE, ENGINE, docker
from tests.support import image_registry as support

HOSTILE_TAG = "medperf-git-test/postgres:latest"


def wanted(image_id: str, **fields: object) -> WantedImage:
    values = {"type": "DockerImage", "reference": "nowhere.invalid/x:1", "platform": "linux/amd64"}
    return WantedImage(**values | {"id": Digest(image_id)} | fields)


@pytest.fixture
def archive(tmp_path: Path, images: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """An archive of an image that is not loaded, which claims somebody's tag; and its id."""
    recipe = f"FROM {BASE}\nLABEL unique={time.time_ns()}\n"
    docker("build", "-q", "--network", "none", "-t", HOSTILE_TAG, "-", text=recipe)
    image_id = docker("image", "inspect", "-f", "{{.Id}}", HOSTILE_TAG)
    path = tmp_path / "image.tar"
    docker("save", "-o", str(path), HOSTILE_TAG)
    docker("rmi", HOSTILE_TAG)
    docker("tag", images["full"], HOSTILE_TAG)
    yield path, image_id
    subprocess.run(["docker", "rmi", "-f", image_id], capture_output=True, check=False)
    subprocess.run(["docker", "rmi", HOSTILE_TAG], capture_output=True, check=False)


def test_an_image_that_was_built_here_is_found_by_its_id(engine: DockerEngine, images: dict[str, str]) -> None:
    assert engine.resolve_image(wanted(images["full"])) == images["full"]


def test_an_image_that_nobody_has_is_unavailable(engine: DockerEngine) -> None:
    with pytest.raises(ImageUnavailable, match="cannot be fetched"):
        engine.resolve_image(wanted("sha256:" + "0" * 64))


def test_t16_an_archive_that_claims_a_tag_leaves_that_tag_as_it_was(
    engine: DockerEngine, archive: tuple[Path, str], images: dict[str, str]
) -> None:
    path, image_id = archive
    assert not engine.has_image(wanted(image_id))
    assert engine.resolve_image(wanted(image_id, type="DockerArchive", archive=path)) == image_id
    assert docker("image", "inspect", "-f", "{{.Id}}", HOSTILE_TAG) == images["full"]
    assert docker("image", "inspect", "-f", "{{.RepoTags}}", image_id) == "[]"


def test_a_packed_archive_loads_too(engine: DockerEngine, archive: tuple[Path, str]) -> None:
    path, image_id = archive
    subprocess.run(["gzip", "-1", path], check=True)
    packed = path.with_name("image.tar.gz")
    assert engine.resolve_image(wanted(image_id, type="DockerArchive", archive=packed)) == image_id


def test_an_image_that_is_removed_before_its_start_is_nobodys_failure(
    bench: Bench, engine: DockerEngine, archive: tuple[Path, str], tmp_path: Path
) -> None:
    path, image_id = archive
    found = engine.resolve_image(wanted(image_id, type="DockerArchive", archive=path))
    docker("rmi", "-f", found)
    spec = StepSpec(
        image_id=found, command=None, entrypoint=None, environment=(), binds=(), limits=bench.limits,
        profile=Profile.STRICT, scratch=tmp_path,
    )  # fmt: skip
    with pytest.raises(ImageUnavailable, match="is gone from the engine"):
        engine.run(spec, log=tmp_path / "log", stop=threading.Event())


def test_an_archive_of_another_image_is_not_loaded(engine: DockerEngine, archive: tuple[Path, str]) -> None:
    path, image_id = archive
    with pytest.raises(IntegrityBroken, match="the archive holds"):
        engine.resolve_image(wanted(digest_of(b"another"), type="DockerArchive", archive=path))
    assert not engine.has_image(wanted(image_id))


def test_an_archive_whose_configuration_lies_about_its_name_is_refused(engine: DockerEngine, tmp_path: Path) -> None:
    path = tmp_path / "lying.tar"
    name = "0" * 64 + ".json"
    with tarfile.open(path, "w") as tar:
        for member, data in (("manifest.json", json.dumps([{"Config": name, "Layers": []}]).encode()), (name, b"{}")):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(IntegrityBroken, match="not what its name promises"):
        engine.resolve_image(wanted("sha256:" + "0" * 64, type="DockerArchive", archive=path))


def test_a_file_that_is_no_archive_is_refused(engine: DockerEngine, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no archive at all")
    with pytest.raises(Refused, match="is not an image archive"):
        engine.resolve_image(wanted("sha256:" + "0" * 64, type="DockerArchive", archive=tmp_path / "x"))


@pytest.fixture
def image_registry(tmp_path: Path) -> Iterator[str]:
    """An image registry on this machine."""
    with support.image_registry(tmp_path / "registry") as address:
        yield address


@pytest.mark.skipif(
    ENGINE == "podman", reason="Podman tells another manifest of an image that it pushed than it pushed"
)
def test_t15_an_image_is_pulled_by_digest_and_a_moved_tag_is_refused(
    engine: DockerEngine, image_registry: str, images: dict[str, str]
) -> None:
    reference = f"{image_registry}/model:1"
    recipe = f"FROM {BASE}\nLABEL unique={time.time_ns()}\n"
    docker("build", "-q", "--network", "none", "-t", reference, "-", text=recipe)
    docker("push", "-q", reference)
    described = engine.load_local(reference)
    assert described.manifest is not None
    docker("rmi", "-f", described.id)
    assert not engine.has_image(described)
    assert engine.resolve_image(described) == described.id
    docker("rmi", "-f", described.id)
    with pytest.raises(IntegrityBroken, match="the record names"):
        engine.resolve_image(wanted(digest_of(b"x"), reference=reference, manifest=described.manifest))
    docker("rmi", "-f", described.id)
