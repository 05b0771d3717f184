"""The commands of daily work on a real engine and a real registry, with tiny containers."""

import json
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from medperf_git.flows.associations import build_request
from medperf_git.flows.naming import find
from medperf_git.flows.propose import propose
from medperf_git.records.models import Benchmark, Cube
from medperf_git.records.times import format_time
from tests.engine.conftest import docker
from tests.support.people import Human, Town

EXAMPLE = Path(__file__).parents[2] / "examples" / "breast-cancer"
HOSTILE = {
    "network": "exit-code",
    "write-data": "exit-code",
    "never-ends": "timeout",
    "flood-log": "disk",
    "symlink": "invalid-output",
    "fifo": "invalid-output",
    "hard-link": "invalid-output",
}
SAID = {"flood-log": "log", "symlink": "link", "fifo": "FIFO", "hard-link": "link", "never-ends": "15 s"}
DIRECTORY, FILE = "directory", "file"
BENCHMARK = "ana/cells"
SCIENCE = """\
title: Cells
description: Cells.
metrics:
- {id: dice, title: Dice, path: "/cases/*/dice", unit: 1, range: {min: 0, max: 1}, direction: higher, decimals: 3,
   undefined: missing, reduction: mean, sd: true}
ranking: {rule: mean-of-sites, version: 1, metrics: [dice], weights: equal, missing: exclude-site, seed: 1}
partial: false
"""


def volumes(**paths: str) -> dict[str, dict[str, str]]:
    return {
        key: {"mount_path": path, "type": FILE if path.endswith(".yaml") else DIRECTORY} for key, path in paths.items()
    }


RAW = volumes(data_path="/input/data", labels_path="/input/labels")
TASKS = {
    "data-preparator": {
        "prepare": (
            RAW,
            volumes(output_path="/output/data", output_labels_path="/output/labels", report_file="/output/report.yaml"),
        ),
        "sanity_check": (RAW, {}),
        "statistics": (RAW, volumes(output_path="/output/statistics.yaml")),
    },
    "model": {"infer": (volumes(data_path="/input/data"), volumes(output_path="/output/predictions"))},
    "metrics": {
        "evaluate": (
            volumes(predictions="/input/predictions", labels="/input/labels"),
            volumes(output_path="/output/results.yaml"),
        )
    },
}
COMMANDS = {"prepare": "prepare", "sanity_check": "sanity", "statistics": "statistics"}


def add_cube(owner: Human, folder: Path, name: str, role: str, *actions: str) -> None:
    tasks = {
        task: {
            "run_args": {"command": list(actions) or COMMANDS[task]},
            "input_volumes": inputs,
            **({"output_volumes": outputs} if outputs else {}),
        }
        for task, (inputs, outputs) in TASKS[role].items()
    }
    config = folder / f"{name}.yaml"
    config.write_text(json.dumps({"container_type": "DockerImage", "image": "medperf-git-test/full:1", "tasks": tasks}))
    owner.run("cube", "import", config, "--role", role, "--name", name, "--image-from-engine")
    owner.run("cube", "submit", name, "--yes")


@pytest.fixture
def town(tmp_path: Path, images: dict[str, str]) -> Town:
    """A benchmark with a reference model and one more, and a clinic with an approved dataset."""
    assert images
    return build_town(tmp_path)


