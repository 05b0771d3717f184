"""The one place that prints: text made harmless, tables, JSON, findings.

Names, titles and messages come from other people. A terminal acts on control characters, and a CI log on lines that
start with `::` or hold `##[`; `escape` shows all of them as visible text (threat T25).
"""

import contextlib
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from medperf_git.flows.wording import cell, escape, json_text, render_findings, width

if TYPE_CHECKING:
    from medperf_git.records.findings import Finding


def echo_text(text: str = "", *, err: bool = False, bold: bool = False, fg: str | None = None) -> None:
    """Print `text`, escaped, with a line feed."""
    shown = escape(text)
    click.echo(click.style(shown, bold=bold or None, fg=fg) if bold or fg else shown, err=err)


def say(text: str) -> None:
    """Print one line of progress to the standard error stream; one that has gone stops nothing."""
    with contextlib.suppress(OSError, ValueError):
        echo_text(text, err=True)


def echo_json(value: Any) -> None:
    """Print one JSON document; other than ASCII is escaped."""
    click.echo(json_text(value))


def table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None, *, empty: str = "", err: bool = False
) -> None:
    """Print rows as aligned columns under their names; `empty` stands for no rows."""
    listed = list(rows)
    if not listed:
        echo_text(empty or "nothing here yet", err=err)
        return
    names = list(columns or listed[0])
    cells = [[cell(row.get(name, "")) for name in names] for row in listed]
    widths = [max(width(line[i]) for line in [names, *cells]) for i in range(len(names))]
    click.echo(click.style(_aligned([name.upper() for name in names], widths), bold=True), err=err)
    click.echo("\n".join(_aligned(line, widths) for line in cells), err=err)


def ranking_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], *, keys: int) -> None:
    """Print rows with numbers to the right; on a narrow terminal in parts, each behind the first `keys` columns."""
    names, cells = [cell(name).upper() for name in columns], [[cell(text) for text in row] for row in rows]
    widths = [max(width(line[i]) for line in [names, *cells]) for i in range(len(names))]
    for place, part in enumerate(fold_columns(widths, keys=keys, room=room_here())):
        if place:
            click.echo()
        chosen, to_the_right = [widths[i] for i in part], [right[i] for i in part]
        click.echo(click.style(_aligned([names[i] for i in part], chosen, to_the_right), bold=True))
        for line in cells:
            click.echo(_aligned([line[i] for i in part], chosen, to_the_right))


def fold_columns(widths: Sequence[int], *, keys: int, room: int) -> list[list[int]]:
    """Return which columns stand in each part of a table, so that none is wider than `room` where that can be."""
    first = list(range(min(keys, len(widths))))
    parts, part = [], list(first)
    for column in range(len(first), len(widths)):
        taken = sum(widths[i] for i in [*part, column]) + 2 * len(part)
        if taken > room and len(part) > len(first):
            parts.append(part)
            part = list(first)
        part.append(column)
    return [*parts, part]


def room_here() -> int:
    """Return how many columns the terminal has; what is no terminal has room for everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def echo_wrapped(text: str, *, indent: str = "", hang: str = "") -> None:
    """Print a long text, broken between words to fit the terminal: `indent` before each, `hang` from the second."""
    room = min(room_here(), 100)
    if not sys.stdout.isatty():
        echo_text(indent + text)
        return
    wrapped = textwrap.TextWrapper(room, indent, indent + hang, break_long_words=False, break_on_hyphens=False)
    echo_text(wrapped.fill(text))


def echo_findings(findings: Iterable["Finding"], *, err: bool = False) -> None:
    """Print findings grouped by file, each with what was expected, what came, and how to mend it."""
    for line in render_findings(findings):
        click.echo(line, err=err)


def _aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool] = ()) -> str:
    sides = right or [False] * len(widths)
    return "  ".join(map(_padded, cells, widths, sides)).rstrip()


def _padded(text: str, most: int, to_the_right: bool) -> str:
    blank = " " * (most - width(text))
    return blank + text if to_the_right else text + blank


def print_line(text: str) -> None:
    """Print text that was made harmless by its own grammar: a report, a script."""
    click.echo(text)
