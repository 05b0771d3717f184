"""How a result stands among those that are there: its place, its interval, whether it is an outlier or a copy.

Rules kept here: places, scores and intervals are those of the benchmark's page, by the same code; an outlier is a
value whose robust z exceeds `OUTLYING` in size, and nothing is said about fewer than `FEWEST` values; what cannot be
told is a reason. Nothing here judges: it compares a tree before a change with the tree after it.

compare_results(before, after, ["results/ana/breast/1/north.tumours.1/ben.forest.1/0001.yaml"])
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import median_abs_deviation

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import rank_table, why_unranked
from medperf_git.leaderboard.basis import Basis, basis_of
from medperf_git.leaderboard.intervals_of import interval_of
from medperf_git.leaderboard.reading import benchmark_of, count_results
from medperf_git.leaderboard.sides import Tables
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, Hidden, Measured, MetricInfo, ResultEntry
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView

OUTLYING = 3.5  # Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993)
FEWEST = 5
DIGITS = 6
MOST_RESULTS = 30_000  # of one benchmark: what half a minute reads, before and after


@dataclass(frozen=True, slots=True)
class Place:
    """A place among `of` models, the smallest where several share it; `shared` counts the others there."""

    rank: int
    of: int
    shared: int = 0


@dataclass(frozen=True, slots=True)
class RobustZ:
    """How far a value lies from the median of `values` values, itself among them, in scaled MADs."""

    z: float
    values: int

    @property
    def outlying(self) -> bool:
        """Whether the rule calls it an outlier."""
        return abs(self.z) > OUTLYING


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One ranking metric: the value here and the one it replaces, its place here, the score over the sites."""

    metric: MetricInfo
    value: float | None
    earlier: float | None
    place: Place | un.Undefined
    among_models: RobustZ | un.Undefined
    among_sites: RobustZ | un.Undefined
    score: float | None
    interval: un.Interval | un.Undefined


@dataclass(frozen=True, slots=True)
class Twin:
    """Another model whose values at this site are the same; `same_image` tells whether its container is too."""

    model: Ref
    same_image: bool


