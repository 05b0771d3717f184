"""The commands of daily work on a real engine and a real registry, with tiny containers."""

import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

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
    with tarfile.open(tmp_path / "demo.tar.gz", "w:gz") as archive:
        archive.add(raw, "raw")
    (tmp_path / "science.yaml").write_text(SCIENCE)
    ana.run(
        *("benchmark", "new", "--name", "cells", "--data-preparator", "prepare", "--reference-model", "slow"),
        *("--metrics", "score", "--demo-data", tmp_path / "demo.tar.gz", "--science", tmp_path / "science.yaml"),
        *("--out", tmp_path / "cells.yaml"),
    )
    approvals = ("--auto-approve-models", "always", "--auto-approve-datasets", "always")
    ana.run("benchmark", "submit", tmp_path / "cells.yaml", *approvals, "--yes")
    add_cube(ana, tmp_path, "broken", "model", "fail")
    ana.run("association", "request", BENCHMARK, "--model", "broken", "--yes")
    prepare = ("dataset", "prepare", "--benchmark", BENCHMARK, "--data", raw / "data", "--labels", raw / "labels")
    words = (*prepare, "--name", "cohort", "--title", "Cohort", "--publish", "num_cases")
    stopped = clinic.run(*words, code=4)  # this preparator lets a person look first
    assert "prepare failed" in stopped.err
    clinic.run(*words)
    review = clinic.run("dataset", "review", "cohort").out
    assert "num_cases: 12" in review
    assert "61.5" not in review
    clinic.run("dataset", "submit", "cohort", "--request", BENCHMARK, "--yes")
    return town


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
        ana.run("association", "request", BENCHMARK, "--model", mode, "--yes")
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
