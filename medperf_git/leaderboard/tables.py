"""What a benchmark version holds: models by sites by metrics, every cell with its state and where it comes from.

Rules kept here: a result ends as shown (it is a cell) or as hidden with a reason, and the two counts add up to
the results there are; what is missing or failed is a cell too. Nothing here computes a score.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medperf_git.errors import IntegrityBroken
from medperf_git.records.digests import Digest, short
from medperf_git.records.names import Ref

if TYPE_CHECKING:  # they bring scipy, of which who writes the pages of results needs nothing
    from medperf_git.leaderboard.block import Block
    from medperf_git.leaderboard.ranking import Weights


class CellState(StrEnum):
    """How a cell stands; only complete and partial cells count in a ranking.

    No record makes a cell `sealed` yet: the word is kept for values that are published later (DESIGN, visibility).
    """

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    MISSING = "missing"
    WITHDRAWN = "withdrawn"
    DISPUTED = "disputed"
    SEALED = "sealed"


COUNTED = frozenset({CellState.COMPLETE, CellState.PARTIAL})


@dataclass(frozen=True, slots=True)
class Signature:
    """One bundle beside a record, as it stands there; `sync` has verified it, a page does not.

    `key` is the fingerprint it names, `public_key` the line of the signer's member record with that fingerprint."""

    path: str
    signer: str
    key: str
    signed_at: str
    head: str
    public_key: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record lies, what its bytes are and who signed it."""

    path: str
    digest: Digest
    signatures: tuple[Signature, ...] = ()

    @property
    def id(self) -> str:
        """The first 12 hexadecimal digits, by which people call a result."""
        return short(self.digest)


@dataclass(frozen=True, slots=True)
class Reference:
    """A record another one rests on: `now` is the digest its file has in this commit, empty if there is none."""

    role: str
    ref: Ref
    path: str
    digest: Digest
    now: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one result."""

    value: float | None
    sd: float | None
    n: int | None
    n_failed: int | None
    n_undefined: int | None
    counts: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """One event about a record: withdraw, reinstate, dispute, resolve."""

    path: str
    event: str
    by: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True)
class ResultEntry:
    """A result as its record says it, with the state that notices give it.

    One that a table gives knows where it lies, its state and its values; what else its record says is read from the
    record when it is asked for (`stored_cells.StoredEntry`).
    """

    source: Source
    benchmark: Ref
    model: Ref
    dataset: Ref
    number: int
    state: CellState
    reason: str
    values: Mapping[str, Measured]
    cases: str
    attempt: int
    references: tuple[Reference, ...]
    images: Mapping[str, str]
    parameters: Mapping[str, str]
    sandbox: str
    engine: str
    client: str
    started: str
    finished: str
    created: str
    assurance: str
    notices: tuple[Notice, ...]
    outcome: CellState

    @property
    def url(self) -> str:
        """The page of this result, from the root of the site."""
        return self.source.path.removesuffix(".yaml") + ".html"


