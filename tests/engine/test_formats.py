"""Containers in every form that people have: templates, both configuration formats, archives, weights for a script."""

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.flows import drafts
from medperf_git.flows.templating import KINDS
from medperf_git.records.digests import digest_of
from medperf_git.records.models import Asset, Cube
from medperf_git.records.record import write_record
from medperf_git.runner.execute import execute
from medperf_git.runner.fetch import fetch_asset
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.scratch import own_scratch
from medperf_git.runner.store import RunStore
from medperf_git.runner.tasks import Bench
from medperf_git.runner.unpack import unpack
from tests.engine.conftest import BASE, clock, docker, metric, wide
from tests.support.people import Human, Town

OLD = Path(__file__).parent / "old"
OLD_TASKS = {
    "prep": """
  prepare:
    parameters:
      inputs: {data_path: raw, labels_path: raw, parameters_file: parameters.yaml}
      outputs: {output_path: data/, output_labels_path: labels/, report_file: {type: file, default: report.yaml},
                metadata_path: metadata/}
  sanity_check:
    parameters: {inputs: {data_path: data/, labels_path: labels/, report_file: report.yaml, metadata_path: metadata/}}
  statistics:
    parameters:
      inputs: {data_path: data/, labels_path: labels/}
      outputs: {output_path: {type: file, default: statistics.yaml}}
""",
    "model": """
  infer:
    parameters:
      inputs: {data_path: data/, weights: additional_files/small/weights.txt}
      outputs: {output_path: {type: directory, default: predictions}}
""",
    "metrics": """
  evaluate:
    parameters:
      inputs: {predictions: predictions, labels: labels}
      outputs: {output_path: {type: file, default: results.yaml}, log_path: {type: file, default: evaluate.log}}
""",
}


@pytest.fixture
def dev(tmp_path: Path) -> Human:
    """A developer, who has no registry."""
    return Human("dev", tmp_path / "dev")


@pytest.fixture
def raw(tmp_path: Path) -> tuple[Path, Path]:
    """Three raw cases and their labels."""
    folders = tmp_path / "raw" / "data", tmp_path / "raw" / "labels"
    for folder in folders:
        folder.mkdir(parents=True)
        for case in "abc":
            (folder / f"{case}.txt").write_text(f"{folder.name} of {case}")
    return folders


