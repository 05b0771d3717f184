"""Every command with nonsense, in an empty home and as a member: a code, a sentence, never a traceback."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from medperf_git.cli import main as command_line
from tests.support.people import Human, Town

NONSENSE = ("no/such@thing", "", "\x1b[31m::error::", "-1", "../../etc/passwd", "sha256:zz")
CODES = {1, 2, 3, 5}
HARMLESS = {0, *CODES}  # a listing of nothing is no mistake


def leaves() -> Iterator[tuple[str, ...]]:
    """Yield every command that does something, with the groups above it."""
    root = command_line.main
    with click.Context(root) as context:
        for name in root.list_commands(context):
            command = root.get_command(context, name)
            if isinstance(command, click.Group):
                yield from ((name, inner) for inner in command.list_commands(context))
            else:
                yield (name,)


LEAVES = sorted(leaves())


def command_of(path: tuple[str, ...]) -> click.Command:
    command: click.Command = command_line.main
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


def arguments(command: click.Command, word: str) -> list[str]:
    """Return a value for all that a command must have, so that it gets past the reading of its options."""
    given: list[str] = []
    for parameter in command.params:
        if not parameter.required and not isinstance(parameter, click.Argument):
            continue
        value = next(iter(parameter.type.choices)) if isinstance(parameter.type, click.Choice) else word
        value = "3" if isinstance(parameter.type, click.types.IntParamType) else str(value)
        given += [value] if isinstance(parameter, click.Argument) else [f"{parameter.opts[0]}={value}"]
    options = {name for parameter in command.params for name in parameter.opts}
    front = [option for option in ("--yes", "--dry-run") if option in options]
    return [
        *front,
        *(one for one in given if one.startswith("--")),
        "--",
        *(o for o in given if not o.startswith("--")),
    ]


def ends_well(human: Human, argv: list[str], allowed: set[int]) -> None:
    said = None
    for code in sorted(allowed):  # the helper wants one code; the right one is among these or the last try fails
        try:
            said = human.run(*argv, code=code)
            break
        except AssertionError as failed:
            last = str(failed)
    assert said is not None, last
    both = said.out + said.err
    assert "Traceback" not in both
    assert "went wrong inside" not in both
    assert "\x1b[31m" not in both
    if said.code not in (0, 2):
        assert "do now: " in said.err or said.out, argv


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Human:
    monkeypatch.chdir(tmp_path)
    return Human("nobody", tmp_path / "nobody")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_nonsense_in_an_empty_home_and_as_a_member_ends_with_a_code_and_a_sentence(
    shared_town: Town, nobody: Human, path: tuple[str, ...]
) -> None:
    north = shared_town.human("north")
    ends_well(nobody, [*path, "--nonsense"], {2})
    ends_well(nobody, [*path, *["too-many"] * 9], HARMLESS)
    if path == ("demo",):
        return  # it needs no argument and plays a whole story; tests/story/test_demo.py
    ends_well(nobody, [*path], HARMLESS)
    if path[0] in ("join", "init") or path == ("registry", "rm"):
        return
    for word in NONSENSE:
        ends_well(nobody, [*path, *arguments(command_of(path), word)], HARMLESS)
        ends_well(north, [*path, *arguments(command_of(path), word)], HARMLESS)


@pytest.mark.parametrize("word", NONSENSE)
def test_a_registry_at_a_nonsense_place_is_refused(nobody: Human, word: str) -> None:
    for argv in (
        ["registry", "add", "--", word],
        ["join", "--as", "nobody", "--yes", "--", word],
        ["-R", word, "sync"],
        ["-R", word, "verify", "results/x"],
    ):
        ends_well(nobody, argv, CODES)


def test_an_unknown_command_is_answered_with_a_near_one(nobody: Human) -> None:
    assert "Did you mean" in nobody.run("sumbit", code=2).err


def test_as_a_program_there_is_no_traceback_either(nobody: Human) -> None:
    for argv in (["nonsense"], ["verify", "x"], ["sync"], ["check", "--head", "x"], ["--nonsense"]):
        done = nobody.spawn(*argv)
        assert done.returncode in CODES, done
        assert "Traceback" not in done.stdout + done.stderr
