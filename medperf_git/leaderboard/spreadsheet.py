"""Rows → a CSV file that no spreadsheet takes for formulas.

Rules kept here: text that a spreadsheet could read as a formula starts with an apostrophe, also behind a semicolon,
at which one set to German or French splits cells; numbers stay numbers; what is absent is an empty cell.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_FORMULA = tuple(
    "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_INSIDE = re.compile(rf'((?:[;|]|(?!\A)\t)[\s"]*)(?=[{re.escape("".join(_FORMULA))}])')
CellText = str | int | float | bool | None


def safe_cell(value: CellText) -> str | int | float:
    """Make one CSV cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _safe_text(value) if isinstance(value, str) else value


@lru_cache(maxsize=8192)  # the same words stand in many lines
def _safe_text(value: str) -> str:
    value = _INSIDE.sub(r"\1'", value)
    if value[:1] in ("\t", "\r", "\n") or value.lstrip()[:1] in _FORMULA:
        return "'" + value
    return value


def render_csv(columns: Sequence[str], rows: Iterable[Sequence[CellText]]) -> bytes:
    """Write a CSV file, UTF-8, LF."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_safe_text(cell) if type(cell) is str else safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
