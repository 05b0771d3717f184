#!/usr/bin/env python3
"""Write which characters no record may hold: the table of the reader, and the list of the specification.

python3.11 scripts/refused_characters.py     # writes medperf_git/records/refused_characters.py, registry_spec/…txt

Needs the Unicode 14.0.0 of Python 3.11, since what that version does not assign is refused for ever. It was run once;
the tests compare both files with each other, and with whatever Unicode the Python that runs them has.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Iterable
from pathlib import Path

UNICODE = "14.0.0"
ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "medperf_git" / "records" / "refused_characters.py"
LIST = ROOT / "registry_spec" / "refused-characters.txt"
KEPT = "\t\n\r"
CATEGORIES = {  # what is refused by its category in Unicode 14.0.0
    "Cc": "control characters but tab, line feed and carriage return",
    "Cf": "format characters: joiners, directions, soft hyphens",
    "Zl": "the line separator",
    "Zp": "the paragraph separator",
    "Cs": "surrogates",
    "Co": "private use",
    "Cn": "not assigned in Unicode 14.0.0, noncharacters among them",
}
# What is drawn as nothing: the rest of Default_Ignorable_Code_Point, then characters whose glyph is blank.
BLANK = {
    0x034F: 0x034F,
    0x115F: 0x1160,
    0x17B4: 0x17B5,
    0x180B: 0x180F,
    0x2800: 0x2800,
    0x3164: 0x3164,
    0xFE00: 0xFE0F,
    0xFFA0: 0xFFA0,
    0xFFF0: 0xFFFF,
    0x16FE4: 0x16FE4,
    0x1D159: 0x1D159,
    0xE0000: 0xE0FFF,
}
MODULE = '''\
"""Which characters no record may hold, as inclusive ranges; made by scripts/refused_characters.py, not by hand."""

# Hexadecimal code points, `first-last` or one alone. Fixed for ever: what Unicode {version} does not assign is refused,
# so that whether a text is normalised (NFC) is the same to every version of Unicode, and so of Python.
RANGES = """
{ranges}
"""
'''
HEADER = """\
# The characters that no record may hold: inclusive ranges of code points, hexadecimal. Part of text-form.md.
# Fixed for ever: what Unicode {version} does not assign stays refused when a later version assigns it.
"""


def main() -> int:
    """Write both files."""
    if unicodedata.unidata_version != UNICODE:
        print(f"this Python has Unicode {unicodedata.unidata_version}; run Python 3.11, which has {UNICODE}")
        return 1
    ranges = ranges_of(code for code in range(sys.maxunicode + 1) if is_refused(code))
    short = " ".join(f"{first:X}" if first == last else f"{first:X}-{last:X}" for first, last in ranges)
    lines = textwrap.fill(short, 118, break_on_hyphens=False)
    TABLE.write_text(MODULE.format(version=UNICODE, ranges=lines), encoding="utf-8", newline="\n")
    body = "".join(f"{first:04X}..{last:04X}\n" for first, last in ranges)
    LIST.write_text(HEADER.format(version=UNICODE) + body, encoding="utf-8", newline="\n")
    return 0


def is_refused(code: int) -> bool:
    """Tell whether no record may hold a code point."""
    char = chr(code)
    if char in KEPT:
        return False
    return unicodedata.category(char) in CATEGORIES or any(first <= code <= last for first, last in BLANK.items())


def ranges_of(codes: Iterable[int]) -> list[tuple[int, int]]:
    """Return sorted code points as inclusive ranges."""
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


if __name__ == "__main__":
    sys.exit(main())
