"""Every command that a page names exists, with the options that it is given; what no test types is at least there."""

import os
import re
import shlex
import subprocess

import pytest

from medperf_git.cli.main import main as program
from tests.support.pages import ROOT, blocks, check_command, commands_named

LISTED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
PAGES = [name for name in LISTED.split() if not name.startswith(("tests/", "docs/adr/"))]
READ_BY_NEWCOMERS = [
    name
    for name in PAGES
    if re.fullmatch(r"README\.md|docs/(quick-start|pilots|citing)\.md|examples/[^/]+/README\.md", name)
]
SHELL = ("cd", "export", "mkdir", "source")
WELL_KNOWN = ("git clone https://github.com/medperf-git/medperf-git", "pipx install medperf-git", "pipx install .")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_only_commands_and_options_that_exist(name: str) -> None:
    for command in commands_named(ROOT / name):
        check_command(command, program)


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    check_command("medperf-git result ls --model lab-trees/forest | head", program)
    with pytest.raises(AssertionError, match="no command resluts"):
        check_command("medperf-git resluts ls", program)
    with pytest.raises(AssertionError, match="no option --modle"):
        check_command("medperf-git result ls --modle=x", program)


@pytest.mark.parametrize("name", READ_BY_NEWCOMERS)
def test_every_line_that_a_newcomer_types_is_executed_or_is_there(name: str) -> None:
    for block in blocks(ROOT / name):
        for command in block.commands if block.language in ("sh", "console", "") and not block.place else []:
            for part in re.split(r"&&", command.split("#")[0]):
                assert is_there(part.strip()), f"{name}: {part.strip()}"


def is_there(command: str) -> bool:
    """Tell whether it can be typed: a target of make, a file or command of ours, a word of the shell, well known."""
    first, *others = command.split()
    if first == "make":
        targets = re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"))
        words = [word for word in shlex.split(command)[1:] if not re.match(r"[A-Z]+=", word)]
        return set(words) <= set(targets)
    if first == "medperf-git":
        check_command(command, program)
        return True
    if command.startswith("git clone --bare "):
        return (ROOT / others[2]).is_file()
    if first in ("python", "python3") and others[0].endswith(".py"):
        return (ROOT / others[0]).is_file()
    if "/" in first:
        return (ROOT / first).is_file() and os.access(ROOT / first, os.X_OK)
    return first in SHELL or command in WELL_KNOWN


def test_the_program_installs_as_the_pages_say() -> None:
    """`tests/test_wheel.py` installs it into an empty environment; here: that it is what the pages call it."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '\nname = "medperf-git"\n' in settings
    assert '\nmedperf-git = "medperf_git.cli.boundary:run"\n' in settings
