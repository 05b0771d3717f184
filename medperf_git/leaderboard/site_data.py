"""What every family of pages is made from: the records of one commit, their tables and what those say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.steps import Step
from medperf_git.leaderboard.tables import RegistryTables
from medperf_git.records.times import parse_time
from medperf_git.records.view import RecordView


@dataclass(frozen=True, slots=True)
class SiteData:
    """The input of every family of pages; `step_time` is the time of the commit's step.

    `shards` names the data files that hold each column, by the folder of its results; `steps` are the last of main.
    """

    view: RecordView
    tables: RegistryTables
    analyses: tuple[Analysis, ...]
    commit: str
    registry_id: str
    step_time: str
    shards: Mapping[str, Sequence[str]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    @property
    def as_of(self) -> datetime:
        """The time of the commit's step."""
        return parse_time(self.step_time)

    def iter_folders(self) -> Iterator[tuple[str, Analysis]]:
        """Yield the folder of every benchmark, and what its table says."""
        for analysis in self.analyses:
            yield f"benchmarks/{analysis.table.ref.path}", analysis
