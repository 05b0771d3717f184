"""What text a record may hold: no refused character, and in Unicode normalisation form NFC.

The refused characters are fixed ranges, everything that Unicode 14.0.0 does not assign among them: normalisation is
stable for assigned characters, so the verdict is the same to every Python.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import cache

from medperf_git.records.refused_characters import RANGES

# White space of Unicode 14.0.0 but line ends and tab; fixed, as the refused characters are.
SPACES = " \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_BOUNDS = [
    (int(first, 16), int(last or first, 16)) for first, _, last in (part.partition("-") for part in RANGES.split())
]
_STARTS = [first for first, _ in _BOUNDS]
_AS_ESCAPED = str.maketrans("\n\r\t", "nrt")  # the letters that stand before what follows, once escaped
_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def text_fault(text: str) -> str:
    """Say what no record may contain in a string, or return an empty string."""
    if match := (_in_ascii() if text.isascii() else _in_basic_plane()).search(text):
        return _refusal(match.group())
    if text.isascii():
        return ""
    # A regular expression looks at the ranges beyond the basic plane one by one; here each character is looked up once.
    if refused := next((char for char in dict.fromkeys(_BEYOND.findall(text)) if is_refused(char)), ""):
        return _refusal(refused)
    if not unicodedata.is_normalized("NFC", text):
        return "the text is not in Unicode normalisation form NFC"
    if not unicodedata.is_normalized("NFC", text.translate(_AS_ESCAPED)):
        return "a combining mark follows a line feed, carriage return or tab, whose escape would take it"
    return ""


def is_refused(char: str) -> bool:
    """Tell whether no record may hold a character."""
    found = bisect_right(_STARTS, ord(char)) - 1
    return found >= 0 and ord(char) <= _BOUNDS[found][1]


def _refusal(char: str) -> str:
    return f"character U+{ord(char):04X} is not allowed"


@cache
def _in_ascii() -> re.Pattern[str]:
    return _class_below(0x7F)


@cache
def _in_basic_plane() -> re.Pattern[str]:
    return _class_below(0xFFFF)


def _class_below(limit: int) -> re.Pattern[str]:
    parts = [f"{chr(first)}-{chr(min(last, limit))}" for first, last in _BOUNDS if first <= limit]
    return re.compile(f"[{''.join(parts)}]")
