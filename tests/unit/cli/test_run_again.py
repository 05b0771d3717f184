"""The options of `run` are given to the detached command as they were written."""

import itertools

import click

from medperf_git.cli.commands.run import _words, run


def words_of(*written: str) -> list[str]:
    context = run.make_context("run", ["ana/cells", "--dataset", "cohort", *written])
    assert isinstance(context, click.Context)
    return _words(context)


def test_every_option_but_those_of_the_asking_command_is_handed_on() -> None:
    written = ("--model", "a/b@1", "--model", "a/c@2", "--resume", "--max-parallel", "3", "--memory", "4g")
    more = ["--mirror", "a.example=b.example", "--mirror", "c.example=d.example", "--low-disk"]
    assert words_of(*more)[-5:] == more
    again = words_of(*written, "--gpus", "0,1", "--timeout", "2h", "--profile", "compat", "--detach", "--json")
    assert again[:7] == ["--model", "a/b@1", "--model", "a/c@2", "--resume", "--max-parallel", "3"]
    pairs = list(itertools.pairwise(again))
    for pair in (("--memory", "4g"), ("--gpus", "0,1"), ("--timeout", "2h"), ("--profile", "compat")):
        assert pair in pairs
    assert not {"--detach", "--json", "--dry-run", "--dataset"} & set(again)
    assert words_of(*again) == again


def test_nothing_that_was_not_asked_is_handed_on() -> None:
    again = words_of()
    assert again[:2] == ["--max-parallel", "1"]
    assert not {"--model", "--resume", "--memory", "--gpus", "--timeout", "--disk", "None"} & set(again)
