"""Preparing data and trying cubes on a real engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.errors import ContainerFailed
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.plan import PinnedCube
from medperf_git.runner.preparation import PreparationFolder
from medperf_git.runner.prepare import prepare_dataset
from medperf_git.runner.tasks import Bench
from medperf_git.runner.testing import results_of, try_cube
from tests.engine.conftest import wide


def test_preparation_goes_on_after_a_review_and_gives_what_is_registered(
    bench: Bench, data: DatasetFolders, make_cube: Callable[..., PinnedCube], tmp_path: Path
) -> None:
    preparator = make_cube(role="data-preparator", name="prep")
    target = tmp_path / "prepared"
    bench = replace(bench, limits=wide(bench.limits))
    with pytest.raises(ContainerFailed, match="prepare failed"):
        prepare_dataset(preparator, data.data, data.labels, target=target, bench=bench)
    report = PreparationFolder(target).report_file()
    assert report is not None
    assert report.read_text() == "stage: 1\n"
    assert not (target / "data").exists()
    prepared = prepare_dataset(preparator, data.data, data.labels, target=target, bench=bench)
    assert (prepared.cases, prepared.files) == (3, 6)
    assert prepared.statistics == {"num_cases": 3, "mean_age": 61.5}
    assert prepared.content == content_digest(prepared.folders.roots)
    assert prepared.content == content_digest(data.roots)
    assert target.stat().st_mode & 0o777 == 0o700
    assert not (target / "work").exists()


def test_a_cube_is_tried_without_any_registry(
    bench: Bench, data: DatasetFolders, make_cube: Callable[..., PinnedCube], tmp_path: Path
) -> None:
    bench = replace(bench, limits=wide(bench.limits))
    model = try_cube(
        make_cube("slow", "predict"), {"data_path": data.data}, work=tmp_path / "try", bench=bench, cases=3
    )
    assert model.passed
    needs = model.resources
    assert 1 <= float(needs.seconds_per_case or 0) < 5
    assert (needs.peak_memory_bytes or 0) > 1_000_000
    given = {"predictions": model.tasks[0].folder / "output_path", "labels": data.labels}
    metrics = try_cube(make_cube("score", role="metrics"), given, work=tmp_path / "metrics", bench=bench)
    assert results_of(metrics)["count"] == 3
    failed = try_cube(make_cube("fail"), {"data_path": data.data}, work=tmp_path / "failed", bench=bench)
    assert not failed.passed
    assert failed.tasks[0].failure is not None
    assert failed.tasks[0].failure.reason == "exit-code"


def test_parameters_reach_the_container_verbatim(
    bench: Bench, data: DatasetFolders, make_cube: Callable[..., PinnedCube], tmp_path: Path
) -> None:
    pinned = make_cube("parameters", parameters="threshold: 0.50  # as it was\n")
    infer = pinned.cube.tasks["infer"]
    mount = replace(infer.input_volumes["data_path"], mount_path="/input/parameters.yaml", type="file")
    tasks = {"infer": replace(infer, input_volumes={**infer.input_volumes, "parameters_file": mount})}
    pinned = replace(pinned, cube=replace(pinned.cube, tasks=tasks))
    tried = try_cube(pinned, {"data_path": data.data}, work=tmp_path / "try", bench=bench)
    assert tried.passed
    assert tried.tasks[0].log.read_text().startswith("threshold: 0.50  # as it was\n")
