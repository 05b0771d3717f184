"""The commands of a data owner about one dataset, from raw files with manual steps to another machine."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from medperf_git.cli import boundary, session
from medperf_git.cli.commands import dataset
from medperf_git.records import layout
from medperf_git.runner.plan import PinnedCube
from tests.engine.test_preparators import image, make  # noqa: F401  (fixtures)
from tests.support.flows_world import ANA, World, world
from tests.support.people import NobodyThere


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Twelve raw cases."""
    for role in ("data", "labels"):
        (tmp_path / "raw" / role).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "raw" / role / f"c{number:02d}.txt").write_text(f"{role} {number}")
    return tmp_path / "raw"


class Clinic:
    """Someone who types commands about datasets; the registry is in memory, all else is real."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def joins(self, made: World) -> None:
        """Choose a registry."""

        def workspace(**_: object) -> SimpleNamespace:
            context = session.open_context(yes=True)
            return SimpleNamespace(
                view=made.view, registry_id="mg1:" + "1" * 64, alias="main", member="clinic", context=context
            )

        self._monkeypatch.setattr(dataset, "fresh_workspace", workspace)
        self._monkeypatch.setattr(session, "TerminalPerson", NobodyThere)

    def run(self, *words: object, code: int = 0) -> tuple[str, str]:
        """Type a command; return standard output and standard error."""
        self._monkeypatch.setenv("MEDPERF_GIT_HOME", str(self.home))
        found = boundary.main([str(word) for word in words])
        out, err = self._capsys.readouterr()
        assert found == code, (words, out, err)
        return out, err

    def json(self, *words: object, code: int = 0) -> object:
        """Type a command and return what it says as JSON."""
        return json.loads(self.run(*words, "--json", code=code)[0])


@pytest.fixture
def clinic(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(tmp_path / "home", capsys, monkeypatch)


def with_preparator(pinned: PinnedCube) -> World:
    """Return a registry with a benchmark whose preparator is that one."""
    made = world()
    record = replace(pinned.cube, member=ANA, name="prepare")
    made.add(layout.cube_path(record.ref), record)
    made.benchmark()
    return made


def test_a_data_owner_prepares_with_manual_steps_and_carries_the_dataset_away(
    clinic: Clinic,
    raw: Path,
    make: Callable[..., PinnedCube],  # noqa: F811
    tmp_path: Path,
) -> None:
    clinic.joins(with_preparator(make("manual", "exit-1")))
    words = ("dataset", "prepare", "--benchmark", "ana/cells", "--data", raw / "data", "--labels", raw / "labels")
    words = (*words, "--name", "fresh", "--title", "Fresh cases")
    out, err = clinic.run(*words, code=1)
    assert "no failure, but not finished: 12 of 12 cases wait for a person" in out
    assert "12 cases, 12 wait for a person" in err
    assert f"then go on with: medperf-git dataset prepare --benchmark ana/cells --data {raw}/data" in out
    (standing,) = clinic.json("dataset", "progress", "fresh")  # type: ignore[misc]
    assert standing["standing"] == "waits-for-a-person"
    for case in standing["waiting"]:
        file = Path(case["places"][0])
        assert str(file) in out or case["case"] not in out
        file.write_text(file.read_text().replace("verified: no", "verified: yes"))
    again = clinic.json(*words)
    assert (again["cases"], again["standing"]) == (12, "prepared")  # type: ignore[index]
    out, err = clinic.run(*words, "--publish", "num_cases", "--salted")
    assert "was finished before" not in err
    assert "nothing has changed in the raw data" in err
    assert "num_cases: 12 (published)" in out
    assert "age.oldest: 97 (stays here: " in out
    assert "share_verified: 1 (stays here; --publish share_verified)" in out
    assert clinic.run("dataset", "progress", "fresh")[0].startswith(
        "fresh: it is prepared\n  12 cases, 12 done (100 %)"
    )
    review = clinic.run("dataset", "review", "fresh")[0]
    assert "num_cases: 12" in review
    assert "c00" not in review
    (row,) = clinic.json("dataset", "ls", "--local")  # type: ignore[misc]
    assert row["bytes"] > 0
    clinic.run("dataset", "export", "fresh", "--to", tmp_path)
    other = Clinic(tmp_path / "other", clinic._capsys, clinic._monkeypatch)
    other.run("dataset", "import", tmp_path / "fresh.1.dataset.tar")
    assert "unchanged" in other.run("dataset", "verify", "fresh")[0]
    assert other.run("dataset", "review", "fresh")[0].partition("created")[0] == review.partition("created")[0]
    (file,) = (other.home / "datasets").glob("*/data/c05.txt")
    file.write_text("other")
    assert "changed: data/c05.txt" in other.run("dataset", "verify", "fresh", code=5)[1]
    assert other.json("dataset", "verify", "fresh", code=5)["changed"] == ["data/c05.txt"]  # type: ignore[index]
    (tmp_path / "disk").mkdir()
    clinic.run("storage", "move", "datasets", "--to", tmp_path / "disk")
    assert "unchanged" in clinic.run("dataset", "verify", "fresh")[0]
    assert "dataset fresh (12 cases, number 1)" in clinic.run("storage", "show")[0]
    clinic.run("storage", "prune", "--dry-run")
    clinic.run("storage", "prune")


def test_prepared_data_stays_in_its_place(clinic: Clinic, raw: Path, make: Callable[..., PinnedCube]) -> None:  # noqa: F811
    clinic.joins(with_preparator(make("unfit")))
    words = ("dataset", "prepare", "--benchmark", "ana/cells", "--data", raw / "data", "--labels", raw / "labels")
    words = (*words, "--name", "fresh", "--title", "Fresh cases")
    assert "--already-prepared" in clinic.run(*words, "--in-place", code=2)[1]
    (raw / "data" / "c00.txt").write_text("fixed")
    said = clinic.json(*words, "--already-prepared", "--in-place")
    assert said["places"] == {"data": str(raw / "data"), "labels": str(raw / "labels")}  # type: ignore[index]
    assert "unchanged" in clinic.run("dataset", "verify", "fresh")[0]
    (raw / "data" / "c00.txt").write_text("mended")
    assert "changed: data/c00.txt" in clinic.run("dataset", "verify", "fresh", code=5)[1]
    (raw / "labels").rename(raw / "away")
    assert "there is no folder" in clinic.run("dataset", "verify", "fresh", code=1)[1]


def test_progress_is_seen_from_another_terminal(clinic: Clinic, raw: Path, make: Callable[..., PinnedCube]) -> None:  # noqa: F811
    clinic.joins(with_preparator(make("in-place")))
    command = [sys.executable, "-m", "medperf_git", "dataset", "progress", "--watch", "--json"]
    words = ("dataset", "prepare", "--benchmark", "ana/cells", "--data", raw / "data", "--labels", raw / "labels")
    clinic.home.mkdir()
    seen: list[subprocess.Popen[bytes]] = []
    real = dataset._typed

    def typed() -> tuple[str, ...]:
        script = f"sleep 2; exec {' '.join(command)}"
        seen.append(subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE))
        return real()

    clinic._monkeypatch.setattr(dataset, "_typed", typed)
    clinic.run(*words, "--name", "fresh", "--title", "Fresh")
    until = time.monotonic() + 30
    while seen[0].poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    out, _ = seen[0].communicate(timeout=30)
    assert b'"standing": "preparing"' in out