def build_town(tmp_path: Path) -> Town:
    """Let people found a benchmark and prepare a dataset, in a folder."""
    town = Town(tmp_path / "town")
    ana = town.found("ana")
    clinic = town.join("clinic")
    for name, role, actions in (
        ("prepare", "data-preparator", ()),
        ("slow", "model", ("slow", "predict")),
        ("score", "metrics", ("score",)),
    ):
        add_cube(ana, tmp_path, name, role, *actions)
    raw = tmp_path / "raw"
    for role in ("data", "labels"):
        (raw / role).mkdir(parents=True)
        for case in "abcdefghijk":
            (raw / role / f"{case}.txt").write_text(f"{role} of {case}")
        (raw / role / "cases.csv").write_text("case\nP0001\n")  # what the example's hostile model reads
    demo = shutil.copytree(raw, tmp_path / "demo")
    (demo / "data" / "at-once").touch()  # nobody looks at demo data first
    with tarfile.open(tmp_path / "demo.tar.gz", "w:gz") as archive:
        archive.add(demo, "raw")
    (tmp_path / "science.yaml").write_text(SCIENCE)
    ana.run(
        *("benchmark", "new", "--name", "cells", "--data-preparator", "prepare", "--reference-model", "slow"),
        *(
            "--metrics",
            "score",
            "--demo-data",
            tmp_path / "demo.tar.gz",
            "--demo-url",
            tmp_path / "demo.tar.gz",
            "--science",
            tmp_path / "science.yaml",
        ),
        *("--out", tmp_path / "cells.yaml"),
    )
    approvals = ("--auto-approve-models", "always", "--auto-approve-datasets", "always")
    ana.run("benchmark", "submit", tmp_path / "cells.yaml", *approvals, "--yes")
    add_cube(ana, tmp_path, "broken", "model", "fail")
    join_untested(ana, "broken")
    prepare = ("dataset", "prepare", "--benchmark", BENCHMARK, "--data", raw / "data", "--labels", raw / "labels")
    words = (*prepare, "--name", "cohort", "--title", "Cohort", "--publish", "num_cases")
    stopped = clinic.run(*words, code=4)  # this preparator lets a person look first
    assert "prepare failed" in stopped.err
    clinic.run(*words)
    review = clinic.run("dataset", "review", "cohort").out
    assert "num_cases: 12" in review
    assert "61.5" not in review
    clinic.run("dataset", "submit", "cohort", "--request", BENCHMARK, "--no-trial", "--yes")
    return town


def join_untested(owner: Human, name: str) -> None:
    """Ask that a model joins without the test that the command makes: its owner means ill."""
    workspace = owner.workspace()
    about = find(workspace.view, Benchmark, BENCHMARK, member=owner.name)
    model = find(workspace.view, Cube, name, member=owner.name)
    request = build_request(workspace.view, about, model, member=owner.name, created=format_time(owner.clock()))
    propose(workspace, [request], title=f"Ask for {name}")


def run_of(human: Human) -> str:
    return str(human.run("runs", "ls", "--json").value[0]["run"])


def test_a_hospital_runs_reviews_and_submits(town: Town) -> None:
    clinic = town.human("clinic")
    done = clinic.run("run", BENCHMARK, "--dataset", "cohort", "--json").value
    assert {row["model"]: row["outcome"] for row in done["models"]} == {
        "ana/slow@1": "complete",
        "ana/broken@1": "failed: exit-code",
    }
    clinic.run("result", "submit", run_of(clinic), "--yes", code=1)  # nothing was reviewed
    reviewed = clinic.run("review", run_of(clinic)).out
    assert "secret" not in reviewed.replace("Held back", "")
    assert "not declared by the benchmark, so it stays here: leak" in reviewed
    assert "merged" in clinic.run("result", "submit", run_of(clinic), "--yes").out
    assert "every approved model has a result" in clinic.run("run", BENCHMARK, "--dataset", "cohort").out
    failed = clinic.run("run", BENCHMARK, "--dataset", "cohort", "--model", "ana/broken", code=4)
    assert "the model failed" in failed.err
    clinic.run("review")  # the latest run, which is this one
    clinic.run("result", "submit", "--yes")
    states = [row["state"] for row in clinic.run("result", "ls", "--model", "ana/broken", "--json").value]
    assert sorted(states) == ["live", "superseded"]
    stage = clinic.run("benchmark", "status", BENCHMARK, "--json").value[0]
    assert (stage["stage"], stage["failed"]) == ("done", 1)


