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
    """Lay the counted cells out."""
    values, cases, sds = (
        np.stack([of(metric) for metric in metrics]) for of in (table.values, table.cases_of, table.sds_of)
    )
    names = tuple(str(model.ref) for model in table.models), tuple(str(site.ref) for site in table.sites)
    columns = tuple(_column(table.metric(metric)) for metric in metrics)
    return Basis(table, rk.Grid(*names, columns, values, cases, table.ranking.cap), sds)


def _column(metric: MetricInfo) -> rk.Metric:
    worse_end = metric.low if metric.higher_is_better else metric.high
    return rk.Metric(metric.id, metric.higher_is_better, worse_end if metric.worst is None else metric.worst)
