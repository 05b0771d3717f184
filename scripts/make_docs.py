"""Write the pages that are made from the program: the rules of the judge, and every command.

make docs                                   # writes docs/reference/*.md
python scripts/make_docs.py --check         # fails when a page is not what the program says
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from medperf_git.cli.main import main as command_line
from medperf_git.policy.rules import RULES

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
NOTE = "<!-- Made by `make docs`; edit the program, not this page. -->\n"
WIDTH = 100


def render_rules() -> str:
    """Return the page of rules, in the order in which the judge asks them."""
    parts = [
        NOTE,
        "# What the judge asks\n",
        "Every change is held against these rules; all findings are shown at once.\n",
    ]
    parts += [f"## {rule.title}\n\n`{rule.id}`. {rule.why}\n\nWhat to do: {rule.fix}\n" for rule in RULES]
    return "\n".join(parts)


def iter_commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yield the path and the help of a command and of every command below it."""
    yield context.command_path, command.get_help(context)
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            child = click.Context(inner, info_name=name, parent=context, terminal_width=WIDTH, max_content_width=WIDTH)
            yield from iter_commands(inner, child)


def render_commands() -> str:
    """Return the page of commands: the help of each."""
    context = click.Context(command_line, info_name="medperf-git", terminal_width=WIDTH, max_content_width=WIDTH)
    parts = [NOTE, "# Every command\n"]
    for path, text in iter_commands(command_line, context):
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        parts.append(f"## {path}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the pages, or compare them."""
    pages = {"rules.md": render_rules(), "commands.md": render_commands()}
    stale = [name for name, text in pages.items() if read(REFERENCE / name) != text]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/reference/{name} is not what the program says: run `make docs`", file=sys.stderr)
        return int(bool(stale))
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).write_text(pages[name], encoding="utf-8", newline="\n")
        print(f"docs/reference/{name} written")
    return 0


def read(path: Path) -> str:
    """Return a page, or nothing where there is none yet."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
