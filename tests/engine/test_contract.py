"""What a runner must get right, point by point as the container contract counts them; 3, 9 and 10 are in test_runs."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from medperf_git.records.digests import digest_of
from medperf_git.runner.one_model import DatasetFolders
from medperf_git.runner.outcome import Outcome
from medperf_git.runner.plan import PinnedCube, RunPlan, plan_task
from medperf_git.runner.prepare import prepare_dataset
from medperf_git.runner.tasks import Bench
from tests.engine.conftest import docker, wide
from tests.engine.test_runs import Site, site

__all__ = ["site"]
MakeCube = Callable[..., PinnedCube]
MakePlan = Callable[..., RunPlan]


def logs(site: Site, plan: RunPlan, step: str) -> list[str]:
    folder = site.store.run(plan.run_id).path
    return [path.read_text() for path in sorted(folder.glob(f"models/*/logs/0001/{step}.log"))]


def test_contract_1_and_2_and_5_files_exist_folders_are_owned_and_commands_stay_the_same(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    names = ("one", "two", "three")
    models = [make_cube("copystat", name=name, run_args={"environment": {"N": name}}) for name in names]
    score = make_cube("arguments", "results-file-is-there", "score", name="score", role="metrics", style="none")
    plan = make_plan(models, score)
    outcomes = site.run(plan, max_parallel=2)
    assert [one.outcome for one in outcomes] == ["complete"] * 3, [one.explanation for one in outcomes]
    assert logs(site, plan, "evaluate") == ["arguments: arguments results-file-is-there score\n"] * 3
    assert plan_task(score, "evaluate") == plan.models[2].evaluate == plan.models[0].evaluate


def test_contract_4_a_report_file_is_there_and_empty_at_the_first_start(
    bench: Bench, data: DatasetFolders, make_cube: MakeCube, tmp_path: Path
) -> None:
    bench = replace(bench, limits=wide(bench.limits))
    preparator = make_cube(name="prepare", role="data-preparator")
    task = preparator.cube.tasks["prepare"]
    assert task.run_args is not None
    looks = replace(task, run_args=replace(task.run_args, command=("report-is-empty", "prepare")))
    (data.data / "at-once").touch()
    cube = replace(preparator.cube, tasks={**preparator.cube.tasks, "prepare": looks})
    pinned = PinnedCube(cube, digest_of(repr(cube).encode()))
    done = prepare_dataset(pinned, data.data, data.labels, target=tmp_path / "prepared", bench=bench)
    assert done.files == 7


def test_contract_6_and_8_an_image_that_was_never_pushed_runs_by_its_id_whatever_its_tag_means_now(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    tag = "medperf-git-test/moved:1"
    docker("build", "-q", "--network", "none", "-t", tag, "-", text="FROM scratch\nLABEL another=1\n")
    try:
        model = make_cube("predict", name="one")
        image = replace(model.cube.image, reference=tag)
        plan = make_plan(
            [PinnedCube(replace(model.cube, image=image), model.digest)], make_cube("score", name="s", role="metrics")
        )
        assert [one.outcome for one in site.run(plan)] == ["complete"]
    finally:
        docker("rmi", tag)


def test_contract_7_a_deadline_is_wall_clock_time_and_the_log_is_there_while_the_container_runs(
    site: Site, make_cube: MakeCube, make_plan: MakePlan
) -> None:
    plan = make_plan([make_cube("chatter", name="one")], make_cube("score", name="score", role="metrics"))
    site.bench = replace(site.bench, limits=replace(site.bench.limits, wall_seconds=4))
    outcomes: list[Outcome] = []
    began = time.monotonic()
    running = threading.Thread(target=lambda: outcomes.extend(site.run(plan)))
    running.start()
    while running.is_alive() and not any("still talking" in log for log in logs(site, plan, "infer")):
        time.sleep(0.1)
    seen_after = time.monotonic() - began
    assert running.is_alive(), "its words came only at its end"
    running.join(30)
    assert [(one.reason, one.explanation) for one in outcomes] == [("timeout", "it did not end within 4 s")]
    assert seen_after < time.monotonic() - began < 4 + 20
