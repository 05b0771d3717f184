"""Which statistics of a dataset a site may publish: a closed list of kinds, none of which shows a single patient.

A name says its kind as its first or last part: `num_cases`, `mean_age`, `age_sd`. Counts below a smallest one are
kept back (as in the small-cell rules of statistical offices), and digits beyond three decimals.
"""

import re
from decimal import Decimal

from medperf_git.records.canonical import format_number
from medperf_git.records.models import Number

KINDS = ("num", "count", "share", "mean", "sd", "median")
SMALLEST_COUNT = 10
MOST_DECIMALS = 3

_KIND = re.compile(rf"(?:({'|'.join(KINDS)})_.+|.+_({'|'.join(KINDS)}))")


def statistic_fault(name: str, number: Number, *, least: int = SMALLEST_COUNT) -> tuple[str, str] | None:
    """Return what is wrong with publishing a statistic and what to do, None when nothing is."""
    match = _KIND.fullmatch(name)
    if match is None:
        message = f"{name!r} is none of the kinds that may be published: {', '.join(KINDS)}"
        return message, "leave it out; the smallest, the largest and single values show single patients"
    kind = match.group(1) or match.group(2)
    if kind in ("num", "count"):
        if not isinstance(number, int) or number < 0:
            return f"{name!r} is no number of cases", "write a whole number, 0 or more"
        if 0 < number < least:
            return f"{name!r} counts fewer than {least}", "leave it out; few cases can be recognised"
    if len(format_number(Decimal(number)).partition(".")[2]) > MOST_DECIMALS:
        return f"{name!r} has more than {MOST_DECIMALS} decimals", f"round it to {MOST_DECIMALS} decimals"
    return None
