"""The one place that prints: text made harmless, tables, JSON, findings.

Names, titles and messages come from other people. A terminal acts on control characters, and a CI log on lines that
start with `::` or hold `##[`; `escape` shows all of them as visible text (threat T25).
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from medperf_git.flows.wording import by_file, escape, one_line, render_findings, visible

if TYPE_CHECKING:
    from medperf_git.records.findings import Finding


def echo_text(text: str = "", *, err: bool = False, bold: bool = False, fg: str | None = None) -> None:
    """Print `text`, escaped, with a line feed."""
    shown = escape(text)
    click.echo(click.style(shown, bold=bold or None, fg=fg) if bold or fg else shown, err=err)


def say(text: str) -> None:
    """Print one line of progress to the standard error stream."""
    echo_text(text, err=True)


def echo_json(value: Any) -> None:
    """Print one JSON document; other than ASCII is escaped."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, default=str))


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None, *, empty: str = "") -> None:
    """Print rows as aligned columns under their names; `empty` stands for no rows."""
    listed = list(rows)
    if not listed:
        echo_text(empty or "nothing here yet")
        return
    names = list(columns or listed[0])
    cells = [[escape(one_line(row.get(name, ""))) for name in names] for row in listed]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    click.echo(click.style(_aligned([name.upper() for name in names], widths), bold=True))
    for line in cells:
        echo_text(_aligned(line, widths))


def echo_findings(findings: Iterable["Finding"], *, err: bool = False) -> None:
    """Print findings grouped by file, each with what was expected, what came, and how to mend it."""
    for line in render_findings(findings):
        click.echo(line, err=err)


def annotation(finding: "Finding") -> str:
    """Return a finding as a GitHub annotation, its values escaped as the workflow commands' grammar says."""
    level = "error" if finding.severity == "error" else "warning"
    parts = {"file": finding.path, "line": str(finding.line) if finding.line else "", "title": finding.rule}
    properties = ",".join(f"{key}={_property(value)}" for key, value in parts.items() if value)
    told = f"{finding.message}{_expected(finding)}{f' Fix: {finding.fix}' if finding.fix else ''}"
    return f"::{level} {properties}::{_data(told)}"


def is_terminal() -> bool:
    """Tell whether a person reads the error stream, so that progress may be redrawn."""
    return sys.stderr.isatty()


def _expected(finding: "Finding") -> str:
    told = [f"{name} {value}" for name, value in (("expected", finding.expected), ("got", finding.got)) if value]
    return f" ({', '.join(told)})" if told else ""


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def print_line(text: str) -> None:
    """Print a line that was made harmless by its own grammar: an annotation, a script."""
    click.echo(text)


def echo_markdown(findings: Iterable["Finding"], *, title: str) -> None:
    """Print findings as a Markdown list, grouped by file; what others wrote stands in code spans."""
    echo_text(f"### {title}")
    for path, group in by_file(findings).items():
        echo_text(f"\n**{_code(path or 'the proposal as a whole')}**\n")
        for finding in group:
            where = f"line {finding.line}: " if finding.line else ""
            fix = f" — fix: {_code(finding.fix)}" if finding.fix else ""
            echo_text(f"- {where}{_code(finding.message)} ({finding.rule}){_spans(finding)}{fix}")


def _spans(finding: "Finding") -> str:
    pairs = (("expected", finding.expected), ("got", finding.got))
    return "".join(f"; {name} {_code(value)}" for name, value in pairs if value)


def _code(text: str) -> str:
    return "`" + one_line(text).replace("`", "'") + "`"
