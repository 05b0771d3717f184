"""`medperf-git demo`: the recording judged, shown and refused with one byte changed; and what the played one needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.kit.story import Story
from medperf_git.errors import EnvironmentProblem
from medperf_git.flows.demo_folder import MARK
from medperf_git.flows.recorded import recording, turn_one_digit, unpack


def type_(*words: str | Path, path: str = os.environ["PATH"], home: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "HOME": str(home), "MEDPERF_GIT_HOME": str(home / "state"), "COLUMNS": "100"}
    command = [sys.executable, "-m", "medperf_git", *map(str, words)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False, timeout=120)


def test_a_recorded_run_is_audited_shown_and_one_changed_byte_of_it_refused(tmp_path: Path) -> None:
    done = type_("demo", "--recorded", "--no-open", home=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "This is a recording." in done.stdout
    assert recording().played in done.stdout
    assert f"steps of registry are valid, from the genesis {recording().registry}" in said
    assert "these are not the bytes that were merged" in said
    assert "a merged record never changes [append-only]" in said
    assert (tmp_path / "medperf-git-demo/site/index.html").is_file()
    assert not (tmp_path / "state").exists()  # the caller's own folder is not touched


def test_a_folder_that_holds_something_is_not_played_in(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    done = type_("demo", "--recorded", "--out", "mine", home=tmp_path)
    assert (done.returncode, "is not empty" in done.stderr) == (2, True)
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_second_demo_takes_the_place_of_the_first_also_of_one_that_was_stopped(tmp_path: Path) -> None:
    place = tmp_path / "my 'first' #1 demo"
    (place / "registry.git").mkdir(parents=True)
    (place / ".medperf-git-demo").touch()
    (place / "people").symlink_to(tmp_path)
    (tmp_path / "thesis.tex").touch()
    for _ in range(2):
        done = type_("demo", "--recorded", "--no-open", "--out", place, home=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in place.iterdir()) == [MARK, "changed", "reader", "registry.git", "site"]
    assert (tmp_path / "thesis.tex").is_file()
    Story.at(place)  # and the played demo takes it over too
    assert [path.name for path in place.iterdir()] == [MARK]


def test_a_folder_that_cannot_be_emptied_is_named_and_taken_by_the_next_demo_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:  # root, as whom tests may run, is refused nothing by the disk
        raise PermissionError(13, "Permission denied", "key.bin")

    out = tmp_path / "out"
    (Story.at(out).out / "people").mkdir()
    with monkeypatch.context() as disk:
        disk.setattr("medperf_git.flows.demo_folder.shutil.rmtree", refuse)
        with pytest.raises(
            SystemExit, match=r"out/people cannot be made empty \(key.bin: Permission denied\); remove it"
        ):
            Story.at(out)
    assert [path.name for path in Story.at(out).out.iterdir()] == [MARK]


def test_a_file_in_place_of_the_demos_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SystemExit, match="out is no folder of yours: Not a directory; choose another --out"):
        Story.at(tmp_path / "out")


def test_what_is_somebody_elses_is_refused_before_any_image_is_built(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").touch()
    done = type_("demo", "--out", "mine", home=tmp_path, path=str(tmp_path))
    assert (done.returncode, "is not empty" in done.stderr) == (2, True)


@pytest.mark.parametrize("told", ["{", "[]", '{"registry": "mg1:00"}', '{"registry": 1}'])
def test_a_recording_that_is_damaged_is_said_in_a_sentence(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breast-cancer/recorded").mkdir(parents=True)
    (tmp_path / "breast-cancer/recorded/recorded.json").write_text(told, encoding="utf-8")
    monkeypatch.setattr("medperf_git.flows.recorded.asset_folder", lambda _: tmp_path)
    with pytest.raises(EnvironmentProblem, match="cannot be read") as caught:
        recording()
    assert "install medperf-git again" in caught.value.hint


def test_without_an_engine_the_demo_names_the_recording(tmp_path: Path) -> None:
    for program in ("bash", "git"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    done = type_("demo", home=tmp_path, path=str(tmp_path))
    assert done.returncode == 3
    assert "there is no `docker` on this machine" in done.stderr
    assert "demo --recorded" in done.stderr


def test_the_turned_digit_is_one_byte_of_one_result(tmp_path: Path) -> None:
    unpack(recording(), tmp_path / "registry.git")
    turned = turn_one_digit(tmp_path / "registry.git", tmp_path / "changed")
    show = ["git", f"--git-dir={tmp_path}/registry.git", "show", f"main:{turned.path}"]
    signed = subprocess.run(show, capture_output=True, check=True).stdout
    changed = turned.file.read_bytes()
    assert sum(one != other for one, other in zip(signed, changed, strict=True)) == 1
    assert turned.before in signed.decode()
    assert turned.after in changed.decode()


def test_people_of_a_story_have_none_of_the_players_registry_token_and_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MEDPERF_GIT_REGISTRY", "MEDPERF_GIT_TOKEN", "MEDPERF_GIT_TOKEN_HOST", "GIT_DIR", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "mine")
    assert "mine" not in Story.at(tmp_path / "out")._environment("amara").values()
