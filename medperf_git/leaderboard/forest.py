"""A forest plot: one model's value at every site, with the spread that each site published, and the mean below.

Rules kept here: a site's interval is that of its mean (Student's t, from its sd and n), so it is there only where
the metric is a mean over cases and the site published both; a square's area follows the number of cases; no site is
left out in silence; coordinates have one decimal.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Score
from medperf_git.leaderboard.tables import Cell, MetricInfo, Subject
from medperf_git.leaderboard.text import NOTHING, fixed, some
from medperf_git.leaderboard.widths import clip

MOST_SITES = 40  # rows in one picture; more are the best and the worst half of it
WIDTH, ROW, TOP = 680, 22, 26
COUNT, LEFT, RIGHT = 236, 252, 520
_SIZE = 12
_NAME_ROOM = 190


@dataclass(frozen=True, slots=True)
class Spot:
    """What one site says: a value with the interval of its mean, or why there is none."""

    site: Subject
    cell: Cell
    value: float | None
    low: float | None
    high: float | None
    n: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the picture, in pixels: `square` is (x, y, side), `span` the ends of the interval."""

    y: str
    text_y: str
    name: str
    n: str
    value: str
    square: tuple[str, str, str]
    span: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Foot:
    """A row below the sites: `diamond` holds the points of an interval, `span` the ends of a wider one."""

    y: str
    text_y: str
    name: str
    value: str
    diamond: str
    span: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A model's random effects over sites: the mean with its interval, and what another site may show."""

    mean: float
    low: float
    high: float
    next_low: float
    next_high: float


@dataclass(frozen=True, slots=True)
class Forest:
    """Everything the template draws; `mean` is the x of the mean over sites."""

    id: str
    title: str
    description: str
    metric: str
    note: str
    height: int
    axis_y: str
    ticks: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    mean: str
    feet: tuple[Foot, ...]


def picked(values: NDArray[np.float64], *, higher: bool) -> tuple[list[int], str]:
    """Choose the sites to draw: all that have a value, or the best and the worst where those are too many.

    Returns their places, in the order of the sites, and a sentence that says what was left out.
    """
    there = np.flatnonzero(~np.isnan(values))
    if len(there) <= MOST_SITES:
        return there.tolist(), ""
    merit = np.round(values[there] * (-1 if higher else 1), 12)
    order, half = there[np.argsort(merit, kind="stable")], MOST_SITES // 2
    kept = sorted([*order[:half].tolist(), *order[-half:].tolist()])
    return (
        kept,
        f"Drawn are the {half} best and the {half} worst of {some(len(there), 'site')}: more would not be read.",
    )


def spot_of(metric: MetricInfo, site: Subject, cell: Cell) -> Spot:
    """Say what one site says of a metric."""
    measured = cell.measured(metric.id)
    if measured is None or measured.value is None:
        return Spot(site, cell, None, None, None, None)
    low = high = None
    if metric.reduction == "mean" and measured.sd is not None and measured.n is not None and measured.n > 1:
        half = _student(measured.n - 1) * measured.sd / math.sqrt(measured.n)
        low, high = round(measured.value - half, 12), round(measured.value + half, 12)
    return Spot(site, cell, measured.value, low, high, measured.n)


@lru_cache(maxsize=4096)
def _student(freedom: int) -> float:
    """Give the 97.5 % quantile of Student's t."""
    return float(stdtrit(freedom, 0.975))


def draw(
    name: str, model: str, score: Score, shown: Sequence[Spot], *, pool: Pool | None = None, note: str = ""
) -> Forest | None:
    """Lay out the plot of a model in one metric over sites with a counted value; None where there are none."""
    if not shown:
        return None
    interval = score.interval if isinstance(score.interval, un.Interval) else None
    middle = interval.mean if interval else score.value
    ends = [x for spot in shown for x in (spot.value, spot.low, spot.high) if x is not None]
    ends += [interval.low, interval.high] if interval else []
    ends += [x for x in (pool.low, pool.high, pool.next_low, pool.next_high) if not math.isnan(x)] if pool else []
    scale = _Scale.over([*ends, *([] if middle is None else [middle])])
    most = max((spot.n or 0 for spot in shown), default=0)
    lines = tuple(_line(spot, row, score.metric, scale, most) for row, spot in enumerate(shown))
    feet = [_foot(score, interval, middle, scale, TOP + ROW * len(lines) + ROW / 2)]
    feet += [_pooled(score.metric, pool, scale, TOP + ROW * (len(lines) + 1) + ROW / 2)] if pool else []
    bottom = TOP + ROW * (len(lines) + len(feet))
    return Forest(
        id=name,
        title=f"{score.metric.title} of {model} at {some(len(shown), 'site')}",
        description=_description(shown, score, interval),
        metric=score.metric.title,
        note=note,
        height=round(bottom + 30),
        axis_y=f"{bottom + 4:.1f}",
        ticks=scale.ticks(),
        lines=lines,
        mean="" if middle is None else scale.at(middle),
        feet=tuple(feet),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float

    @classmethod
    def over(cls, values: Sequence[float]) -> "_Scale":
        low, high = min(values), max(values)
        if low == high:
            low, high = low - abs(low or 1) * 0.05, high + abs(high or 1) * 0.05
        edge = (high - low) * 0.04
        return cls(low - edge, high + edge)

    def at(self, value: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * (value - self.low) / (self.high - self.low):.1f}"

    def ticks(self) -> tuple[tuple[str, str], ...]:
        """Give four to six round numbers and their places."""
        wish = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(wish))
        step = next(k * power for k in (1, 2, 5, 10) if k * power >= wish * (1 - 1e-9))
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        places = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return tuple((self.at(k * step), fixed(k * step, decimals)) for k in places)


