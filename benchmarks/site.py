"""A hospital's machine: a registry of N approved models whose images are here, and a prepared dataset.

with hospital(41) as site:
    timed(ours("run", site.benchmark, "--dataset", site.dataset), environ=site.environ)

A model writes one line for the one case, the metrics container one number: what is left is the cost of running.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measure import ROOT, environment, ours, timed
from benchmarks.registry import Maker, requests
from medperf_git.flows.prepared import Prepared, save
from medperf_git.records import models
from medperf_git.records.digests import Digest
from medperf_git.records.names import Ref
from medperf_git.registry.commits import set_ref
from medperf_git.runner.manifest import Role, content_digest
from medperf_git.runner.plan import PinnedBenchmark, PinnedCube, PinnedDataset, RunPlan, build_run_plan
from tests.support import registry_builder as rb

BASE = "medperf-git/base:latest"
IMAGE = "medperf-git-bench/model-{:02d}:1"
PREDICT = "echo {} > /out/output_path/prediction.txt"
SCORE = "cat /in/predictions/prediction.txt && echo 'auroc: 0.75' > /out/results.yaml"
METRIC = models.Metric("auroc", "AUROC", "/auroc", "1", models.Range(0, 1), "higher", 4, "missing", "none", sd=False)


@dataclass(frozen=True)
class Site:
    """Where the registry and the home folder of the hospital lie, and what its plans are made of."""

    folder: Path
    benchmark: models.Benchmark
    dataset: models.Dataset
    models: tuple[PinnedCube, ...]
    metrics: PinnedCube
    prepared: Prepared
    pins: tuple[Digest, Digest]

    @property
    def home(self) -> Path:
        """The home folder of medperf-git."""
        return self.folder / "home"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its commands."""
        return environment(self.home)

    def plan(self, number: int = 1) -> RunPlan:
        """Plan a run of the first models."""
        return build_run_plan(
            PinnedBenchmark(self.benchmark, self.pins[0]),
            PinnedDataset(self.dataset, self.pins[1], self.prepared.cases),
            metrics_cube=self.metrics,
            models=self.models[:number],
            content=self.prepared.content,
        )

    def words(self, *more: str) -> list[str]:
        """Return the command line that runs every model."""
        return ours("run", str(rb.BENCHMARK), "--dataset", str(self.dataset.ref), *more)

    def forget_runs(self) -> None:
        """Forget what was run, so that the next command runs it all again."""
        shutil.rmtree(self.home / "runs", ignore_errors=True)


@contextmanager
def hospital(number: int) -> Iterator[Site]:
    """Make a hospital with so many approved models, the reference model among them.

    Its files are gone afterwards; its images stay for the next time.
    """
    images = [image(place) for place in range(number)]
    with tempfile.TemporaryDirectory(prefix="medperf-git-bench-") as scratch:
        yield _founded(Path(scratch), images)


def image(place: int) -> str:
    """Return the id of the image of a model: the base image and a label of its own."""
    name = IMAGE.format(place)
    known = _docker("image", "inspect", "--format", "{{.Id}}", name, code=None)
    if known:
        return known
    _made_base()
    _docker("build", "--quiet", "--network", "none", "--tag", name, "-", text=f"FROM {BASE}\nLABEL bench.model={place}")
    return _docker("image", "inspect", "--format", "{{.Id}}", name)


def cube(ref: Ref, image_id: str, *, command: str, role: str = "model") -> models.Cube:
    """Return the record of a container that runs one line of shell."""
    made = rb.cube(ref, role)  # type: ignore[arg-type]  # one of two roles
    (name, task), *_ = made.tasks.items()
    outputs = {"output_path": models.Mount("/out/results.yaml", "file")} if role == "metrics" else task.output_volumes
    run_args = models.RunArgs(command=("sh", "-c", command))
    fresh = replace(task, run_args=run_args, output_volumes=outputs)
    picture = models.Image("DockerImage", f"medperf-git-bench/{ref.name}:1", Digest(image_id), "linux/amd64")
    return replace(made, tasks={name: fresh}, image=picture)


def _founded(folder: Path, images: list[str]) -> Site:
    maker = Maker(folder / "registry.git")
    house = maker.house
    maker.begin()
    maker.add((rb.member(name) for name in (*rb.COMMITTEE, "moa", "north")), "ana")
    refs = [Ref("moa", f"model-{place:02d}", 1) for place in range(1, len(images))]
    cubes = [
        rb.cube(rb.PREPARATOR, "data-preparator"),
        cube(rb.METRICS, images[0], command=SCORE, role="metrics"),
        cube(rb.REFERENCE, images[0], command=PREDICT.format("reference")),
        *(cube(ref, one, command=PREDICT.format(ref.name)) for ref, one in zip(refs, images[1:], strict=True)),
    ]
    maker.add(cubes)
    always = models.AutoApproval("always")
    benchmark = house.benchmark(metrics=(METRIC,))
    policy = house.first_policy(benchmark, auto_approve=models.AutoApprovals(always, always))
    maker.commit(maker.signed([benchmark, policy], "dora", "emil", "ana"))
    content = content_digest(_data(folder / "data"))
    dataset = house.dataset(rb.NORTH, content=models.Content("mgds-v1", content), cases=models.Cases(exact=12))
    maker.add([dataset])
    maker.add(list(requests(house, [rb.NORTH], refs)))
    maker.finish()
    set_ref(maker.store, "refs/heads/main", maker.main)
    timed(ours("registry", "add", f"{folder / 'registry.git'}#{house.id}"), environ=environment(folder / "home"))
    prepared = _prepared(folder, dataset, house.cube_reference(rb.PREPARATOR), content)
    pins = house.benchmark_reference().digest, house.dataset_reference(rb.NORTH).digest
    pinned = [PinnedCube(one, house.cube_reference(one.ref).digest) for one in cubes]
    return Site(folder, benchmark, dataset, tuple(pinned[2:]), pinned[1], prepared, pins)


def _data(folder: Path) -> dict[Role, Path]:
    roots: dict[Role, Path] = {"data": folder / "data", "labels": folder / "labels"}
    for role, root in roots.items():
        root.mkdir(mode=0o700, parents=True)
        for case in range(12):
            (root / f"{case:02d}.txt").write_text(f"{role} of case {case}\n" * 100)
            (root / f"{case:02d}.txt").chmod(0o600)
    return roots


def _prepared(folder: Path, dataset: models.Dataset, preparator: models.Reference, content: Digest) -> Prepared:
    place = folder / "home" / "datasets" / f"registry.{dataset.member}.{dataset.name}.1"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "data").rename(place)
    prepared = Prepared(
        folder=place, name=dataset.name, title=dataset.title, preparator=preparator, benchmark=str(rb.BENCHMARK),
        cases=12, content=content, files=24,
    )  # fmt: skip
    save(prepared)
    return prepared


def _made_base() -> None:
    for script in (["ensure-engine.sh"], ["base-image.sh", BASE]):
        subprocess.run([str(ROOT / "scripts" / script[0]), *script[1:]], check=True, stdout=subprocess.DEVNULL)


def _docker(*words: str, text: str = "", code: int | None = 0) -> str:
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, check=False)
    if code is not None and done.returncode != code:
        raise SystemExit(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()
