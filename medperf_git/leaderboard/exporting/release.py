"""What an export rests on: one benchmark version at one commit, its plain values, and what is no plain value.

Rules kept here: a value is exported only from a complete result that nothing marks (no dispute, no withdrawal, no
lost approval); a score only if every value behind it is such a one. Everything else is listed with its reason.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medperf_git.errors import UsageProblem
from medperf_git.leaderboard.analysis import Analysis, Score, Standing, analyse
from medperf_git.leaderboard.ranking import Ranking
from medperf_git.leaderboard.reading import read_benchmark
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, CellState, Measured, MetricInfo, Subject
from medperf_git.records import folds, layout
from medperf_git.records.digests import Digest, digest_of
from medperf_git.records.models import Benchmark, Cube, Dataset
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView, chain, record_at

CHECKPOINT = "checkpoint"  # the last part of the address of the note that lies beside a published site


@dataclass(frozen=True, slots=True)
class Origin:
    """Which registry at which commit; `site_url` is where its site is published, "" where no record says so.

    `step_time` is the time of the commit's step, `steps` how many steps of main lead up to it.
    """

    commit: str
    registry_id: str
    step_time: str
    steps: int
    registry_name: str = ""
    registry_title: str = ""
    site_url: str = ""

    def urn(self, path: str) -> str:
        """Name a thing of this registry for good, independent of where it is published."""
        return f"urn:medperf-git:{self.registry_id}:{path}"

    def page(self, path: str) -> str:
        """Give the address of a page of the published site, "" where no record says where it is published."""
        return self.site_url + path if self.site_url else ""


@dataclass(frozen=True, slots=True)
class Person:
    """A member as its newest record says."""

    name: str
    title: str
    country: str = ""
    website: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record an export rests on."""

    path: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Value:
    """One metric of one complete, unmarked result."""

    cell: Cell
    model: Subject
    site: Subject
    metric: MetricInfo
    measured: Measured
    number: float


@dataclass(frozen=True, slots=True)
class PlainScore:
    """A model's score by the registered rule that rests on plain values alone."""

    standing: Standing
    score: Score
    number: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not exported as a plain value, and why; `kind` is the reason in one word."""

    kind: str
    subject: str
    reason: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One benchmark version as a commit holds it."""

    origin: Origin
    view: RecordView
    record: Benchmark
    analysis: Analysis
    people: Mapping[str, Person]

    @property
    def table(self) -> BenchmarkTable:
        """Its cells."""
        return self.analysis.table

    @property
    def committee(self) -> tuple[str, ...]:
        """Who answers for it: the committee of its newest policy, else the owner of its name."""
        return self.table.policy.committee if self.table.policy else (self.table.ref.member,)

    def person(self, name: str) -> Person:
        """Give a member, by its name alone where it has no readable record."""
        return self.people.get(name) or Person(name, name)


def read_origin(view: RecordView, *, commit: str, registry_id: str, step_time: str, steps: int) -> Origin:
    """Say where the records of a view come from."""
    registry = folds.registry_state(view)
    url = registry.checkpoint.url if registry and registry.checkpoint else ""
    site = url.removesuffix(CHECKPOINT) if url.endswith(f"/{CHECKPOINT}") else ""
    name, title = (registry.name, registry.title) if registry else ("", "")
    return Origin(commit, registry_id, step_time, steps, name, title, site)


def read_release(view: RecordView, ref: Ref, origin: Origin) -> Release:
    """Read a benchmark version; UsageProblem when its record cannot be read."""
    table = read_table(view, ref, brief=False)
    record = record_at(view, layout.benchmark_path(ref), Benchmark)
    assert record is not None  # noqa: S101 - its table was read from it
    return Release(origin, view, record, analyse(table), read_people(view))


def read_table(view: RecordView, ref: Ref, *, brief: bool = True) -> BenchmarkTable:
    """Read a benchmark version's cells; UsageProblem when its record cannot be read."""
    table = read_benchmark(view, ref, brief=brief)
    if table is None:
        raise UsageProblem(f"the benchmark {ref} cannot be read", hint="`medperf-git benchmark ls` lists them")
    return table


def read_people(view: RecordView) -> Mapping[str, Person]:
    """Read every member."""
    found = {}
    for name in folds.members(view):
        if (member := folds.member_state(view, name)) is not None:
            found[name] = Person(name, member.title, member.country or "", member.website or "")
    return found


def cube_of(view: RecordView, ref: Ref) -> Cube | None:
    """Read a container's record."""
    return record_at(view, layout.cube_path(ref), Cube)


def dataset_of(view: RecordView, ref: Ref) -> Dataset | None:
    """Read a dataset's record."""
    return record_at(view, layout.dataset_path(ref), Dataset)


