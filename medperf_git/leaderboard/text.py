"""Numbers and lists as a reader sees them.

Rules kept here: no locale, no clock; a number is rounded from its shortest decimal form, half to even; a true
minus sign; a range with an en dash.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

NOTHING = "\N{EN DASH}"
_SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def fixed(number: float | None, decimals: int) -> str:
    """Write a number with exactly `decimals` decimals."""
    return NOTHING if number is None or math.isnan(number) else _fixed(float(number), decimals)


@lru_cache(maxsize=8192)  # what sites publish is rounded, so the same numbers come again
def _fixed(number: float, decimals: int) -> str:
    step = Decimal(1).scaleb(-decimals)
    rounded = Decimal(repr(round(number, 12))).quantize(step, rounding=ROUND_HALF_EVEN)
    return f"{abs(rounded):f}" if rounded == 0 else f"{rounded:f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    """Write a share as whole percent; what is not quite all or nothing does not read so."""
    if 0 < share < 0.005:
        return "under 1\N{NO-BREAK SPACE}%"
    if 0.995 <= share < 1:
        return "over 99\N{NO-BREAK SPACE}%"
    return f"{fixed(100 * share, 0)}\N{NO-BREAK SPACE}%"


def whole(number: float) -> str:
    """Write a whole number with thin spaces between thousands."""
    return f"{int(number):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def word(number: int) -> str:
    """Write a small number as a word."""
    return _SMALL[number] if number < len(_SMALL) else whole(number)


def some(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: `1 site`, `3 sites`."""
    return f"{whole(number)} {one if number == 1 else many or one + 's'}"


def span(low: str, high: str) -> str:
    """Write a range, or one value where both ends are the same."""
    return low if low == high else f"{low}{NOTHING}{high}"


def listing(names: Sequence[str], *, most: int = 4) -> str:
    """Write `a, b and c`, and `a, b, c and 5 more` for long lists."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
