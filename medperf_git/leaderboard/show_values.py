"""The values of one metric, model by site, as rows of plain text, for `leaderboard show --metric`."""

from collections.abc import Sequence

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.analysis import analyse
from medperf_git.leaderboard.reading import read_tables
from medperf_git.leaderboard.show import Shown
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, MetricInfo, Subject
from medperf_git.leaderboard.text import NOTHING, fixed
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView


def show_values(view: RecordView, metric: str, benchmark: Ref | None = None) -> tuple[Shown, ...]:
    """Render a metric of one benchmark version, or of all that have it, models in the order of the ranking.

    Raises UsageProblem when no benchmark that was asked for has such a metric.
    """
    tables = [table for table in read_tables(view).benchmarks if benchmark in (None, table.ref)]
    found = [(table, one) for table in tables for one in table.metrics if one.id == metric]
    if tables and not found:
        known = sorted({one.id for table in tables for one in table.metrics})
        raise UsageProblem(f"there is no metric {metric!r}", hint=f"there are: {', '.join(known)}")
    return tuple(_shown(table, one) for table, one in found)


def _shown(table: BenchmarkTable, metric: MetricInfo) -> Shown:
    analysis = analyse(table)
    rows = tuple(
        (
            NOTHING if row.rank is None else str(row.rank),
            str(row.model.ref),
            *(_cell(table.cells[row.model.ref, site.ref], metric) for site in table.sites),
        )
        for row in analysis.standings
    )
    better = "higher" if metric.higher_is_better else "lower"
    unit = "" if metric.unit in ("", "1") else f", in {metric.unit}"
    return Shown(
        benchmark=str(table.ref),
        title=table.title,
        headline=f"{metric.title} {metric.arrow} at each site: {better} is better{unit}.",
        explanation="What has no value says why; a value in parentheses counts in no ranking.",
        columns=("rank", "model", *_names(table.sites)),
        numeric=(True, False, *(True for _ in table.sites)),
        rows=rows,
        notes=(f"Cases: {', '.join(f'{site.ref} {site.cases_text}' for site in table.sites)}",) if table.sites else (),
    )


def _names(sites: Sequence[Subject]) -> list[str]:
    """Name each site by its member alone where that is enough."""
    members = [site.ref.member for site in sites]
    return [site.ref.member if members.count(site.ref.member) == 1 else str(site.ref) for site in sites]


def _cell(cell: Cell, metric: MetricInfo) -> str:
    measured = cell.measured(metric.id)
    if measured is None or measured.value is None:
        return str(cell.state) if not cell.counts else "undefined"
    value = fixed(measured.value, metric.decimals)
    return value if cell.counts else f"({value})"