@pytest.fixture(scope="session")
def built(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each kind of template, written and built without a network."""
    assert images
    dev, place = Human("maker", tmp_path_factory.mktemp("maker")), tmp_path_factory.mktemp("templates")
    folders = {}
    for kind in KINDS:
        folders[kind] = place / f"fmt-{kind}"
        said = dev.run("cube", "new", kind, f"fmt-{kind}", "--base", BASE, "--out", folders[kind]).out
        assert f"docker build -t fmt-{kind}:0.1" in said
        docker("build", "-q", "--network", "none", "-t", f"fmt-{kind}:0.1", str(folders[kind]))
    return folders


def test_each_template_passes_cube_test_at_once_with_the_options_it_names(dev: Human, built: dict[str, Path]) -> None:
    for kind, folder in built.items():
        options = KINDS[kind].options.format(name=folder).split()
        tried = dev.run("cube", "test", folder, *options, "--json").value
        assert tried["outcome"] == "complete"
        assert ("num_cases" in tried["results"]) == (kind == "data-preparator")
        assert all(need["command"].startswith("docker run --rm --network none") for need in tried["needs"].values())


def test_the_templates_are_one_chain_on_raw_data(dev: Human, built: dict[str, Path], tmp_path: Path) -> None:
    demo, out = built["data-preparator"] / "demo", tmp_path / "out"
    chain = [built[kind] for kind in ("data-preparator", "model", "metrics")]
    given = ("--data", demo / "data", "--labels", demo / "labels")
    said = dev.run("cube", "test", *chain, *given, "--out", out).out
    assert "accuracy: 0.8333" in said
    assert "s a case" in said
    assert f"--volume {out}/infer/output_path:/output/predictions" in said
    assert "accuracy: 0.833333" in (out / "evaluate" / "output_path").read_text()
    again = dev.run("cube", "test", *chain, *given, "--out", out, code=2)
    assert "one container" in dev.run("cube", "test", *chain, *given, "--task", "infer", code=2).err
    assert "is not empty" in again.err


def test_a_script_runs_the_weights_of_a_model_that_is_no_container(dev: Human, built: dict[str, Path]) -> None:
    script, demo = built["script"], built["script"] / "demo"
    weights = ("--role", "model", "--additional-files", demo / "weights", "--image-from-engine")
    dev.run("cube", "import", script, "--name", "weights", *weights)
    given = ("--data", demo / "data", "--labels", demo / "labels")
    assert dev.run("cube", "test", script, "weights", *given, "--json").value["results"] == {"accuracy": "0.8333"}
    assert dev.run("cube", "test", "weights", *given, "--json").value["results"] == {"accuracy": "0.8333"}
    refused = dev.run("cube", "import", script, "--name", "bare", "--role", "model", "--image-from-engine", code=1)
    assert "no weights are given" in refused.err


@pytest.mark.usefixtures("built")
def test_a_run_of_a_benchmark_of_weights_needs_no_inference(
    dev: Human, built: dict[str, Path], make_plan: object, bench: Bench, tmp_path: Path
) -> None:
    script, demo = built["script"], built["script"] / "demo"
    dev.run("cube", "import", script, "--name", "script", "--image-from-engine")
    weights = ("--role", "model", "--additional-files", demo / "weights", "--image-from-engine")
    dev.run("cube", "import", script, "--name", "weights", *weights)
    cubes = {name: drafts.load_cube(dev.home, name) for name in ("script", "weights")}
    other = replace(cubes["weights"], name="other", image=replace(cubes["weights"].image, id=digest_of(b"other")))
    site = DatasetFolders(demo / "data", demo / "labels")
    plan = make_plan([pinned(cubes["weights"]), pinned(other)], pinned(cubes["script"]))  # type: ignore[operator]
    accuracy = metric("accuracy", "/accuracy", reduction="none", sd=False)
    plan = replace(plan, metrics=(accuracy,), cases=12, content=content_digest(site.roots))

    def bring(asset: Asset) -> Path:
        return unpack(fetch_asset(asset, tmp_path / "assets"), tmp_path / "unpacked")

    with own_scratch(tmp_path / "scratch") as scratch:
        own = replace(bench, limits=wide(bench.limits), scratch=scratch, unpack=bring, stop=threading.Event())
        store = RunStore(tmp_path / "runs")
        outcomes = execute(plan, site, bench=own, store=store, now=clock)
        again = execute(plan, site, bench=own, store=store, now=clock)
    assert [one.outcome for one in outcomes] == ["complete", "failed"]
    assert str((outcomes[0].values or {})["accuracy"].value) == "0.833"
    assert "made for another script" in outcomes[1].explanation
    assert again[0] == outcomes[0]


def test_a_benchmark_of_weights_goes_all_the_way(built: dict[str, Path], tmp_path: Path) -> None:
    town = Town(tmp_path / "town")
    ana, clinic = town.found("ana"), town.join("clinic")
    raw, here = built["data-preparator"] / "demo", "--image-from-engine"
    ana.run("cube", "import", built["data-preparator"], "--name", "prep", here)
    ana.run("cube", "import", built["script"], "--name", "script", here)
    for name, offset in (("base", -0.5), ("rival", -0.9)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.json").write_text(json.dumps({"factor": 1, "offset": offset}))
        weights = ("--role", "model", "--additional-files", tmp_path / name)
        ana.run("cube", "import", built["script"], "--name", name, here, *weights)
    for name in ("prep", "script", "base"):
        ana.run("cube", "submit", name, "--yes")
    demo, draft = tmp_path / "demo.tar.gz", tmp_path / "files.yaml"
    with tarfile.open(demo, "w:gz") as archive:
        archive.add(raw, "demo")
    (tmp_path / "results.yaml").write_text("accuracy: 0.83\n")
    words = ("--data-preparator", "prep", "--reference-model", "base", "--metrics", "script", "--demo-data", demo)
    more = ("--demo-url", demo, "--from", tmp_path / "results.yaml", "--out", draft)
    ana.run("benchmark", "new", "--name", "files", *words, *more)
    approvals = ("--auto-approve-models", "always", "--auto-approve-datasets", "always", "--yes")
    ana.run("benchmark", "submit", draft, *approvals)
    ana.run("cube", "submit", "rival", "--request", "ana/files", "--yes")  # tested on the demo data first
    given = ("--data", raw / "data", "--labels", raw / "labels")
    clinic.run("dataset", "prepare", "--benchmark", "ana/files", *given, "--name", "cohort", "--title", "Cohort")
    clinic.run("dataset", "submit", "cohort", "--request", "ana/files", "--yes")
    said = clinic.run("run", "ana/files", "--dataset", "cohort").out
    assert "accuracy 0.833" in said
    assert "accuracy 0.5" in said


def pinned(cube: Cube) -> PinnedCube:
    return PinnedCube(cube, digest_of(write_record(cube)))


def test_older_containers_run_as_they_are(
    dev: Human, raw: tuple[Path, Path], images: dict[str, str], tmp_path: Path
) -> None:
    assert images
    tag = "medperf-git-test/old:1"
    docker("build", "-q", "--network", "none", "--build-arg", f"BASE={BASE}", "-t", tag, str(OLD))
    for name, tasks in OLD_TASKS.items():
        folder = tmp_path / name / "mlcube"
        (folder / "workspace" / "additional_files" / "small").mkdir(parents=True)
        (folder / "mlcube.yaml").write_text(f"name: {name}\ndocker: {{image: '{tag}'}}\ntasks:{tasks}")
        (folder / "workspace" / "parameters.yaml").write_text("suffix: x\n")
        (folder / "workspace" / "additional_files" / "small" / "weights.txt").write_text("0.5")
    chain = [tmp_path / name for name in OLD_TASKS]
    tried = dev.run("cube", "test", *chain, "--data", raw[0], "--labels", raw[1], "--json").value
    assert tried["results"] == {"a.error": "4.5", "b.error": "4.5", "c.error": "4.5"}
    assert tried["cases"] == 3
    assert list(tried["needs"]) == ["prepare", "sanity_check", "statistics", "infer", "evaluate"]


@pytest.mark.parametrize(
    ("style", "command", "entrypoint"),
    [
        ("full", ["predict"], None),
        ("interpreter", ["/app/actor.py", "predict"], None),
        ("none", "python3 /app/actor.py predict", None),
        ("none", "-c 'exec python3 /app/actor.py predict'", "/bin/sh"),
    ],
)
def test_each_style_of_entry_point_runs(
    dev: Human, raw: tuple[Path, Path], images: dict[str, str], tmp_path: Path,
    style: str, command: object, entrypoint: str | None,
) -> None:  # fmt: skip
    assert images
    config = configuration(tmp_path, f"medperf-git-test/{style}:1", command, entrypoint)
    out = tmp_path / "out"
    dev.run("cube", "test", config, "--task", "infer", "--data", raw[0], "--out", out)
    assert (out / "infer" / "output_path" / "a.txt").read_text() == "prediction of data of a"


def test_a_container_that_fails_says_so_and_keeps_its_log(
    dev: Human, raw: tuple[Path, Path], images: dict[str, str], tmp_path: Path
) -> None:
    assert images
    config = configuration(tmp_path, "medperf-git-test/full:1", ["fail"])
    assert "its log:" in dev.run("cube", "test", config, "--data", raw[0], code=4).err
    assert "say --data" in dev.run("cube", "test", config, code=2).err


def test_an_older_container_that_writes_no_results_is_told_so(
    dev: Human, raw: tuple[Path, Path], images: dict[str, str], tmp_path: Path
) -> None:
    assert images
    (tmp_path / "mlcube.yaml").write_text(
        "docker: {image: 'medperf-git-test/full:1'}\ntasks:\n  evaluate:\n    entrypoint: 'true'\n"
        "    parameters: {inputs: {predictions: p/}, outputs: {output_path: {type: file, default: results.yaml}}}\n"
    )
    said = dev.run("cube", "test", tmp_path / "mlcube.yaml", "--predictions", raw[0], code=4)
    assert "the results file is empty" in said.err


def configuration(
    folder: Path, image: str, command: object, entrypoint: str | None = None, kind: str = "DockerImage"
) -> Path:
    run_args = {"command": command} | ({"entrypoint": entrypoint} if entrypoint else {})
    infer = {
        "run_args": run_args,
        "input_volumes": {"data_path": {"mount_path": "/input/data", "type": "directory"}},
        "output_volumes": {"output_path": {"mount_path": "/output/predictions", "type": "directory"}},
    }
    path = folder / "container_config.yaml"
    path.write_text(json.dumps({"container_type": kind, "image": image, "tasks": {"infer": infer}}))
    return path


@pytest.fixture
def saved(images: dict[str, str], tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """An archive of an image that is gone from the engine, and its id."""
    assert images
    tag = f"medperf-git-test/fmt-saved:{time.time_ns()}"
    docker("build", "-q", "--network", "none", "-t", tag, "-", text=f"FROM medperf-git-test/full:1\nLABEL at={tag}\n")
    image_id = docker("image", "inspect", "-f", "{{.Id}}", tag)
    docker("save", "-o", str(tmp_path / "image.tar"), tag)
    docker("rmi", tag)
    yield tmp_path / "image.tar", image_id
    subprocess.run(["docker", "rmi", "-f", image_id], capture_output=True, check=False)


@pytest.mark.parametrize("form", ["docker save", "OCI layout"])
def test_an_image_archive_is_imported_by_its_bytes_and_runs(
    dev: Human, raw: tuple[Path, Path], saved: tuple[Path, str], tmp_path: Path, form: str
) -> None:
    path, image_id = saved
    if form == "OCI layout":
        path.write_bytes(oci_layout(path))
    config = configuration(tmp_path, path.name, ["predict"], kind="DockerArchive")
    url = "https://example.org/image.tar"
    named = dev.run("cube", "import", config, "--name", "there", "--image-url", url, "--json").value["record"]["image"]
    assert (named["reference"], named["archive"]["url"], named["id"]) == (url, url, image_id)
    assert named["platform"].startswith("linux/")
    assert dev.run("cube", "test", config, "--data", raw[0], "--json").value["outcome"] == "complete"


def oci_layout(path: Path) -> bytes:
    """Return the one image of a `docker save` as an OCI layout with packed layers."""
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    def read(archive: tarfile.TarFile, name: str) -> bytes:
        file = archive.extractfile(name)
        assert file is not None
        return file.read()

    with tarfile.open(path) as archive:
        (manifest,) = json.loads(read(archive, "manifest.json"))
        config = blob(read(archive, manifest["Config"]), "config.v1+json")
        layers = [
            blob(gzip.compress(read(archive, name), 1, mtime=0), "layer.v1.tar+gzip") for name in manifest["Layers"]
        ]
    made = {"schemaVersion": 2, "config": config, "layers": layers}
    index = {"schemaVersion": 2, "manifests": [blob(json.dumps(made).encode(), "manifest.v1+json")]}
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": json.dumps(index).encode()} | blobs
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return whole.getvalue()
