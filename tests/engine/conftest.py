"""A real engine, tiny images made from the base image, cubes made of them.

The engine is Docker, or what MEDPERF_GIT_TEST_ENGINE names: `podman`, at the address in CONTAINER_HOST
(scripts/test-podman.sh sets both), whose images are built through the same API as the steps are run; or `apptainer`
(`make test-apptainer`), whose images are built by Docker and taken over as archives.
"""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from medperf_git.errors import Refused
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.models import (
    Asset,
    Benchmark,
    Cases,
    Content,
    Cube,
    Dataset,
    Image,
    Metric,
    Mount,
    Range,
    Ranking,
    Reference,
    RunArgs,
    Task,
)
from medperf_git.runner.engine import GIB, MIB, Limits, Profile, WantedImage
from medperf_git.runner.engines.apptainer import ApptainerEngine
from medperf_git.runner.engines.docker import DockerEngine
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import (
    PinnedBenchmark,
    PinnedCube,
    PinnedDataset,
    RunPlan,
    build_run_plan,
    plan_task,
)
from medperf_git.runner.tasks import Bench, TaskRun, run_task

ROOT = Path(__file__).parents[2]
ACTOR = Path(__file__).parent / "actor"
BASE = "medperf-git/base:latest"
STYLES = {
    "full": "",
    "interpreter": 'ENTRYPOINT ["python3"]',
    "none": "ENTRYPOINT []",
}
CREATED = "2026-11-25T10:00:00Z"
ZERO = digest_of(b"")
RUN_ID = f"test{os.getpid()}"  # other people's tests may use the same engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as needing an engine."""
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.engine)


ENGINE = os.environ.get("MEDPERF_GIT_TEST_ENGINE", "docker")


def docker(*arguments: str, text: str = "") -> str:
    """Run the docker command at the engine under test."""
    return subprocess.run(
        ["docker", *arguments], input=text, capture_output=True, text=True, check=True, env=docker_environment()
    ).stdout.strip()


def docker_environment() -> dict[str, str]:
    """Return the environment in which the docker command speaks to the engine under test."""
    return dict(os.environ) | ({"DOCKER_HOST": os.environ["CONTAINER_HOST"]} if ENGINE == "podman" else {})


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Image ids by style of entry point, built from the base image."""
    if ENGINE != "podman":
        subprocess.run([ROOT / "scripts" / "ensure-engine.sh"], check=True, capture_output=True)
        subprocess.run([ROOT / "scripts" / "base-image.sh", BASE], check=True, capture_output=True)
    ids = {"full": _built("full", "--build-arg", f"BASE={BASE}", str(ACTOR))}
    for style, line in STYLES.items():
        if line:
            ids[style] = _built(style, "-", text=f"FROM medperf-git-test/full:1\n{line}\n")
    if ENGINE == "apptainer":
        _take_over(ids, tmp_path_factory.mktemp("archives"))
    return ids


def _built(style: str, *arguments: str, text: str = "") -> str:
    """Build an image and return its id; its name may be another's meanwhile."""
    built = docker("build", "-q", "--network", "none", "-t", f"medperf-git-test/{style}:1", *arguments, text=text)
    return docker("image", "inspect", "-f", "{{.Id}}", built.splitlines()[-1])


def _take_over(ids: dict[str, str], folder: Path) -> None:
    with contextlib.closing(connect()) as engine:
        for style, image_id in ids.items():
            archive = folder / f"{style}.tar"
            docker("save", "-o", str(archive), image_id)
            engine.resolve_image(
                WantedImage(
                    type="DockerArchive", reference=style, id=Digest(image_id), platform="linux/amd64", archive=archive
                )
            )  # fmt: skip
            archive.unlink()


def connect() -> DockerEngine:
    """Connect to the engine under test."""
    if ENGINE == "apptainer":
        return cast(DockerEngine, ApptainerEngine.connect())
    return DockerEngine.connect(ENGINE)


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    """The engine of this machine; there is none: the test fails."""
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def limits() -> Limits:
    """Small caps, so that bombs go off quickly."""
    return Limits(
        memory_bytes=256 * MIB, cpus=1, wall_seconds=30, pids=64, open_files=512, file_bytes=32 * MIB, log_bytes=MIB,
        tmp_bytes=16 * MIB, volume_bytes=8 * MIB, output_bytes=16 * MIB, output_files=2000,
    )  # fmt: skip


@pytest.fixture
def bench(engine: DockerEngine, limits: Limits, tmp_path: Path) -> Bench:
    """A workbench with small caps."""
    return Bench(engine=engine, limits=limits, scratch=tmp_path / "scratch", run_id=RUN_ID)


@pytest.fixture
def data(tmp_path: Path) -> DatasetFolders:
    """Three cases, readable by their owner alone."""
    for name in ("data", "labels"):
        folder = tmp_path / "site" / name
        folder.mkdir(parents=True, mode=0o700)
        for case in "abc":
            (folder / f"{case}.txt").write_text(f"{name} of {case}")
            (folder / f"{case}.txt").chmod(0o600)
    return DatasetFolders(tmp_path / "site" / "data", tmp_path / "site" / "labels")