def test_hostile_models_are_stopped_named_and_shown_and_the_others_still_run(town: Town, tmp_path: Path) -> None:
    ana, clinic = town.human("ana"), town.human("clinic")
    for mode in HOSTILE:
        config = EXAMPLE / "hostile" / mode / "container_config.yaml"
        ana.run("cube", "import", config, "--role", "model", "--name", mode)
        ana.run("cube", "submit", mode, "--yes")  # untested: its owner means ill
        join_untested(ana, mode)
    limits = ("--timeout", "15s", "--max-parallel", "2")
    done = clinic.run("run", BENCHMARK, "--dataset", "cohort", *limits, "--json").value
    outcomes = {row["model"].removeprefix("ana/").removesuffix("@1"): row for row in done["models"]}
    assert outcomes["slow"]["outcome"] == "complete"
    assert {mode: outcomes[mode]["outcome"].removeprefix("failed: ") for mode in HOSTILE} == HOSTILE
    said = clinic.run("runs", "show").out
    assert "cases.csv" not in said
    for mode, words in SAID.items():
        assert words in outcomes[mode]["explanation"], outcomes[mode]
    assert docker("ps", "-aq", "--filter", f"label=org.medperf-git.run={done['run']}") == ""
    clinic.run("review")
    clinic.run("result", "submit", "--yes")
    clinic.run("leaderboard", "build", "--out", tmp_path / "site")
    page = next((tmp_path / "site").glob("benchmarks/**/index.html")).read_text(encoding="utf-8")
    for mode in HOSTILE:
        assert f"ana/{mode}@1" in page
    stage = clinic.run("benchmark", "status", BENCHMARK, "--json").value[0]
    assert stage["failed"] == len(HOSTILE) + 1  # and the model that ends with an error


def test_one_flipped_byte_of_the_data_stops_the_run(town: Town) -> None:
    clinic = town.human("clinic")
    (case,) = (clinic.home / "datasets").glob("*/data/a.txt")
    case.chmod(0o644)
    case.write_text("data of b")
    assert "have changed" in clinic.run("run", BENCHMARK, "--dataset", "cohort", code=5).err
    clinic.run("dataset", "verify", "cohort", code=5)