def evidence_at(view: RecordView, path: str) -> Evidence:
    """Give a record's path with the digest of its bytes."""
    return Evidence(path, digest_of(view.blob(path) or b""))


def is_plain(cell: Cell) -> bool:
    """Tell whether a cell's values may be exported as they stand."""
    return cell.state is CellState.COMPLETE and not cell.marks and cell.result is not None


def iter_values(release: Release) -> Iterator[Value]:
    """Yield every plain value, models before sites before metrics."""
    table = release.table
    for model in table.models:
        for site in table.sites:
            cell = table.cells[model.ref, site.ref]
            if not is_plain(cell):
                continue
            for metric in table.metrics:
                measured = cell.measured(metric.id)
                if measured is not None and measured.value is not None:
                    yield Value(cell, model, site, metric, measured, measured.value)


def iter_scores(release: Release) -> Iterator[PlainScore | LeftOut]:
    """Yield every score of the ranking, or why it is no plain value, in the order of the ranking."""
    ranking = release.analysis.ranking
    sites = frozenset(ranking.counted.grid.sites) if isinstance(ranking, Ranking) else frozenset()
    counted = tuple(site.ref for site in release.table.sites if str(site.ref) in sites)
    for standing in release.analysis.standings:
        for score in standing.scores:
            subject = f"score of {standing.model.ref} in {score.metric.id}"
            if standing.rank is None or score.value is None or math.isnan(score.value):
                yield LeftOut("score", subject, standing.unranked or "it has no score")
                continue
            cells = tuple(release.table.cells[standing.model.ref, site] for site in counted)
            yield _plain_score(subject, standing, score, cells)


def _plain_score(subject: str, standing: Standing, score: Score, cells: tuple[Cell, ...]) -> PlainScore | LeftOut:
    for cell in cells:
        if not is_plain(cell):
            marks = "; ".join(cell.marks)
            stands = f"{cell.state} ({marks})" if marks else str(cell.state)
            return LeftOut("score", subject, f"it rests on {cell.dataset}, which is {stands}")
        measured = cell.measured(score.metric.id)
        if measured is None or measured.value is None:
            return LeftOut("score", subject, f"it rests on {cell.dataset}, which has no value there")
    assert score.value is not None  # noqa: S101 - checked by the caller
    return PlainScore(standing, score, round(score.value, 12), cells)


def left_out(release: Release) -> tuple[LeftOut, ...]:
    """List what is no plain value: cells, values, scores and hidden results, each with its reason."""
    return (*_iter_cells_out(release.table), *_iter_scores_out(release), *_iter_hidden(release.table))


def _iter_cells_out(table: BenchmarkTable) -> Iterator[LeftOut]:
    for (model, dataset), cell in table.cells.items():
        subject = f"{model} on {dataset}"
        path = cell.result.source.path if cell.result else ""
        if not is_plain(cell):
            words = (str(cell.state), cell.reason, *cell.marks)
            kind = "marked" if cell.state is CellState.COMPLETE else str(cell.state)
            yield LeftOut(kind, subject, "; ".join(filter(None, words)), path)
            continue
        for metric in table.metrics:
            measured = cell.measured(metric.id)
            if measured is None or measured.value is None:
                about = f"{subject} in {metric.id}"
                yield LeftOut("undefined", about, "no value: undefined, failed or held back", path)


def _iter_scores_out(release: Release) -> Iterator[LeftOut]:
    return (one for one in iter_scores(release) if isinstance(one, LeftOut))


def _iter_hidden(table: BenchmarkTable) -> Iterator[LeftOut]:
    return (LeftOut("hidden", "result", item.reason, item.path) for item in table.hidden)


def account(release: Release) -> str:
    """Count in one line what is exported and what is not: `30 values and 3 scores; left out: 1 failed, 2 missing`."""
    values = sum(1 for _ in iter_values(release))
    scores = sum(isinstance(one, PlainScore) for one in iter_scores(release))
    kinds = Counter(one.kind for one in left_out(release))
    gone = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{values} values and {scores} scores; left out: {gone or 'nothing'}"


def evidence(release: Release) -> tuple[Evidence, ...]:
    """List the records the values rest on: benchmark, policy, containers, datasets, results shown, comparisons."""
    table, view = release.table, release.view
    paths = {table.source.path, *(layout.cube_path(cube.ref) for cube in table.cubes)}
    paths |= {layout.cube_path(model.ref) for model in table.models}
    paths |= {layout.dataset_path(site.ref) for site in table.sites}
    paths |= {cell.result.source.path for cell in table.cells.values() if cell.result is not None}
    paths |= {one.path for one in table.comparisons}
    paths |= {link.path for link in chain(view, layout.policy_folder(table.ref))[-1:]}
    return tuple(evidence_at(view, path) for path in sorted(paths) if view.blob(path) is not None)
