"""What is said of one benchmark: a row for each model, and what stands beside the ranking; values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.compared import Shared
from medperf_git.leaderboard.effects import Effects
from medperf_git.leaderboard.pairwise import Pairwise
from medperf_git.leaderboard.pooling import PooledCounts
from medperf_git.leaderboard.rules import Settings
from medperf_git.leaderboard.tables import BenchmarkTable, MetricInfo, Subject
from medperf_git.records.names import Ref


@dataclass(frozen=True, slots=True)
class Score:
    """A model's score in one ranking metric, and its interval over every site the model has.

    `ranks` is the rank interval by tests of this metric, or the reason why there is none.
    """

    metric: MetricInfo
    value: float | None
    interval: un.Interval | un.Undefined
    per_site: Mapping[Ref, float]
    ranks: tuple[int, int] | un.Undefined

    @property
    def own_sites_differ(self) -> bool:
        """Whether the interval rests on other sites than the score."""
        mean = self.interval.mean if isinstance(self.interval, un.Interval) else None
        return self.value is not None and mean is not None and round(mean - self.value, 9) != 0


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the ranking; `rank` is None with `unranked` saying why.

    `own` is what the registered rule itself counts, such as a mean rank, where that is no metric.
    """

    model: Subject
    rank: int | None
    unranked: str
    scores: tuple[Score, ...]
    others: tuple[int | None, ...]
    without: Mapping[str, int]
    alone: Mapping[str, int]
    beside_first: bool
    not_behind: float | None
    first_share: float | None
    sites: int
    cases: int | None
    coverage: float | None
    own: float | None = None

    @property
    def rank_range(self) -> tuple[int, int] | None:
        """The lowest and the highest rank when one site is left out."""
        return (min(self.without.values()), max(self.without.values())) if self.without else None

    @property
    def rank_interval(self) -> tuple[int, int] | un.Undefined:
        """The ranks that tests leave open, where one metric ranks."""
        if len(self.scores) == 1:
            return self.scores[0].ranks
        return un.Undefined("several metrics rank, and each has rank intervals of its own")


@dataclass(frozen=True, slots=True)
class Other:
    """Another rule's ranking, or why there is none; `tau` compares it with the registered one."""

    rule: rk.Rule
    ranking: rk.Ranking | un.Undefined
    tau: float | un.Undefined


@dataclass(frozen=True, slots=True)
class Reversal:
    """Two models whose order depends on how sites weigh: the first leads with equal weights, the second by cases."""

    by_sites: Ref
    by_cases: Ref


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything a page says about one benchmark; `ranking` is a reason where nothing can be ranked.

    `pairs`, `effects`, `pools` and `shared` have an entry for each ranking metric. `own_name` says what the rule counts
    where that is no metric; `without` and `alone` why there is no order without a site, or at one alone.
    """

    table: BenchmarkTable
    rule: rk.Rule | None
    ranking: rk.Ranking | un.Undefined
    contest: un.Contest | un.Undefined
    others: tuple[Other, ...]
    standings: tuple[Standing, ...]
    without_taus: Mapping[str, float | un.Undefined]
    headline: str
    explanation: str
    settings: Settings = field(default_factory=Settings)
    own_name: str = ""
    without: str = ""
    alone: str = ""
    pairs: tuple[Pairwise | un.Undefined, ...] = ()
    effects: tuple[Effects | un.Undefined, ...] = ()
    pools: tuple[PooledCounts | un.Undefined, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    shared: tuple[Shared, ...] = ()

    @property
    def beside(self) -> str:
        """What tells who stands beside first place: `resamples`, `sites` (too few to resample), `tests`, or nothing."""
        if isinstance(self.contest, un.Contest):
            return "resamples" if self.contest.tested else "sites"
        return "tests" if any(isinstance(one, Pairwise) for one in self.pairs) else ""

    @property
    def metrics(self) -> tuple[MetricInfo, ...]:
        """The ranking metrics, the first of which leads the page."""
        return tuple(self.table.metric(name) for name in self.table.ranking.metrics)
