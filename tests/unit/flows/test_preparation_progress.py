"""How a preparation stands is seen from any terminal, in words and as JSON, while it is at work and afterwards."""

import json
import sys

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows.home import write_json
from medperf_git.flows.preparation_progress import PrepareProgress, standing_of
from medperf_git.runner.events import Event, EventKind
from medperf_git.runner.preparation import PreparationFolder, held
from medperf_git.runner.report import parse_report
from tests.unit.flows.test_carrying_data import prepared

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no containers run there, and nothing is prepared")

TABLE = {
    "status": {"p1": 9, "p2": -5, "p3": -5, "p4": 2},
    "status_name": {"p1": "DONE", "p2": "LOOK", "p3": "LOOK", "p4": "CONVERTED"},
    "comment": {"p2": "mark \x1b[31mthe tumour"},
    "data_path": {"p2": "p2/image.nii", "p3": "/mlcommons/volumes/data/p3/../../../etc"},
    "labels_path": {"p2": "/mlcommons/volumes/labels/p2.nii"},
}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "datasets" / ".0123456789ab.clinic.fresh.partial"
    (path / "work" / "report").mkdir(parents=True)
    (path / "work" / "output_labels_path").mkdir()
    (path / "work" / "report" / "report.yaml").write_text(json.dumps(TABLE))
    write_json(path / "command.json", {"command": ["medperf-git", "dataset", "prepare", "--title", "Two words"]})
    folder = PreparationFolder(path)
    mounts = {"/mlcommons/volumes/data": "output_path", "/mlcommons/volumes/labels": "output_labels_path"}
    folder.note_mounts(mounts)
    return folder


def test_a_waiting_preparation_names_cases_folders_and_the_command_to_go_on(tmp_path, folder):
    folder.write_state("waits-for-a-person", task="prepare", why="the preparator ended with exit code 1")
    (standing,) = standing_of(tmp_path, "fresh")
    lines = list(standing.lines())
    assert lines[0] == "fresh: it waits for a person (prepare)"
    assert "  4 cases, 1 done (25 %), 2 wait for a person" in lines
    assert "    -5 LOOK: 2 (50 %), for a person to do" in lines
    assert f"      {folder.work}/output_path/p2/image.nii" in lines
    assert f"      {folder.work}/output_labels_path/p2.nii" in lines
    assert lines[-1] == "then go on with: medperf-git dataset prepare --title 'Two words'"
    assert not any("etc" in line for line in lines)
    value = standing.as_value()
    assert (value["standing"], value["cases"], value["done"]) == ("waits-for-a-person", 4, 1)
    assert [case["case"] for case in value["waiting"]] == ["p2", "p3"]
    assert value["stages"][1] == {"status": -5, "stage": "LOOK", "cases": 2, "percent": 50.0, "waits": True}
    assert json.loads(json.dumps(value)) == value


def test_only_a_living_process_is_at_work(tmp_path, folder):
    folder.write_state("preparing", task="sanity_check")
    with held(folder.path):
        assert [one.standing for one in standing_of(tmp_path)] == ["preparing"]
    assert [one.standing for one in standing_of(tmp_path)] == ["interrupted"]


def test_the_same_name_for_two_registries_is_two_preparations(tmp_path, folder):
    other = folder.path.with_name(".ffffffffffff.clinic.fresh.partial")
    other.mkdir()
    assert len(standing_of(tmp_path, "fresh")) == 2
    assert [one.folder.path for one in standing_of(tmp_path, "fresh", registry="ffffffffffff")] == [other]


def test_a_prepared_dataset_and_an_unknown_one(tmp_path):
    assert standing_of(tmp_path) == []
    prepared(tmp_path)
    (standing,) = standing_of(tmp_path, "fresh")
    assert (standing.standing, standing.as_value()["done"]) == ("prepared", 0)
    with pytest.raises(UsageProblem, match="no dataset called"):
        standing_of(tmp_path, "other")


def test_damaged_notes_are_passed_over(tmp_path, folder):
    (folder.path / "state.json").write_text('{"standing": ')
    (folder.path / "work" / "report" / "report.yaml").write_text("[" * 9999)
    (standing,) = standing_of(tmp_path)
    assert standing.standing == "unknown"
    assert any("the preparator's report: " in line for line in standing.lines())
    (folder.path / "state.json").write_text('{"standing": {}, "mounts": [1], "why": 5}')
    assert list(standing_of(tmp_path)[0].lines())


def test_live_lines_come_when_something_is_new_and_not_too_often():
    said = []
    progress = PrepareProgress(said.append, "ana/prep@1", every=0)
    report = parse_report(json.dumps(TABLE).encode())
    progress.report(report)
    progress.report(report)
    assert said[0] == "  4 cases, 1 done (25 %), 2 wait for a person"
    assert len(said) == 4
    slow = PrepareProgress(said.append, "ana/prep@1", every=3600)
    slow.report(report)
    slow.report(parse_report(b"status: {a: 1}"))
    assert len(said) == 8
    for kind in EventKind:
        progress(Event(kind=kind, step="prepare", text="t", done=5, total=10**9))
    assert said[8:] == [
        "reading t: 0 %", "prepare: t", "prepare: ana/prep@1 …", "prepare: t", "prepare: was finished before",
    ]  # fmt: skip
