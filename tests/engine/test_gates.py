"""What is submitted was tested first: models and benchmarks on demo data, the reference model on a site's own data."""

from pathlib import Path

import pytest

from tests.engine.test_flow_story import BENCHMARK, add_cube, build_town, config_of
from tests.support.people import Town


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gates")


@pytest.fixture(scope="module")
def town(folder: Path, images: dict[str, str]) -> Town:
    """One town for all tests here: each works on things of its own."""
    assert images
    return build_town(folder)


def test_benchmarks_and_models_are_tested_before_they_are_submitted(town: Town, folder: Path, tmp_path: Path) -> None:
    ana = town.human("ana")
    assert "tested:\n  data: sha256:" in ana.run("benchmark", "show", BENCHMARK).out

    draft = tmp_path / "others.yaml"
    right = (folder / "cells.yaml").read_text()
    draft.write_text(right.replace("/cases/*/dice", "/cases/*/nothing").replace("name: cells", "name: others"))
    submit = ("benchmark", "submit", draft, "--yes")
    assert "would first be tested" in ana.run(*submit, "--dry-run").err
    refused = ana.run(*submit, code=1).err
    assert "this draft was not tested on its demo data yet, so it is tested now" in refused
    assert "nothing was sent, since the test failed" in refused
    draft.write_text(right.replace("name: cells", "name: others"))
    ana.run("benchmark", "test", draft)
    submitted = ana.run(*submit)
    assert "so it is tested now" not in submitted.err
    assert "outcome: complete" in submitted.out

    add_cube(ana, tmp_path, "bad", "model", "fail")
    request = ("association", "request", BENCHMARK, "--yes", "--model")
    assert "would first be tested" in ana.run(*request, "bad", "--dry-run").err
    refused = ana.run(*request, "bad", code=1).err
    assert "ana/bad@1 was not tested on the demo data of ana/cells@1 yet, so it is tested now" in refused
    assert "nothing was asked, since the test failed" in refused
    add_cube(ana, tmp_path, "good", "model", "predict")
    first = ana.run(*request, "good")
    assert "so it is tested now" in first.err
    assert "merged" in first.out


def test_what_this_machine_cannot_run_blocks_nothing(town: Town, folder: Path, tmp_path: Path) -> None:
    ana, clinic = town.human("ana"), town.human("clinic")
    config = config_of(tmp_path, "big", run_args={"command": "predict", "gpus": "all"})
    ana.run("cube", "import", config, "--role", "model", "--name", "big", "--image-from-engine")
    ana.run("cube", "submit", "big", "--yes")
    asked = ana.run("association", "request", BENCHMARK, "--model", "big", "--yes")
    assert "this machine cannot test it" in asked.err
    assert "merged" in asked.out
    draft = tmp_path / "gpus.yaml"
    text = (folder / "cells.yaml").read_text().replace("name: cells", "name: gpus")
    draft.write_text(text.replace("reference_model: slow", "reference_model: big"))
    submitted = ana.run("benchmark", "submit", draft, "--yes")
    assert "it is submitted untested" in submitted.err
    assert "tested:" not in submitted.out
    asked = clinic.run("association", "request", "ana/gpus", "--dataset", "cohort", "--yes")
    assert "no trial run: " in asked.out
    assert "(needs-gpu)" in asked.out
    assert "merged" in asked.out


def test_a_dataset_that_asks_to_join_is_tried_with_the_reference_model_and_nothing_is_done_twice(
    town: Town, folder: Path, tmp_path: Path
) -> None:
    clinic = town.human("clinic")
    raw = folder / "raw"
    (raw / "data" / "a.txt").write_text("other data of a")
    words = ("dataset", "prepare", "--benchmark", BENCHMARK, "--data", raw / "data", "--labels", raw / "labels")
    clinic.run(*words, "--name", "second", "--title", "Second", code=4)  # this preparator lets a person look first
    clinic.run(*words, "--name", "second", "--title", "Second")
    submit = ("dataset", "submit", "second", "--request", BENCHMARK, "--yes")
    assert "would first run" in clinic.run(*submit, "--dry-run").out
    refused = clinic.run(*submit, "--timeout", "1s", code=1).err
    assert "nothing was asked, since the reference model ana/slow@1 failed on these data" in refused
    assert "(timeout)" in refused
    assert "clinic/second@1" not in clinic.run("dataset", "ls").out
    done = clinic.run(*submit)
    assert "the reference model ana/slow@1 went through these data" in done.out
    assert "Dice: 0." in done.out or "Dice: 1" in done.out
    assert "merged" in done.out

    ran = clinic.run("run", BENCHMARK, "--dataset", "second", "--model", "ana/slow", "--resume", "--json")
    assert "ana/slow@1: all was finished before" in ran.err
    assert [row["outcome"] for row in ran.value["models"]] == ["complete"]
    page = tmp_path / "review.html"
    clinic.run("review", ran.value["run"], "--out", page)
    assert "before it ran: 20" in page.read_text()
    assert "after it: 20" in page.read_text()
    assert "merged" in clinic.run("result", "submit", ran.value["run"], "--yes").out


def test_a_trial_run_leaves_nothing_to_submit_and_data_elsewhere_are_not_tried(town: Town, tmp_path: Path) -> None:
    clinic, ana = town.human("clinic"), town.human("ana")
    ana.run("benchmark", "edit", BENCHMARK, "--auto-approve-datasets", "never", "--yes")
    clinic.run("association", "ls")
    clinic.run("withdraw", "clinic/cohort", "--benchmark", BENCHMARK, "--yes")
    asked = clinic.run("association", "request", BENCHMARK, "--dataset", "cohort", "--yes")
    assert "the reference model ana/slow@1 went through these data" in asked.out
    assert "clinic/cohort@1 is not approved for ana/cells@1 (pending)" in clinic.run("review").out
    assert "nothing to submit" in clinic.run("result", "submit", "--yes").out
    clinic.run("withdraw", "clinic/cohort", "--benchmark", BENCHMARK, "--yes")
    (clinic.home / "datasets").rename(tmp_path / "another machine")
    asked = clinic.run("association", "request", BENCHMARK, "--dataset", "cohort", "--yes")
    assert "no trial run: the data of clinic/cohort@1 is not on this machine" in asked.out
    assert "merged" in asked.out