def _line(spot: Spot, row: int, metric: MetricInfo, scale: _Scale, most: int) -> Line:
    y = TOP + ROW * row + ROW / 2
    value = spot.value if spot.value is not None else math.nan
    side = 4 + (5 * math.sqrt(spot.n / most) if spot.n and most else 1)
    place = float(scale.at(value))
    span = None
    if spot.low is not None and spot.high is not None:
        span = scale.at(spot.low), scale.at(spot.high)
    partial = " (partial)" if str(spot.cell.state) == "partial" else ""
    return Line(
        y=f"{y:.1f}",
        text_y=f"{y + 4:.1f}",
        name=clip(spot.site.title + partial, _SIZE, _NAME_ROOM),
        n=NOTHING if spot.n is None else str(spot.n),
        value=_value(value, spot.low, spot.high, metric.decimals),
        square=(f"{place - side / 2:.1f}", f"{y - side / 2:.1f}", f"{side:.1f}"),
        span=span,
    )


def _value(value: float, low: float | None, high: float | None, decimals: int) -> str:
    text = fixed(value, decimals)
    return text if low is None or high is None else f"{text} [{fixed(low, decimals)}; {fixed(high, decimals)}]"


def _foot(score: Score, interval: un.Interval | None, middle: float | None, scale: _Scale, y: float) -> Foot:
    """Give the row of the plain mean over sites."""
    decimals = score.metric.decimals
    several = interval if interval and interval.sites > 1 else None
    low, high = (several.low, several.high) if several else (None, None)
    value = NOTHING if middle is None else _value(middle, low, high, decimals)
    name = f"Mean, {_kind(several)}" if several else "Mean of its sites"
    diamond = _diamond(scale, several.low, several.mean, several.high, y) if several else ""
    return Foot(f"{y:.1f}", f"{y + 4:.1f}", name, value, diamond)


def _pooled(metric: MetricInfo, pool: Pool, scale: _Scale, y: float) -> Foot:
    """Give the row of random effects; its line is where another site may lie."""
    value = _value(pool.mean, pool.low, pool.high, metric.decimals)
    reach = None if math.isnan(pool.next_low) else (scale.at(pool.next_low), scale.at(pool.next_high))
    diamond = _diamond(scale, pool.low, pool.mean, pool.high, y)
    return Foot(f"{y:.1f}", f"{y + 4:.1f}", "Random effects, and the next site", value, diamond, reach)


def _diamond(scale: _Scale, low: float, middle: float, high: float, y: float) -> str:
    left, centre, right = (scale.at(x) for x in (low, middle, high))
    return f"{left},{y:.1f} {centre},{y - 6:.1f} {right},{y:.1f} {centre},{y + 6:.1f}"


def _kind(interval: un.Interval) -> str:
    """Name what the diamond spans."""
    return "range over sites" if interval.is_range else "95 % interval over sites"


def _description(shown: Sequence[Spot], score: Score, interval: un.Interval | None) -> str:
    decimals = score.metric.decimals
    order = sorted(shown, key=lambda spot: (spot.value or 0.0, spot.site.ref))
    low, high = order[0], order[-1]
    told = (
        f"From {fixed(low.value, decimals)} at {low.site.title} to {fixed(high.value, decimals)} at {high.site.title}"
    )
    if interval is not None and interval.sites > 1:
        ends = f"{fixed(interval.low, decimals)} to {fixed(interval.high, decimals)}"
        told += f"; mean {fixed(interval.mean, decimals)}, {_kind(interval)} {ends}"
    return f"{told}. The table below says the same."
