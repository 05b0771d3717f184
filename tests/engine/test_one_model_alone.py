"""A model that cannot be planned, created, started, fetched for, watched or cleaned up after fails alone."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import EnvironmentProblem
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.models import Asset, Image, Mount, Task
from medperf_git.runner.execute import execute
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import PinnedCube, RunPlan
from medperf_git.runner.scratch import own_scratch, remove_abandoned
from medperf_git.runner.store import RunStore
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack
from tests.engine.conftest import clock, docker, wide

MakeCube = Callable[..., PinnedCube]
MakePlan = Callable[..., RunPlan]
NOWHERE = Asset("file:///nowhere/files.tar.gz", 3, digest_of(b"abc"))


def changed(pinned: PinnedCube, **task: object) -> PinnedCube:
    """Return a cube whose infer task differs; its digest too."""
    infer = replace(pinned.cube.tasks["infer"], **task)
    cube = replace(pinned.cube, tasks={"infer": infer})
    return PinnedCube(cube, digest_of(repr(cube).encode()))


def reading_files(pinned: PinnedCube, files: Asset | None) -> PinnedCube:
    inputs = pinned.cube.tasks["infer"].input_volumes | {"additional_files": Mount("/input/files", "directory")}
    both = changed(pinned, input_volumes=inputs)
    return PinnedCube(replace(both.cube, additional_files=files), both.digest)


def with_run_args(pinned: PinnedCube, **fields: object) -> PinnedCube:
    return changed(pinned, run_args=replace(pinned.cube.tasks["infer"].run_args, **fields))


def output_at(pinned: PinnedCube, path: str) -> PinnedCube:
    return changed(pinned, output_volumes={"output_path": Mount(path, "directory")})


def with_image(pinned: PinnedCube, image: Image) -> PinnedCube:
    return PinnedCube(replace(pinned.cube, image=image), digest_of(repr(image).encode()))


def covering_usr(pinned: PinnedCube) -> PinnedCube:
    recipe = "FROM medperf-git-test/full:1\nVOLUME /usr\n"
    docker("build", "-q", "--network", "none", "-t", "medperf-git-test/usr:1", "-", text=recipe)
    image_id = docker("image", "inspect", "-f", "{{.Id}}", "medperf-git-test/usr:1")
    return with_image(pinned, replace(pinned.cube.image, id=Digest(image_id)))


def of_archive(pinned: PinnedCube) -> PinnedCube:
    image = Image("DockerArchive", "nowhere", digest_of(b"image"), "linux/amd64", archive=NOWHERE)
    return with_image(pinned, image)


def of_strange_name(pinned: PinnedCube) -> PinnedCube:
    image = Image("DockerImage", "UPPER CASE//x", digest_of(b"i"), "linux/amd64", manifest=digest_of(b"m"))
    return with_image(pinned, image)


VARIANTS: dict[str, tuple[str, Callable[[PinnedCube], PinnedCube], str]] = {
    "output at /tmp": ("predict", lambda one: output_at(one, "/tmp"), "sandbox"),
    "output over the data": ("predict", lambda one: output_at(one, "/input/data"), "sandbox"),
    "output inside the data": ("predict", lambda one: output_at(one, "/input/data/out"), "sandbox"),
    "no such entry point": ("predict", lambda one: with_run_args(one, entrypoint="/nonexistent"), "exit-code"),
    "an open quotation mark": ("predict", lambda one: with_run_args(one, command="python3 'x"), "sandbox"),
    "no size": ("predict", lambda one: with_run_args(one, shm_size="much"), "sandbox"),
    "deep folders in /tmp": ("deep-tmp", lambda one: one, "invalid-output"),  # which is no fault, but no prediction
    "deeper folders in /tmp": ("deepest-tmp", lambda one: one, "disk"),
    "deep folders of output": ("deep-output", lambda one: one, "invalid-output"),
    "a volume over the system": ("predict", covering_usr, "sandbox"),
    "files that are nowhere": ("predict", lambda one: reading_files(one, NOWHERE), "image-unavailable"),
    "files that are not named": ("predict", lambda one: reading_files(one, None), "image-unavailable"),
    "an archive that is nowhere": ("predict", of_archive, "image-unavailable"),
    "an image with no possible name": ("predict", of_strange_name, "image-unavailable"),
    "no such task": (
        "predict",
        lambda one: PinnedCube(replace(one.cube, tasks={"other": Task()}), one.digest),
        "sandbox",
    ),
}


@pytest.fixture
def run(bench: Bench, data: DatasetFolders, tmp_path: Path) -> Callable[[RunPlan], tuple[Outcome, ...]]:
    """Run a plan at a site that fetches and unpacks what records name, in a scratch folder of its own."""

    def bring(asset: Asset) -> Path:
        return fetch_asset(asset, tmp_path / "assets")

    def run(plan: RunPlan, **options: object) -> tuple[Outcome, ...]:
        remove_abandoned(tmp_path / "scratch")
        with own_scratch(tmp_path / "scratch") as scratch:
            own = replace(
                bench, limits=wide(bench.limits), scratch=scratch, stop=threading.Event(), fetch=bring,
                unpack=lambda asset: unpack(bring(asset), tmp_path / "unpacked"),
            )  # fmt: skip
            return execute(plan, data, bench=own, store=RunStore(tmp_path / "runs"), now=clock, **options)

    return run


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_bad_model_fails_alone(
    run: Callable[..., tuple[Outcome, ...]], make_cube: MakeCube, make_plan: MakePlan, tmp_path: Path, variant: str
) -> None:
    action, change, reason = VARIANTS[variant]
    bad, good = change(make_cube(action, name="bad")), make_cube("predict", name="good")
    plan = make_plan([bad, good], make_cube("score", name="score", role="metrics"))
    outcomes = run(plan)
    assert [(one.outcome, one.reason) for one in outcomes] == [("failed", reason), ("complete", None)]
    assert len(outcomes[0].explanation) < 500
    assert outcomes[0].hint
    assert list((tmp_path / "scratch").iterdir()) == []
    assert run(plan, retry_failed=True)[0].attempt == 2


def test_an_engine_that_starts_nothing_is_nobodys_failure(
    run: Callable[..., tuple[Outcome, ...]], make_cube: MakeCube, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medperf_git.runner.engines import docker as adapter  # noqa: PLC0415

    whole = adapter.container_body

    def broken(*args: object, **options: object) -> dict[str, object]:
        body = whole(*args, **options)
        body["HostConfig"] |= {"Runtime": "no-such-runtime"}
        return body

    monkeypatch.setattr(adapter.DockerEngine, "check_sandbox", lambda *_, **__: ())
    monkeypatch.setattr(adapter, "container_body", broken)
    with pytest.raises(EnvironmentProblem, match="would not"):
        run(make_plan([make_cube("predict", name="good")], make_cube("score", name="score", role="metrics")))