@dataclass(frozen=True, slots=True)
class ResultComparison:
    """One result beside the others of its benchmark; `counted` are the sites on which the overall place rests."""

    result: ResultEntry
    replaces: str
    metrics: tuple[MetricComparison, ...]
    overall: Place | un.Undefined
    overall_before: Place | un.Undefined
    counted: int
    twins: tuple[Twin, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and which results were not, with the reason."""

    results: tuple[ResultComparison, ...]
    left: tuple[Hidden, ...]

    def as_value(self) -> dict[str, Any]:
        """Return plain values for JSON; what cannot be told is `{"unknown": reason}`."""
        left = [{"path": one.path, "reason": one.reason} for one in self.left]
        return {"results": [_result_value(one) for one in self.results], "left": left}


def compare_results(
    before: RecordView, after: RecordView, paths: Iterable[str], tables: Tables | None = None
) -> Comparison:
    """Compare the results at `paths` in the tree after with those of their benchmarks; reads no other benchmark.

    `tables` of the same two trees, where there are any, spare reading twice.
    """
    known = tables or Tables(before, after)
    found: list[ResultComparison] = []
    left: list[Hidden] = []
    by_benchmark: dict[Ref, list[str]] = {}
    for path in sorted(paths):
        if (benchmark := benchmark_of(path)) is not None:
            by_benchmark.setdefault(benchmark, []).append(path)
    for benchmark, there in by_benchmark.items():
        if (number := count_results(after, benchmark)) > MOST_RESULTS:
            reason = f"the benchmark has {number} results, and at most {MOST_RESULTS} are compared here"
            left += [Hidden(path, reason) for path in there]
        elif (table := known.later(benchmark)) is None:
            left += [Hidden(path, f"the benchmark {benchmark} cannot be read") for path in there]
        else:
            pair = _Pair.of(known.earlier(benchmark), table)
            for path in there:
                one = pair.compare(path)
                found += [one] if isinstance(one, ResultComparison) else []
                left += [one] if isinstance(one, Hidden) else []
    return Comparison(tuple(found), tuple(left))


@dataclass(frozen=True, slots=True)
class _Pair:
    """One benchmark after a change, and its ranking before and after."""

    table: BenchmarkTable
    basis: Basis
    before: rk.Ranking | un.Undefined
    after: rk.Ranking | un.Undefined

    @classmethod
    def of(cls, before: BenchmarkTable | None, after: BenchmarkTable) -> "_Pair":
        """Rank both."""
        ranked = rank_table(before) if before else un.Undefined("the benchmark is new")
        return cls(after, basis_of(after, after.ranking.metrics), ranked, rank_table(after))

    def compare(self, path: str) -> ResultComparison | Hidden:
        """Compare the result at a path."""
        cell = next((one for one in self.table.cells.values() if one.result and one.result.source.path == path), None)
        if cell is None or cell.result is None:
            hidden = next((one for one in self.table.hidden if one.path == path), None)
            return hidden or Hidden(path, "it cannot be read")
        earlier = cell.earlier[-1] if cell.earlier else None
        name = str(cell.model)
        counted = self.after.counted.grid.sites if isinstance(self.after, rk.Ranking) else ()
        return ResultComparison(
            result=cell.result,
            replaces=earlier.source.id if earlier else "",
            metrics=tuple(self._metric(k, cell, earlier) for k in range(len(self.basis.grid.metrics))),
            overall=_place_of(self.after, name),
            overall_before=_place_of(self.before, name),
            counted=len(counted),
            twins=tuple(_iter_twins(self.table, cell.result)),
        )

    def _metric(self, k: int, cell: Cell, earlier: ResultEntry | None) -> MetricComparison:
        grid, name = self.basis.grid, str(cell.model)
        metric = self.table.metric(grid.metrics[k].id)
        row, column = grid.models.index(name), grid.sites.index(str(cell.dataset))
        here, there = grid.values[k, :, column], grid.values[k, row, :]
        ranked = isinstance(self.after, rk.Ranking) and name in self.after.counted.grid.models
        score = None
        if isinstance(self.after, rk.Ranking) and ranked:
            at_all = float(self.after.scores[k, self.after.counted.grid.models.index(name)])
            score = None if np.isnan(at_all) else at_all
        return MetricComparison(
            metric=metric,
            value=_value(cell.result, metric.id),
            earlier=_value(earlier, metric.id),
            place=place_at(here, row, higher_is_better=metric.higher_is_better),
            among_models=robust_z(here, row),
            among_sites=robust_z(there, column),
            score=score,
            interval=interval_of(self.basis, k, row, self.after),
        )


def place_at(values: rk.Floats, at: int, *, higher_is_better: bool) -> Place | un.Undefined:
    """Rank the value `at` among all that are no gap; ties share the smallest place."""
    there = ~np.isnan(values)
    if not there[at]:
        return un.Undefined("there is no value that counts")
    ranks = rk.smallest_ranks(values[there] if higher_is_better else -values[there])
    rank = int(ranks[int(there[:at].sum())])
    return Place(rank, int(there.sum()), int((ranks == rank).sum()) - 1)


def robust_z(values: rk.Floats, at: int) -> RobustZ | un.Undefined:
    """Give (x - median) / (1.4826 MAD) of the value `at`, over all that are no gap; larger in size is further away."""
    there = np.round(values[~np.isnan(values)], rk.DECIMALS)
    if np.isnan(values[at]):
        return un.Undefined("there is no value that counts")
    if len(there) < FEWEST:
        return un.Undefined(f"too few to say: {len(there)} of the {FEWEST} values that the rule needs")
    away = float(np.round(values[at], rk.DECIMALS) - np.median(there))
    spread = float(median_abs_deviation(there, scale="normal"))
    if spread > 0:
        return RobustZ(away / spread, len(there))
    if away == 0:
        return RobustZ(0.0, len(there))
    return un.Undefined("cannot be told: half of the values or more are the same, and this one is another")


def _place_of(ranking: rk.Ranking | un.Undefined, model: str) -> Place | un.Undefined:
    if isinstance(ranking, un.Undefined):
        return ranking
    rank = ranking.rank_of(model)
    if rank is None:
        return un.Undefined(why_unranked(ranking, model))
    return Place(rank, len(ranking.ranks), ranking.ranks.count(rank) - 1)


def _iter_twins(table: BenchmarkTable, result: ResultEntry) -> Iterator[Twin]:
    own = _digits(result.values)
    if not any(own.values()):
        return
    for model in table.models:
        other = table.cells[model.ref, result.dataset].result
        if other is not None and model.ref != result.model and _digits(other.values) == own:
            yield Twin(model.ref, other.images["model"] == result.images["model"])


def _digits(values: Mapping[str, Measured]) -> dict[str, str]:
    """Write each value with `DIGITS` significant digits; empty where it is undefined."""
    written = ((name, one.value) for name, one in values.items())
    return {name: "" if value is None else f"{value + 0.0:.{DIGITS}g}" for name, value in written}


def _value(result: ResultEntry | None, metric: str) -> float | None:
    measured = result.values.get(metric) if result else None
    return measured.value if measured else None


def _result_value(one: ResultComparison) -> dict[str, Any]:
    result = one.result
    return {
        "path": result.source.path,
        "benchmark": str(result.benchmark),
        "dataset": str(result.dataset),
        "model": str(result.model),
        "state": str(result.state),
        "reason": result.reason,
        "replaces": one.replaces,
        "place": _plain(one.overall),
        "place_before": _plain(one.overall_before),
        "sites_counted": one.counted,
        "metrics": [_metric_value(metric) for metric in one.metrics],
        "same_values": [{"model": str(twin.model), "same_image": twin.same_image} for twin in one.twins],
    }


def _metric_value(one: MetricComparison) -> dict[str, Any]:
    return {
        "metric": one.metric.id,
        "value": one.value,
        "value_before": one.earlier,
        "place_at_site": _plain(one.place),
        "among_models": _plain(one.among_models),
        "among_sites": _plain(one.among_sites),
        "score": one.score,
        "interval": _plain(one.interval),
    }


def _plain(one: Place | RobustZ | un.Interval | un.Undefined) -> dict[str, Any]:
    match one:
        case Place():
            return {"rank": one.rank, "of": one.of, "shared": one.shared}
        case RobustZ():
            return {"robust_z": round(one.z, 6), "values": one.values, "outlier": one.outlying}
        case un.Interval():
            return {"kind": one.kind.value, "low": one.low, "high": one.high, "sites": one.sites}
        case un.Undefined():
            return {"unknown": one.reason}