@dataclass(frozen=True, slots=True)
class Hidden:
    """A result that is no cell, and why; `entry` is there when its record could be read."""

    path: str
    reason: str
    entry: ResultEntry | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One model at one site. `marks` say what happened around it: a withdrawn dataset, a withdrawn approval."""

    model: Ref
    dataset: Ref
    state: CellState
    reason: str
    marks: tuple[str, ...] = ()
    result: ResultEntry | None = None
    earlier: tuple[ResultEntry, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether its values take part in a ranking."""
        return self.result is not None and self.state in COUNTED

    @property
    def page(self) -> tuple[str, str] | None:
        """The page of its result from the root of the site, and by what people call it; None where there is none."""
        return (self.result.url, self.result.source.id) if self.result else None

    def measured(self, metric: str) -> Measured | None:
        """Give what was measured in a metric, counted or not."""
        return self.result.values.get(metric) if self.result else None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model (row) or a dataset (column) of a benchmark; `cases` is None where only a range is published."""

    ref: Ref
    title: str
    standing: str
    cases: int | None = None
    cases_text: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """A metric as the benchmark declares it; `low` and `high` bound it where the benchmark says so.

    `worst` is what a missing value counts as where that is not the worse of the two.
    """

    id: str
    title: str
    unit: str
    higher_is_better: bool
    decimals: int
    low: float | None
    high: float | None
    reduction: str
    worst: float | None = None

    @property
    def arrow(self) -> str:
        """The direction in which it gets better."""
        return "↑" if self.higher_is_better else "↓"


@dataclass(frozen=True, slots=True)
class RankingSpec:
    """The `ranking` block of the benchmark record."""

    rule: str
    version: int
    metrics: tuple[str, ...]
    weights: "Weights"
    missing: str
    seed: int
    cap: int | None = None
    alpha: float = 0.05
    adjust: str = "holm"
    method: str = "DL"


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """What the latest policy record says, ready to be read."""

    source: Source
    committee: tuple[str, ...]
    change: int
    events: int
    auto_datasets: str
    auto_models: str
    opens: str
    closes: str
    min_cases: int
    decimals: int
    exact_n: bool


@dataclass(frozen=True, slots=True)
class ComparisonEntry:
    """A site's comparison of models on the same cases by one metric, and how it stands; `block` where it is live."""

    path: str
    digest: Digest
    dataset: Ref
    metric: str
    models: tuple[Ref, ...]
    n: int
    state: str
    block: "Block | None" = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The first 12 hexadecimal digits."""
        return short(self.digest)


class CellGrid(Mapping[tuple[Ref, Ref], Cell]):
    """The cells of a table that keeps them as arrays; a cell is made when it is asked for."""

    @property
    @abstractmethod
    def shown(self) -> int:
        """How many cells have a result."""

    @property
    @abstractmethod
    def counted(self) -> int:
        """How many cells count in a ranking."""

    @abstractmethod
    def values_of(self, metric: str) -> NDArray[np.float64]:
        """See `BenchmarkTable.values`."""

    @abstractmethod
    def cases_of(self, metric: str) -> NDArray[np.float64]:
        """See `BenchmarkTable.cases_of`."""

    @abstractmethod
    def sds_of(self, metric: str) -> NDArray[np.float64]:
        """See `BenchmarkTable.sds_of`."""

    @abstractmethod
    def iter_pooled(self, metric: str) -> Iterator[tuple[int, tuple[int, ...], float]]:
        """See `BenchmarkTable.iter_pooled`."""

    @abstractmethod
    def iter_gaps(self) -> Iterator[Cell]:
        """See `BenchmarkTable.iter_gaps`."""


@dataclass(frozen=True, slots=True)
class BenchmarkTable:
    """One benchmark version with all its cells; `seen` counts the result records that lie in its folders."""

    ref: Ref
    source: Source
    title: str
    description: str
    predecessor: str
    partial_allowed: bool
    cubes: tuple[Reference, ...]
    reference_model: Ref
    metrics: tuple[MetricInfo, ...]
    ranking: RankingSpec
    policy: PolicyFacts | None
    bias: Mapping[str, str]
    marks: tuple[str, ...]
    models: tuple[Subject, ...]
    sites: tuple[Subject, ...]
    waiting: tuple[str, ...]
    cells: Mapping[tuple[Ref, Ref], Cell]
    hidden: Sequence[Hidden]
    seen: int
    comparisons: tuple[ComparisonEntry, ...] = ()

    def __post_init__(self) -> None:
        """Hold the promise that every result is shown or hidden."""
        if self.shown + len(self.hidden) != self.seen:
            raise IntegrityBroken(
                f"{self.ref}: {self.seen} results, but {self.shown} shown and {len(self.hidden)} hidden",
                hint="this is a fault of medperf-git; please report it with the commit",
            )

    @property
    def shown(self) -> int:
        """How many results are a cell."""
        cells = self.cells
        return cells.shown if isinstance(cells, CellGrid) else sum(one.result is not None for one in cells.values())

    @property
    def counted(self) -> int:
        """How many cells take part in a ranking."""
        cells = self.cells
        return cells.counted if isinstance(cells, CellGrid) else sum(one.counts for one in cells.values())

    def values(self, metric: str) -> NDArray[np.float64]:
        """Give the counted values of a metric as (model, site), NaN where there is none."""
        if isinstance(self.cells, CellGrid):
            return self.cells.values_of(metric)
        return self._array(lambda measured: measured.value, metric)

    def cases_of(self, metric: str) -> NDArray[np.float64]:
        """Give the number of cases behind each counted value of a metric as (model, site), NaN where not known."""
        if isinstance(self.cells, CellGrid):
            return self.cells.cases_of(metric)
        return self._array(lambda measured: None if measured.value is None else measured.n, metric)

    def sds_of(self, metric: str) -> NDArray[np.float64]:
        """Give the standard deviation behind each counted value of a metric as (model, site), NaN where not known."""
        if isinstance(self.cells, CellGrid):
            return self.cells.sds_of(metric)
        return self._array(lambda measured: None if measured.value is None else measured.sd, metric)

    def iter_pooled(self, metric: str) -> Iterator[tuple[int, tuple[int, ...], float]]:
        """Yield the row of a model, the counts of a counted value, and that value, wherever counts are published."""
        if isinstance(self.cells, CellGrid):
            yield from self.cells.iter_pooled(metric)
            return
        rows = {model.ref: row for row, model in enumerate(self.models)}
        for cell in self.cells.values():
            measured = cell.measured(metric) if cell.counts else None
            if measured is not None and measured.counts is not None and measured.value is not None:
                yield rows[cell.model], measured.counts, measured.value

    def iter_gaps(self) -> Iterator[Cell]:
        """Yield the cells that count in no ranking, in order."""
        if isinstance(self.cells, CellGrid):
            yield from self.cells.iter_gaps()
        else:
            yield from (cell for cell in self.cells.values() if not cell.counts)

    def _array(self, of: Callable[[Measured], float | None], metric: str) -> NDArray[np.float64]:
        found = np.full((len(self.models), len(self.sites)), np.nan)
        for m, s in np.ndindex(found.shape):
            cell = self.cells[self.models[m].ref, self.sites[s].ref]
            measured = cell.measured(metric) if cell.counts else None
            number = of(measured) if measured is not None else None
            found[m, s] = np.nan if number is None else number
        return found

    @property
    def url(self) -> str:
        """The page of this benchmark version, from the root of the site."""
        return f"benchmarks/{self.ref.path}/index.html"

    @property
    def status_url(self) -> str:
        """The page that says who is at which stage, from the root of the site."""
        return f"benchmarks/{self.ref.path}/status.html"

    def model_title(self, ref: Ref) -> str:
        """Give a model's title, its reference where it is no row."""
        return next((model.title for model in self.models if model.ref == ref), str(ref))

    def site_title(self, ref: Ref) -> str:
        """Give a dataset's title, its reference where it is no column."""
        return next((site.title for site in self.sites if site.ref == ref), str(ref))

    def metric(self, name: str) -> MetricInfo:
        """Find a metric by id."""
        return next(metric for metric in self.metrics if metric.id == name)


@dataclass(frozen=True, slots=True)
class RegistryTables:
    """Everything a site shows of one commit; `strays` are results that belong to no readable benchmark."""

    name: str
    title: str
    maintainers: tuple[str, ...]
    members: Mapping[str, str]
    benchmarks: tuple[BenchmarkTable, ...]
    strays: tuple[Hidden, ...]
    seen: int

    def __post_init__(self) -> None:
        """Hold the same promise for the whole registry."""
        counted = sum(table.seen for table in self.benchmarks) + len(self.strays)
        if counted != self.seen:
            raise IntegrityBroken(
                f"{self.seen} results in the registry, but {counted} accounted for",
                hint="this is a fault of medperf-git; please report it with the commit",
            )
