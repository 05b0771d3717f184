"""What a preparator counted, and what of it could be published: by default the number of cases and nothing else."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from medperf_git.flows.prepared import Prepared
from medperf_git.records.models import Number
from medperf_git.records.statistics import MOST_DECIMALS, SMALLEST_COUNT, statistic_fault
from medperf_git.runner.reduce import record_number


def statistics_rows(prepared: Prepared) -> list[dict[str, Any]]:
    """Return one line for each number: its name, value, whether it is published, may be, or never may."""
    least = max(prepared.words.get("min_cases") or 1, SMALLEST_COUNT)
    return [
        {"statistic": name, "value": str(number), "published": _published(prepared, name, number, least)}
        for name, number in prepared.statistics.items()
    ]


def statistics_lines(prepared: Prepared) -> Iterator[str]:
    """Say what would be published, and by which limits the rest stays."""
    site = prepared.words.get("min_cases")
    least = max(site or 1, SMALLEST_COUNT)
    by_whom = "your own limit" if site and site > SMALLEST_COUNT else "a rule of every registry"
    yield "registering it publishes the number of cases, and of these only what you choose:"
    for row in statistics_rows(prepared):
        yield f"  {row['statistic']}: {row['value']} ({row['published']})"
    yield f"a count under {least} is never published ({by_whom}), nor a smallest, largest or single value"
    yield f"what is published has at most {MOST_DECIMALS} decimals"


def published_value(number: Number) -> Number:
    """Return a statistic with as many decimals as may be published."""
    return number if isinstance(number, int) else record_number(Decimal(number), MOST_DECIMALS)


def _published(prepared: Prepared, name: str, number: Number, least: int) -> str:
    fault = statistic_fault(name, published_value(number), least=least)
    if name in prepared.published:
        return "published" if fault is None else f"chosen, and refused: {fault[0]}"
    return f"stays here; --publish {name}" if fault is None else f"stays here: {fault[0]}"
