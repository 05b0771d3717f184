"""`-R` chooses the registry before a command and behind it, on every command that works on one."""

from pathlib import Path

import click
import pytest

from medperf_git.cli.main import WITHOUT_REGISTRY
from tests.story.test_no_traceback import LEAVES, arguments, command_of
from tests.support.people import Human, Town

UNKNOWN = "is not known here"
OWN_WORDS: dict[tuple[str, ...], list[str]] = {
    ("new",): ["registry", "--current", "--out", "-"],
    ("check",): ["--head", "main"],
    ("join",): ["--as", "north", "--yes"],
    ("association", "request"): ["a/b", "--model", "a/b"],
    ("cube", "test"): ["a/b"],
    ("leaderboard", "export"): ["citation", "--out", "citation.cff"],
}


def needs_registry(path: tuple[str, ...]) -> bool:
    return not {" ".join(path[:length]) for length in range(1, len(path) + 1)} & WITHOUT_REGISTRY


# `doctor` alone looks at the machine; only with a further word at a registry.
ON_A_REGISTRY = [path for path in LEAVES if needs_registry(path) and path != ("doctor",)]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file"
    path.write_text("name: x\n", encoding="utf-8")
    return path


def given(path: tuple[str, ...], file: Path) -> list[str]:
    """Return words with which a command gets past the reading of its options."""
    if path in OWN_WORDS:
        return OWN_WORDS[path]
    command = command_of(path)
    folder = any(isinstance(one.type, click.Path) and not one.type.file_okay for one in command.params if one.required)
    return arguments(command, str(file.parent if folder else file))


def ended(human: Human, *argv: str) -> tuple[int, str]:
    for code in (0, 1, 2, 3, 5):
        try:
            return code, human.run(*argv, code=code).err
        except AssertionError:
            continue
    raise AssertionError(argv)


@pytest.mark.parametrize("path", ON_A_REGISTRY, ids=" ".join)
def test_the_registry_is_chosen_before_and_behind_every_command(
    shared_town: Town, file: Path, path: tuple[str, ...]
) -> None:
    north, rest = shared_town.human("north"), given(path, file)
    before = ended(north, "-R", "elsewhere", *path, *rest)
    behind = ended(north, *path, "-R", "elsewhere", *rest)
    assert before == behind
    assert UNKNOWN in before[1], before


def test_what_stands_behind_the_command_outweighs_what_stands_before_it(shared_town: Town) -> None:
    north = shared_town.human("north")
    assert north.run("-R", "elsewhere", "member", "ls", "-R", "heart", "--json").value
    assert UNKNOWN in north.run("-R", "heart", "member", "ls", "-R", "elsewhere", code=2).err


@pytest.mark.parametrize("path", [path for path in LEAVES if not needs_registry(path)], ids=" ".join)
def test_a_command_without_a_registry_does_not_pretend_to_choose_one(path: tuple[str, ...]) -> None:
    options = {name for parameter in command_of(path).params for name in parameter.opts}
    assert "-R" not in options
