"""Write the pages that are made from the program: every command here, rules and records in `registry_spec/`.

make docs                                # docs/reference/commands.md, registry_spec/{rules,records}.md, SECURITY.md,
                                         # docs/pilots.md
python scripts/make_docs.py --check         # fails when a page is not what the program says
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from medperf_git.cli.main import ALIASES, SECTIONS
from medperf_git.cli.main import main as command_line

SCRIPTS = Path(__file__).resolve().parent
PAGE = SCRIPTS.parent / "docs" / "reference" / "commands.md"
SISTERS = ("rules-docs.py", "schema-docs.py", "threat-docs.py", "pilots-docs.py")
WIDTH = 100
HEAD = """\
<!-- Made by `make docs`; edit the program, not this page. -->

# Every command

`-h` or `--help` after any command prints what stands here. Singular names are canonical; these are accepted too:
{aliases}.

| | |
|---|---|
{sections}

Exit codes: 0 fine, 1 findings (refused), 2 usage, 3 environment (Git, engine, network), 4 a container failed,
5 integrity (not what was signed), 70 an error of this program (with a log file to send), 130 interrupted.
"""


def main() -> int:
    """Write the pages, or compare them; each sister writes one that is named above."""
    check = "--check" in sys.argv[1:]
    flags = ["--check"] if check else []
    failed = [subprocess.run([sys.executable, SCRIPTS / name, *flags], check=False).returncode for name in SISTERS]
    page = render_commands()
    if not check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8", newline="\n")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page:
        print("docs/reference/commands.md is not what the program says: run `make docs`", file=sys.stderr)
        return 1
    return max(failed)


def render_commands() -> str:
    """Return the page of commands: the table of contents, then the help of each."""
    settings = {**command_line.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command_line, info_name="medperf-git", **settings)
    aliases = textwrap.fill(", ".join(f"`{alias}` = `{name}`" for alias, name in sorted(ALIASES.items())), 118)
    sections = "\n".join(f"| {title} | {_names(section)} |" for title, section in SECTIONS.items())
    parts = [HEAD.format(aliases=aliases, sections=sections)]
    for path, text in iter_commands(command_line, context):
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        parts.append(f"## {path}\n\n```text\n{lines}\n```\n")
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


def _names(section: dict[str, str]) -> str:
    return ", ".join(f"[`{name}`](#medperf-git-{name})" for name in section)


if __name__ == "__main__":
    sys.exit(main())
