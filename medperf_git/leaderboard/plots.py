"""Coordinates of the small plots in a page; the template draws them as SVG.

Rules kept here: every row of a table shares one scale; coordinates have one decimal, so bytes do not depend on
the machine.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from medperf_git.leaderboard.text import fixed

WIDTH = 240
MARGIN = 14
TALL = 14  # rows: a longer table scrolls below its headings
SITES_APART = 12  # up to so many sites a strip has a named dot for each, from there on fine strokes


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis and its number."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale in pixels with a few round ticks."""

    low: float
    high: float
    ticks: tuple[Tick, ...]
    width: int = WIDTH

    def at(self, value: float) -> str:
        """Give the pixel of a value."""
        return _place(value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Dot:
    """One site's value."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One model's row: a dot or a fine stroke per site, a bar for interval or range, a mark at the score."""

    id: str
    title: str
    description: str
    dots: tuple[Dot, ...]
    bar: tuple[str, str] | None
    mark: str
    sampled: bool
    grid: tuple[str, ...]
    strokes: str = ""
    width: int = WIDTH


def strokes_at(places: Iterable[str]) -> str:
    """Draw one short upright stroke at each place, as the path of an SVG; strokes on top of each other once."""
    return "".join(f"M{x} 9v8" for x in sorted(set(places), key=float))


def scale_for(values: Iterable[float]) -> Scale | None:
    """Find a scale that holds all values; None where there are none."""
    numbers = list(values)
    if not numbers:
        return None
    low, high = min(numbers), max(numbers)
    if low == high:
        low, high = low - abs(low or 1) * 0.05, high + abs(high or 1) * 0.05
    ends = low - (high - low) * 0.03, high + (high - low) * 0.03
    step = _round_step((high - low) / 5)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    places = range(math.ceil(ends[0] / step), math.floor(ends[1] / step) + 1)
    return Scale(*ends, tuple(Tick(_place(k * step, *ends), fixed(k * step, decimals)) for k in places))


def _round_step(wish: float) -> float:
    """Give the 1, 2 or 5 times a power of ten that is at least the wish."""
    power = 10.0 ** math.floor(math.log10(wish))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= wish * (1 - 1e-9))


def _place(value: float, low: float, high: float) -> str:
    return f"{MARGIN + (WIDTH - 2 * MARGIN) * (value - low) / (high - low):.1f}"


def level_of(value: float, low: float, high: float, *, higher_is_better: bool) -> int:
    """Give the heat-map step from 0 (worst shown) to 6 (best shown); 3 where all are equal."""
    if low == high:
        return 3
    share = (value - low) / (high - low)
    return min(6, int(7 * (share if higher_is_better else 1 - share) + 1e-9))
