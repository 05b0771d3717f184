"""The pages of the documentation as tests read them: what is typed in them, by whom, and terminals that type it."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:^<!-- executed: (\d+) ([a-z-]+) -->\n)?^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(medperf-git [^`\n]*)`")
ENDS = ("|", "#", "&&", ";", ">", "…")


@dataclass(frozen=True, order=True)
class Block:
    """What one person types at one point of a story; a block that nobody executes has place 0 and no person."""

    place: int
    person: str
    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands, each with the lines that continue it."""
        if not re.search(r"(?m)^\$ ", self.text):
            return [line for line in re.sub(r"\\\n\s*", "", self.text).splitlines() if line.strip()]
        return [part.strip() for part in re.split(r"(?m)^\$ ", self.text) if part.strip()]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in their order."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    name = page.relative_to(ROOT).as_posix()
    return [Block(int(place or 0), person, name, language, text) for place, person, language, text in found]


@dataclass
class Terminals:
    """One terminal for each person, in one folder; what was exported, and where it is, stays from block to block."""

    folder: Path
    _kept: dict[str, Path] = field(default_factory=dict)

    def type(self, block: Block) -> str:
        """Type a block; return what was said, and fail where a command did."""
        home = self.folder / "people" / block.person
        home.mkdir(parents=True, exist_ok=True)
        state = self._kept.setdefault(block.person, home / "terminal.sh")
        before = f". {shlex.quote(str(state))}" if state.is_file() else ":"
        after = f'{{ export -p; echo "cd $(printf %q "$PWD")"; }} > {shlex.quote(str(state))}'
        script = "\n".join(["set -euo pipefail", before, *block.commands, after])
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {name: os.environ[name] for name in ("DOCKER_HOST", "LANG") if name in os.environ}
        environ = {**kept, "PATH": path, "HOME": str(home), "MEDPERF_GIT_HOME": str(home / "state")}
        words = ["bash", "-c", script]
        done = subprocess.run(words, cwd=self.folder, env=environ, capture_output=True, text=True, check=False)
        said = f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == 0, f"{block.page}, {block.person}:\n{script}\n{said}"
        return done.stdout


def commands_named(page: Path) -> Iterator[str]:
    """Yield every `medperf-git …` of a page, from its blocks and its sentences."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        for command in block.commands if block.language in ("console", "sh", "") else []:
            yield from (
                part.strip() for part in re.split(r"&&|\|\|?", command) if part.strip().startswith("medperf-git")
            )
    yield from INLINE.findall(BLOCK.sub("", text))


def check_command(words: str, program: click.Group) -> None:
    """Fail where `medperf-git …` names a command or an option that the program does not have."""
    command: click.Command = program
    context = click.Context(program, info_name="medperf-git")
    tokens = iter(_words(words)[1:])
    for token in tokens:
        if token.startswith(ENDS):
            return
        if token.startswith("-") and token != "-":
            option = _option(command, context, token.partition("=")[0])
            if option.is_flag or option.count or "=" in token:
                continue
            next(tokens, None)
        elif isinstance(command, click.Group):
            inner = command.get_command(context, token)
            if inner is None and not token[0].islower():
                return  # words like COMMAND stand for any
            assert inner is not None, f"`{words}`: there is no command {token}"
            command, context = inner, click.Context(inner, info_name=token, parent=context)


def _option(command: click.Command, context: click.Context, name: str) -> click.Option:
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    for one in options:
        if name in (*one.opts, *one.secondary_opts):
            return one
    raise AssertionError(f"`{context.command_path}` has no option {name}")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that the page leaves open
        return text.split()
