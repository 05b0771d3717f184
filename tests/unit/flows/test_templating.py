"""Containers to start from, as they are written."""

import ast
from pathlib import Path

import pytest

from medperf_git.errors import UsageProblem
from medperf_git.flows.templating import KINDS, write_template
from medperf_git.policy.cubes import SCRIPT, TASKS
from medperf_git.runner.importing import import_file


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_whole_and_has_the_tasks_of_its_role(tmp_path: Path, kind: str) -> None:
    options = write_template(kind, "my-box", tmp_path / "box", base="lab/base:1")
    files = {path.relative_to(tmp_path / "box").as_posix(): path for path in (tmp_path / "box").rglob("*.*")}
    assert {"README.md", "container_config.yaml", "main.py", "requirements.txt"} <= files.keys()
    assert "ARG BASE=lab/base:1" in (tmp_path / "box" / "Dockerfile").read_text()
    assert not any("{{" in path.read_text() for path in files.values())
    ast.parse(files["main.py"].read_text())
    read = import_file(tmp_path / "box")
    assert set(read.tasks) == set(SCRIPT if kind == "script" else TASKS[kind])
    assert read.image == "my-box:0.1"
    assert all(Path(word).is_dir() for word in options.split() if not word.startswith("--"))
    assert f"cube test ./my-box {options}" in files["README.md"].read_text()


def test_demo_cases_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_template("model", "my-box", tmp_path / name)
    first, second = (
        {path.name: path.read_text() for path in (tmp_path / name / "demo").rglob("*.csv")} for name in ("one", "two")
    )
    assert len(first) == 12
    assert first == second


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageProblem, match="is there already"):
        write_template("model", "my-box", tmp_path)
    with pytest.raises(UsageProblem, match="name"):
        write_template("model", "My Box", tmp_path / "box")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