def test_a_killed_run_goes_on_and_leaves_no_container(town: Town) -> None:
    clinic = town.human("clinic")
    words = [sys.executable, "-m", "medperf_git", "run", BENCHMARK, "--dataset", "cohort", "--model", "ana/slow"]
    with subprocess.Popen(words, env=clinic.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as killed:
        for _ in range(200):
            if list((clinic.home / "runs").glob("*/models/ana.slow.1/logs/0001/infer.log")):
                break
            time.sleep(0.1)
        time.sleep(1)
        killed.send_signal(signal.SIGKILL)
    done = clinic.run("run", BENCHMARK, "--dataset", "cohort", "--model", "ana/slow", "--resume", "--json").value
    assert [row["outcome"] for row in done["models"]] == ["complete"]
    run = run_of(clinic)
    assert docker("ps", "-aq", "--filter", f"label=org.medperf-git.run={run}") == ""
    again = clinic.run("run", BENCHMARK, "--dataset", "cohort", "--model", "ana/slow", "--resume")
    assert "was finished before" in again.err


def started(clinic: Human, *words: str, attempt: int = 1) -> "subprocess.Popen[bytes]":
    """Start `run` as a program, and return once an attempt of the slow model is at work."""
    command = [sys.executable, "-m", "medperf_git", "run", BENCHMARK, "--dataset", "cohort", *words]
    process = subprocess.Popen(command, env=clinic.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(300):
        if list((clinic.home / "runs").glob(f"*/models/ana.slow.1/logs/{attempt:04d}/infer.log")):
            return process
        time.sleep(0.1)
    raise AssertionError(process.communicate())


def test_a_second_run_neither_disturbs_the_first_nor_is_disturbed(town: Town) -> None:
    clinic = town.human("clinic")
    with started(clinic, "--model", "ana/slow", "--json") as first:
        assert "under way" in clinic.run("run", BENCHMARK, "--dataset", "cohort", code=1).err
        assert clinic.run("runs", "ls", "--json").value[0]["state"] == "running"
        out, _ = first.communicate(timeout=60)
    assert [row["outcome"] for row in json.loads(out)["models"]] == ["complete"]
    assert list((clinic.home / "scratch").iterdir()) == []


def test_t14_nothing_leaves_of_a_stopped_run_until_its_data_was_looked_at_again(town: Town) -> None:
    clinic = town.human("clinic")
    with started(clinic, "--model", "ana/broken", "--model", "ana/slow") as stopped:
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(60) == 130
    assert clinic.run("runs", "ls", "--json").value[0]["state"] == "interrupted"
    refused = clinic.run("result", "submit", "--yes", code=1)
    assert "the data was not looked at again since ana/broken@1 ran" in refused.err
    reviewed = clinic.run("review")  # which looks at it
    assert "ana/broken@1: failed" in reviewed.out
    goes_on = clinic.run("run", BENCHMARK, "--dataset", "cohort", "--resume", "--json")
    outcomes = {row["model"]: (row["outcome"], row["attempt"]) for row in goes_on.value["models"]}
    assert outcomes == {"ana/broken@1": ("failed: exit-code", 1), "ana/slow@1": ("complete", 1)}
    with started(clinic, "--model", "ana/broken", "--model", "ana/slow", attempt=2) as stopped:
        stopped.send_signal(signal.SIGINT)
        assert stopped.wait(60) == 130
    (case,) = (clinic.home / "datasets").glob("*/data/a.txt")
    case.chmod(0o644)
    case.write_text("data of b")
    clinic.run("review", code=5)
    assert [row["outcome"] for row in clinic.run("runs", "show", "--json").value["models"]] == []


def test_a_damaged_run_is_named_and_strays_are_passed_over(town: Town) -> None:
    clinic = town.human("clinic")
    clinic.run("run", BENCHMARK, "--dataset", "cohort", "--model", "ana/broken", "--disk", "1g", code=4)
    (folder,) = (clinic.home / "runs").iterdir()
    for place in (folder, folder / "models", folder / "models" / "ana.broken.1" / "logs"):
        (place / ".DS_Store").touch()
    assert clinic.run("runs", "ls", "--json").value[0]["failed"] == 1
    clinic.run("runs", "logs")
    (folder / "plan.json").write_text('{"benchmark": 1}')
    assert [row["state"] for row in clinic.run("runs", "ls", "--json").value] == ["damaged"]
    for words in (("runs", "show"), ("review",)):
        assert f"{folder / 'plan.json'} is damaged" in clinic.run(*words, code=3).err


def test_a_dataset_prepared_again_leaves_the_registered_one(town: Town, tmp_path: Path) -> None:
    clinic = town.human("clinic")
    words = ("dataset", "prepare", "--benchmark", BENCHMARK, "--name", "cohort", "--title", "Cohort")
    (tmp_path / "raw" / "data" / "a.txt").write_text("new data of a")
    raw = ("--data", tmp_path / "raw" / "data", "--labels", tmp_path / "raw" / "labels")
    clinic.run(*words, *raw, code=4)
    clinic.run(*words, *raw)
    assert len(list((clinic.home / "datasets").glob("[!.]*"))) == 2
    assert "unchanged" in clinic.run("dataset", "verify", "clinic/cohort").out
    done = clinic.run("run", BENCHMARK, "--dataset", "clinic/cohort", "--model", "ana/slow", "--json").value
    assert [row["outcome"] for row in done["models"]] == ["complete"]
    clinic.run("dataset", "submit", "cohort", "--yes")
    assert "clinic/cohort@2" in clinic.run("dataset", "ls").out


def config_of(folder: Path, name: str, **infer: object) -> Path:
    inputs, outputs = TASKS["model"]["infer"]
    task = {"run_args": {"command": "predict"}, "input_volumes": inputs, "output_volumes": outputs} | infer
    config = folder / f"{name}.yaml"
    image = {"container_type": "DockerImage", "image": "medperf-git-test/full:1"}
    config.write_text(json.dumps({**image, "tasks": {"infer": task}}))
    return config


def test_a_cube_that_no_hospital_could_start_is_refused_at_import(town: Town, tmp_path: Path) -> None:
    ana = town.human("ana")
    words = ("--role", "model", "--name", "bad", "--image-from-engine")
    files = volumes(data_path="/input/data", additional_files="/input/files")
    for change, said in (
        ({"output_volumes": volumes(output_path="/tmp")}, "mounted at /tmp"),
        ({"output_volumes": volumes(output_path="/input/data")}, "both mounted at"),
        ({"run_args": {"command": "python3 'x"}}, "cannot be split into words"),
        ({"run_args": {"command": "predict", "shm_size": "much"}}, "shm_size"),
        ({"input_volumes": files}, "additional_files"),
    ):
        refused = ana.run("cube", "import", config_of(tmp_path, "bad", **change), *words, code=1)
        assert said in refused.err
    (tmp_path / "weights.bin").write_bytes(b"weights")
    with tarfile.open(tmp_path / "files.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "weights.bin", "weights.bin")
    config = config_of(tmp_path, "bad", input_volumes=files, run_args={"command": ["files", "predict"]})
    imported = ana.run("cube", "import", config, *words, "--additional-files", tmp_path / "files.tar.gz", "--json")
    asset = imported.value["record"]["additional_files"]
    assert asset["size"] == (tmp_path / "files.tar.gz").stat().st_size
    assert "--additional-url" in imported.err
    url = ("--additional-url", "https://example.org/files.tar.gz")
    again = ana.run("cube", "import", config, *words, "--additional-files", tmp_path / "files.tar.gz", *url, "--json")
    assert again.value["record"]["additional_files"] == asset | {"url": url[1]}
    ana.run("cube", "test", "bad", "--benchmark", BENCHMARK)


def test_a_model_that_asks_to_join_is_tested_first(town: Town, tmp_path: Path) -> None:
    ana = town.human("ana")
    words = ("--role", "model", "--image-from-engine", "--name")
    ana.run("cube", "import", config_of(tmp_path, "fails", run_args={"command": "fail"}), *words, "fails")
    submit = ("cube", "submit", "fails", "--request", BENCHMARK, "--yes")
    assert "would first be tested" in ana.run(*submit, "--dry-run").out
    refused = ana.run(*submit, code=1)
    assert "so it is tested now" in refused.err
    assert "nothing was sent, since the test failed" in refused.err
    assert "the test of fails failed" in ana.run("cube", "submit", "fails", "--yes", code=1).err
    tested = {row["draft"]: row["tested"] for row in ana.run("cube", "ls", "--drafts", "--json").value}
    assert tested["fails"] == "failed"
    wants_gpu = config_of(tmp_path, "fails", run_args={"command": "predict", "gpus": "all"})
    ana.run("cube", "import", wants_gpu, *words, "fails")
    ana.run("cube", "test", "fails", "--benchmark", BENCHMARK, code=4)
    assert {row["draft"]: row["tested"] for row in ana.run("cube", "ls", "--drafts", "--json").value}["fails"] == "no"
    ana.run("cube", "import", config_of(tmp_path, "works"), *words, "works")
    done = ana.run("cube", "submit", "works", "--request", BENCHMARK, "--yes")
    assert "so it is tested now" in done.err
    assert "outcome: complete" in done.out
    ana.run("cube", "import", config_of(tmp_path, "works", run_args={"command": ["predict"]}), *words, "works")
    ana.run("cube", "test", "works", "--benchmark", BENCHMARK)
    assert "tested now" not in ana.run("cube", "submit", "works", "--request", BENCHMARK, "--yes").err