@pytest.fixture
def make_cube(images: dict[str, str]) -> Callable[..., PinnedCube]:
    """Make a model or metrics cube that does the given actions."""

    def make(
        *actions: str, name: str = "actor", role: str = "model", style: str = "full", **fields: object
    ) -> PinnedCube:
        starts = {"full": (), "interpreter": ("/app/actor.py",), "none": ("python3", "/app/actor.py")}
        run_args = RunArgs(command=(*starts[style], *actions), **fields.pop("run_args", {}))
        cube = Cube(
            created=CREATED, member="ana", name=name, version=1, role=role, title="Actor",
            image=Image("DockerImage", f"medperf-git-test/{style}:1", images[style], "linux/amd64"),
            tasks=TASKS[role](run_args), **fields,
        )  # fmt: skip
        return PinnedCube(cube, digest_of(repr(cube).encode()))

    return make


def _model(run_args: RunArgs) -> dict[str, Task]:
    inputs = {"data_path": Mount("/input/data", "directory")}
    return {"infer": Task(run_args, inputs, {"output_path": Mount("/output/predictions", "directory")})}


def _metrics(run_args: RunArgs) -> dict[str, Task]:
    inputs = {"predictions": Mount("/input/predictions", "directory"), "labels": Mount("/input/labels", "directory")}
    return {"evaluate": Task(run_args, inputs, {"output_path": Mount("/output/results.yaml", "file")})}


def _preparator(run_args: RunArgs) -> dict[str, Task]:
    inputs = {"data_path": Mount("/input/data", "directory"), "labels_path": Mount("/input/labels", "directory")}
    prepared = {
        "output_path": Mount("/output/data", "directory"),
        "output_labels_path": Mount("/output/labels", "directory"),
        "report_file": Mount("/output/report.yaml", "file"),
    }
    written = {"output_path": Mount("/output/statistics.yaml", "file")}
    return {
        "prepare": Task(RunArgs(command="prepare"), inputs, prepared),
        "sanity_check": Task(RunArgs(command="sanity"), inputs, None),
        "statistics": Task(RunArgs(command="statistics"), inputs, written),
    }


TASKS = {"model": _model, "metrics": _metrics, "data-preparator": _preparator}


def metric(name: str, path: str, **changes: object) -> Metric:
    """Return a metric definition with plain defaults."""
    fields = {
        "id": name, "title": name, "path": path, "unit": "1", "range": Range(0, 1), "direction": "higher",
        "decimals": 3, "undefined": "missing", "reduction": "mean", "sd": True,
    }  # fmt: skip
    return Metric(**fields | changes)


METRICS = (
    metric("dice", "/cases/*/dice"),
    metric("count", "/count", reduction="none", sd=False, range=Range(0, 10), decimals=0),
)


@pytest.fixture
def make_plan(data: DatasetFolders) -> Callable[..., RunPlan]:
    """Plan a run of models on the three cases."""

    def make(
        models: list[PinnedCube], metrics_cube: PinnedCube, *, partial: bool = False, **options: object
    ) -> RunPlan:
        nothing = Reference(metrics_cube.cube.ref, ZERO)
        benchmark = Benchmark(
            created=CREATED, member="ben", name="bench", version=1, title="B", description="B",
            data_preparator=nothing,
            reference_model=nothing, metrics_cube=metrics_cube.reference, demo_data=Asset("x", 1, ZERO),
            metrics=METRICS,
            ranking=Ranking("mean-of-sites", 1, ("dice",), "equal", "exclude-site", 1), partial=partial,
            visibility="public",
        )  # fmt: skip
        content = content_digest(data.roots)
        dataset = Dataset(
            created=CREATED, member="dora", name="set", version=1, title="D", preparator=nothing, cases=Cases(exact=3),
            content=Content("mgds-v1", content),
        )  # fmt: skip
        return build_run_plan(
            PinnedBenchmark(benchmark, digest_of(repr(benchmark).encode())),
            PinnedDataset(dataset, digest_of(b"dataset"), 3),
            metrics_cube=metrics_cube, models=models, content=content, **options,
        )  # fmt: skip

    return make


def clock() -> datetime:
    """Return a fixed time."""
    return datetime(2026, 11, 25, 10, tzinfo=UTC)


def wide(limits: Limits) -> Limits:
    """Return caps under which ordinary work runs."""
    return Limits(memory_bytes=GIB, cpus=1, wall_seconds=120, open_files=512)


@pytest.fixture
def infer(
    bench: Bench, data: DatasetFolders, tmp_path: Path, make_cube: Callable[..., PinnedCube]
) -> Callable[..., TaskRun]:
    """Run the infer task of an actor."""

    def run(
        *actions: str, profile: Profile = Profile.STRICT, limits: Limits | None = None, **options: object
    ) -> TaskRun:
        plan = plan_task(make_cube(*actions, **options), "infer")
        return run_task(
            replace(bench, limits=limits) if limits else bench, plan, inputs={"data_path": data.data},
            targets={"output_path": tmp_path / "out"}, log=tmp_path / "logs" / "log", profile=profile,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def keeps_limits() -> bool:
    """Whether the engine under test keeps the caps of `strict`, as the probe sees it."""
    engine = connect()
    try:
        engine.check_sandbox(Profile.STRICT)
    except Refused as refused:
        return "memory is not limited" not in refused.message
    finally:
        engine.close()
    return True
