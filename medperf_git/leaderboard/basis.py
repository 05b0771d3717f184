"""What a table offers to any rule: its counted cells as arrays, and the comparisons that a ranking may rest on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard.compared import Shared, shared_cases
from medperf_git.leaderboard.statistics.ranks import Floats
from medperf_git.leaderboard.tables import BenchmarkTable, MetricInfo
from medperf_git.records.names import Ref


@dataclass(frozen=True)
class Basis:
    """Arrays are (metric, model, site), in the order of the ranking metrics and of the table; NaN where nothing counts.

    `cases` is NaN where only a range is published.
    """

    table: BenchmarkTable
    grid: rk.Grid
    sds: Floats

    @property
    def models(self) -> tuple[Ref, ...]:
        """All models of the table."""
        return tuple(model.ref for model in self.table.models)

    @cached_property
    def shared(self) -> tuple[Shared, ...]:
        """The usable comparisons by each ranking metric."""
        return tuple(shared_cases(self.table, metric) for metric in self.table.ranking.metrics)

    @cached_property
    def site_refs(self) -> Mapping[str, Ref]:
        """The datasets, by their reference as text."""
        return {str(site.ref): site.ref for site in self.table.sites}


def basis_of(table: BenchmarkTable, metrics: tuple[str, ...]) -> Basis:
    """Lay the counted cells out, in one pass over the table."""
    shape = len(metrics), len(table.models), len(table.sites)
    values, cases, sds = (np.full(shape, np.nan) for _ in range(3))
    rows = {model.ref: row for row, model in enumerate(table.models)}
    columns = {site.ref: column for column, site in enumerate(table.sites)}
    for (model, site), cell in table.cells.items():
        if cell.result is None or not cell.counts:
            continue
        for k, metric in enumerate(metrics):
            measured = cell.result.values.get(metric)
            if measured is None or measured.value is None:
                continue
            place = k, rows[model], columns[site]
            values[place] = measured.value
            cases[place] = np.nan if measured.n is None else measured.n
            sds[place] = np.nan if measured.sd is None else measured.sd
    names = tuple(str(model.ref) for model in table.models), tuple(str(site.ref) for site in table.sites)
    grid = rk.Grid(*names, tuple(_column(table.metric(metric)) for metric in metrics), values, cases, table.ranking.cap)
    return Basis(table, grid, sds)


def _column(metric: MetricInfo) -> rk.Metric:
    return rk.Metric(metric.id, metric.higher_is_better, metric.low if metric.higher_is_better else metric.high)
