"""The one place that prints: text made harmless, tables, JSON, findings.

Names, titles and messages come from other people. A terminal acts on control characters, and a CI log on lines that
start with `::` or hold `##[`; `escape` shows all of them as visible text (threat T25).
"""

import contextlib
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


def echo_findings(findings: Iterable["Finding"], *, err: bool = False) -> None:
    """Print findings grouped by file, each with what was expected, what came, and how to mend it."""
    for line in render_findings(findings):
        click.echo(line, err=err)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (text + " " * (most - width(text)) for text, most in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def print_line(text: str) -> None:
    """Print text that was made harmless by its own grammar: a report, a script."""
    click.echo(text)
