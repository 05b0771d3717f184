"""What a run keeps: its plan, what was asked of it, which models wait for the data to be looked at again."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medperf_git.errors import EnvironmentProblem, IntegrityBroken
from medperf_git.records.digests import digest_of
from medperf_git.records.names import Ref
from medperf_git.runner.collect import TakenFile
from medperf_git.runner.durable import write_durably
from medperf_git.runner.execute import verify_after_run
from medperf_git.runner.manifest import content_digest
from medperf_git.runner.one_model import _adopt
from medperf_git.runner.predictions import KeptPredictions
from medperf_git.runner.store import Mark, RunFolder, RunStore, outputs_match
from medperf_git.runner.wish import Wish, wish_from_value

ONE, TWO = Ref("ana", "one", 1), Ref("ana", "two", 1)
PLAN = {"benchmark": {"ref": "ana/bench@1"}, "dataset": {"ref": "dora/set@1"}, "models": [{"model": {"ref": str(ONE)}}]}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "runs" / "0123456789abcdef")
    for ref in (ONE, TWO):
        run.model(ref).write_outcome({"outcome": "complete", "attempt": 1})
    (run.path / "plan.json").write_text(json.dumps(PLAN))
    return run


def test_strays_beside_models_are_no_models(run: RunFolder) -> None:
    (run.path / "models" / ".DS_Store").touch()
    (run.path / "models" / "not a reference").mkdir()
    (run.path / "models" / "ana.file.1").touch()
    (run.path.parent / ".DS_Store").touch()
    assert run.models() == (ONE, TWO)
    assert RunStore(run.path.parent).runs() == (run,)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"benchmark": "x", "dataset": 1}', "[" * 5000, json.dumps(PLAN | {"models": [1]})]
)
def test_a_damaged_plan_is_an_environment_problem_that_names_the_file(run: RunFolder, text: str) -> None:
    (run.path / "plan.json").write_text(text)
    with pytest.raises(EnvironmentProblem, match=r"plan\.json is damaged"):
        run.plan()


def test_t14_exactly_what_ran_since_the_last_look_is_forgotten_when_the_data_changed(
    run: RunFolder, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("a")
    content = content_digest({"data": data})
    run.await_verification([TWO])
    assert run.unverified() == (TWO,)
    verify_after_run(run, {"data": data}, content, moment="now")
    assert run.unverified() == ()
    run.await_verification([TWO])
    (data / "a").write_text("b")
    with pytest.raises(IntegrityBroken):
        verify_after_run(run, {"data": data}, content, moment="now")
    assert run.unverified() == ()
    assert run.model(ONE).outcome() is not None
    assert run.model(TWO).outcome() is None


def test_t14_a_note_that_cannot_be_read_means_every_model(run: RunFolder) -> None:
    (run.path / "unverified").touch()
    assert run.unverified() == (ONE, TWO)


def test_predictions_that_wait_for_the_data_serve_no_other_run(run: RunFolder) -> None:
    from tests.unit.runner.test_values import mark  # noqa: PLC0415

    run.model(ONE).predictions.mkdir()
    run.model(ONE).write_mark("infer", mark(()))
    store = RunStore(run.path.parent)
    kept = KeptPredictions(store)
    assert kept.find(digest_of(b"key")) is not None
    run.await_verification([ONE])
    assert kept.find(digest_of(b"key")) is None


def test_predictions_are_found_by_what_their_outcome_says_and_only_while_they_are_whole(run: RunFolder) -> None:
    from tests.unit.runner.test_values import mark  # noqa: PLC0415

    key, store = digest_of(b"key"), RunStore(run.path.parent)
    state = run.model(TWO)
    state.predictions.mkdir()
    state.write_mark("infer", mark(()))
    state.write_outcome({"attempt": 1, "infer_key": key})
    assert (found := KeptPredictions(store).find(key)) is not None
    assert found.folder == state.folder
    state.write_outcome({"attempt": 1, "infer_key": digest_of(b"another")})
    assert KeptPredictions(store).find(digest_of(b"another")) is None
    state.write_outcome({"attempt": 1, "infer_key": key})
    kept = KeptPredictions(store)
    assert kept.find(key) is not None
    (state.predictions / "more").touch()
    assert kept.find(key) is None


def test_a_wish_is_kept_and_a_torn_one_is_none(run: RunFolder) -> None:
    wish = Wish(models=((ONE, 1), (TWO, 0)), again=True, retry_failed=True, how="x")
    run.write_wish(wish)
    assert run.wish() == wish
    assert not run.is_finished()
    run.write_wish(wish.fulfilled())
    assert run.is_finished()
    assert wish_from_value({"models": [["x", 1]], "again": True}) is None
    (run.path / "wish.json").write_text("{")
    assert run.wish() is None


def test_an_outcome_whose_note_was_cut_off_counts_as_an_attempt(run: RunFolder) -> None:
    (run.path / "models" / ONE.folder / "attempts.json").write_text('{"attempts": 1, "open": true}')
    assert run.model(ONE).ended_attempts() == 1
    assert run.model(ONE).begin_attempt() == 2


def test_a_disk_that_is_full_is_said_with_the_file_and_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno  # noqa: PLC0415
    import os  # noqa: PLC0415

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_durably(tmp_path / "note", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentProblem, match="note cannot be written: No space left") as problem:
        write_durably(tmp_path / "note", b"new")
    assert problem.value.exit_code == 3
    assert (tmp_path / "note").read_bytes() == b"old"


@pytest.mark.parametrize("what", ["link", "linked folder", "fifo"])
def test_outputs_beside_which_a_link_or_a_device_lies_do_not_match(tmp_path: Path, what: str) -> None:
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "a.txt").write_text("a")
    files = (TakenFile("a.txt", 1, digest_of(b"a")),)
    assert outputs_match(tmp_path / "predictions", files)
    place = tmp_path / "predictions" / "b"
    if what == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(tmp_path if what == "linked folder" else tmp_path / "nowhere")
    assert not outputs_match(tmp_path / "predictions", files)


def test_a_link_in_place_of_an_output_does_not_match(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a")
    (tmp_path / "results").symlink_to(tmp_path / "real")
    assert not outputs_match(tmp_path / "results", (TakenFile("results", 1, digest_of(b"a")),))


def test_predictions_that_vanish_while_they_are_taken_over_are_made_anew(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = run.model(ONE), RunFolder(tmp_path / "runs" / "fedcba9876543210").model(ONE)
    there.predictions.mkdir(parents=True)
    (there.predictions / "a").write_text("1")
    (there.predictions / "b").write_text("2")
    mark = Mark(
        key=digest_of(b"k"), attempt=1, files=(), exit_code=0, seconds=1.0, peak_memory=None, peak_disk=None,
        started="", finished="",
    )  # fmt: skip
    there.write_mark("infer", mark)
    model: Any = SimpleNamespace(infer_key=digest_of(b"k"), model=SimpleNamespace(ref=ONE))
    site: Any = SimpleNamespace(kept=SimpleNamespace(find=lambda _: there), tell=lambda *_, **__: None)

    def vanished(_: object, target: object, **__: object) -> None:
        Path(str(target)).mkdir(parents=True, exist_ok=True)
        raise shutil.Error([("a", "b", "No such file or directory")])

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", vanished)
        assert _adopt(site, model, here, 1) is None
    assert (here.predictions.exists(), here.mark("infer")) == (False, None)
    adopted = _adopt(site, model, here, 1)
    assert adopted is not None
    assert adopted.reused
    assert sorted(path.name for path in here.predictions.iterdir()) == ["a", "b"]
