"""Text for people out of what others wrote: harmless on a terminal and in a CI log (threat T25).

A terminal acts on control characters, and a CI log on lines that start with `::` or hold `##[`; all of them are
shown as visible text.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator

from medperf_git.records.findings import Finding, Severity

# C0 but line feed, DEL and C1; soft hyphen; format, direction and invisible characters; line separators; surrogates;
# byte order mark, interlinear marks, noncharacters; tags and variation selectors beyond the basic plane.
_HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff0-\uffff\U000e0000-\U000e0fff]"
)
_STACKED = re.compile("[\u0300-\u036f\u0488\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3,}")
_COMMAND_START = re.compile(r"^(\s*):(?=:)", re.MULTILINE)
_MARKS = {Severity.ERROR: "✗", Severity.NEEDS_PERSON: "…", Severity.WARNING: "!"}


def visible(text: str) -> str:
    """Return `text` with every character that something would act upon as a visible escape; keeps line feeds."""
    return _HARMFUL.sub(_as_escape, text)


def escape(text: str) -> str:
    """Return `text` with nothing in it that a terminal or a CI log would act upon; keeps line feeds."""
    if text.isascii() and text.isprintable() and "::" not in text and "##[" not in text:
        return text  # most cells of a long table
    return _COMMAND_START.sub(r"\1\\:", visible(text)).replace("##[", "#\\#[")


def json_text(value: object) -> str:
    """Return a value as one JSON document in ASCII, with nothing in it that a CI log would act upon."""
    return json.dumps(value, indent=2, ensure_ascii=True, default=str).replace("##[", "\\u0023#[")


def one_line(value: object) -> str:
    """Return a value as text on one line."""
    return str(value).replace("\n", " ")


def cell(value: object) -> str:
    """Return a value as one cell of a table: one line, escaped, nothing stacked onto the lines around it."""
    return _STACKED.sub(lambda match: match.group()[:2], escape(one_line(value)))


def cut(text: str, most: int) -> str:
    """Return text of at most `most` columns; what is left out is told by an ellipsis."""
    if width(text) <= most:
        return text
    while width(text) > most - 1:
        text = text[: most - 1] if len(text) > most else text[:-1]
    return text + "…"


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def by_file(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Group findings by the file they are about, in the order in which files first come."""
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.path, []).append(finding)
    return grouped


def render_findings(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield lines, escaped: each file, and under it what was expected, what came, and how to mend it."""
    for path, group in by_file(findings).items():
        yield escape(path or "the proposal as a whole")
        for finding in group:
            yield from map(escape, _finding_lines(finding))


def _finding_lines(finding: Finding) -> Iterator[str]:
    where = f"line {finding.line}: " if finding.line else ""
    yield f"  {_MARKS[finding.severity]} {where}{one_line(finding.message)} [{finding.rule}]"
    for name, value in (("expected", finding.expected), ("got", finding.got), ("fix", finding.fix)):
        if value:
            yield f"      {name}: {one_line(value)}"


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


def _as_escape(match: re.Match[str]) -> str:
    point = ord(match.group())
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
