"""A small play through the real commands, and its ranking beside one computed by pandas."""

import contextlib
import io
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from medperf_git.cli import boundary
from tests.examples.fets_scale.programs import load

play_, challenge, check_ranking, _ = load("play", "challenge", "check_ranking", "process_engine")


def in_this_process(words: list[str], environment: dict[str, str], cwd: Path):
    """Run a command without starting a program for it."""
    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        return play_.Ended(boundary.main(words), said.getvalue())


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory):
    """Four models at three sites: one superseded result; where slices are thick one crash, and one model not run."""
    out = tmp_path_factory.mktemp("fets")
    thick = replace(challenge.SITES[1], left=1)
    sites = (challenge.SITES[0], thick, challenge.SITES[4])
    one = play_.Play(out, "process", 1, sites, challenge.models(4), spawn=in_this_process)
    play_.play_all(one)
    return one


def test_the_leaderboard_ranks_as_pandas_does(played, capsys: pytest.CaptureFixture[str]):
    values = check_ranking.read_values(played.out)
    ranks, _, left_out = check_ranking.rank(values)
    assert check_ranking.shown(played.out / "site") == (ranks.to_dict(), left_out)
    assert left_out == ["site-02"]
    assert sorted(ranks) == [1, 1, 3, 4]  # two share first place
    with mock.patch("sys.argv", ["check_ranking.py", str(played.out)]):
        check_ranking.main()
    assert "ranking of 4 models is equal" in capsys.readouterr().out


def test_a_ranking_that_is_not_the_same_is_noticed(played):
    values = check_ranking.read_values(played.out)
    ranks, _, _ = check_ranking.rank(values)
    best = ranks.idxmin()
    values.loc[values["model"] == best, list(check_ranking.METRICS)] = [0.0] * 3 + [374.0] * 3
    assert check_ranking.rank(values)[0].to_dict() != check_ranking.shown(played.out / "site")[0]


def test_crashed_missing_and_superseded_runs_are_in_the_registry(played):
    results = json.loads(played.run("reader", "result", "ls", "--json", again=True))
    seen = [(row["dataset"].partition("/")[0], row["model"].partition("/")[2], row["outcome"]) for row in results]
    assert len(results) == 3 * 4 - 1 + 1
    assert [one for one in seen if one[2] != "complete"] == [
        ("site-01", "model-02@1", "failed: timeout"),
        ("site-02", "model-03@1", "failed: exit-code"),
    ]
    assert ("site-01", "model-02@1", "complete") in seen
    assert {model for site, model, _ in seen if site == "site-02"} == {"model-01@1", "model-02@1", "model-03@1"}


def test_every_result_says_that_no_container_ran(played):
    results = json.loads(played.run("reader", "result", "ls", "--json", again=True))
    for row in results[:3]:
        text = subprocess.run(
            ["git", "--git-dir", played.registry, "show", f"main:{row['path']}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "none: plain processes of examples/fets-scale, no container" in text
        assert "sandbox: compat" in text


def test_a_play_that_was_finished_runs_nothing_again(played):
    def nothing(words: list[str], *_: object):
        raise AssertionError(words)

    again = play_.Play(played.out, "process", 1, played.sites, played.models, spawn=nothing)
    play_.play_all(again)
    assert len(again.commands) >= 45
