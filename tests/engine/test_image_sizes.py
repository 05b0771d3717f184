"""What fetching an image would move, as a real image registry tells it."""

import json
import time
import urllib.request
from typing import Any

from medperf_git.records.digests import digest_of
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.image_size import ImageSizes
from tests.engine.conftest import BASE, docker
from tests.engine.test_images import image_registry

__all__ = ["image_registry"]


def test_the_size_is_that_of_the_layers_and_only_the_pinned_manifest_counts(
    engine: DockerEngine, image_registry: str, images: dict[str, str]
) -> None:
    reference = f"{image_registry}/models/sized:1"
    docker("build", "-q", "--network", "none", "-t", reference, "-", text=f"FROM {BASE}\nLABEL at={time.time_ns()}\n")
    docker("push", "-q", reference)
    described = engine.load_local(reference)
    docker("rmi", reference)
    assert described.manifest is not None
    sizes = ImageSizes()
    repository = f"{image_registry}/models/sized"
    assert sizes.compressed(repository, described.manifest, "linux/amd64") == layers(repository, described.manifest)
    assert sizes.compressed(repository, digest_of(b"no such"), "linux/amd64") is None
    assert sizes.compressed(repository, described.manifest, "linux/amd64") is not None  # it is still asked


def layers(repository: str, manifest: str) -> int:
    host, _, name = repository.partition("/")
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{manifest}")
    request.add_header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        value: dict[str, Any] = json.loads(answer.read())
    assert value["layers"]
    return sum(layer["size"] for layer in value["layers"])


def test_a_registry_that_does_not_answer_is_asked_once() -> None:
    sizes = ImageSizes()
    began = time.monotonic()
    for _ in range(40):
        assert sizes.compressed("127.0.0.1:9/models/x", digest_of(b"x"), "linux/amd64") is None
    assert time.monotonic() - began < 10
