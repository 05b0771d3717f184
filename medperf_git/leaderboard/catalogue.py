"""What a registry knows besides results: its models, datasets and members, and in which benchmarks each stands.

Rules kept here: what a table names has a card, also where its record cannot be read; a member's card holds what the
member published and nothing that is not in its records.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medperf_git.leaderboard.analysis import Analysis, Standing
from medperf_git.leaderboard.cells import Cells
from medperf_git.leaderboard.keys import KeyLine, key_lines
from medperf_git.leaderboard.reading import source_of
from medperf_git.leaderboard.results import notices_of
from medperf_git.leaderboard.tables import BenchmarkTable, Notice, Source, Subject
from medperf_git.records import folds, layout, models
from medperf_git.records.models import Cube
from medperf_git.records.names import Ref
from medperf_git.records.view import R, RecordView, chain, iter_versions, stored_at


@dataclass(frozen=True, slots=True)
class Grid:
    """One benchmark's ranking, and the counted values of its ranking metrics as (model, site), NaN for none.

    `order` holds the row of each standing's model.
    """

    analysis: Analysis
    values: Mapping[str, NDArray[np.float64]]
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a model, in row `row` of the table, stands in one benchmark."""

    grid: Grid
    standing: Standing
    row: int

    @property
    def analysis(self) -> Analysis:
        """The benchmark's ranking."""
        return self.grid.analysis

    @property
    def table(self) -> BenchmarkTable:
        """The benchmark's cells."""
        return self.analysis.table


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model: its record, who signed it, and where it stands; `record` is None where it cannot be read."""

    ref: Ref
    title: str
    record: models.Cube | None
    source: Source | None
    notices: tuple[Notice, ...]
    versions: tuple[Ref, ...]
    stands: tuple[Stand, ...]


@dataclass(frozen=True, slots=True)
class Attendance:
    """A dataset, in column `place` of the table, in one benchmark."""

    grid: Grid
    column: Subject
    place: int

    @property
    def analysis(self) -> Analysis:
        """The benchmark's ranking."""
        return self.grid.analysis

    @property
    def table(self) -> BenchmarkTable:
        """The benchmark's cells."""
        return self.analysis.table


@dataclass(frozen=True, slots=True)
class SiteCard:
    """A dataset: its record, who signed it, and which benchmarks it takes part in."""

    ref: Ref
    title: str
    record: models.Dataset | None
    source: Source | None
    notices: tuple[Notice, ...]
    versions: tuple[Ref, ...]
    attends: tuple[Attendance, ...]


@dataclass(frozen=True, slots=True)
class MemberCard:
    """A person or organisation; `results` counts those on its datasets, `scored` those of its models."""

    name: str
    title: str
    record: models.Member | None
    joined: str
    keys: tuple[KeyLine, ...]
    sources: tuple[Source, ...]
    models: tuple[Ref, ...]
    datasets: tuple[Ref, ...]
    containers: tuple[Cube, ...]
    benchmarks: tuple[BenchmarkTable, ...]
    committees: tuple[BenchmarkTable, ...]
    maintainer: bool
    results: int
    scored: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every card, in the order of references and names."""

    models: Mapping[Ref, ModelCard]
    sites: Mapping[Ref, SiteCard]
    members: Mapping[str, MemberCard]


@dataclass(slots=True)
class _Found:
    """What one pass over the tables gathers."""

    stands: dict[Ref, list[Stand]] = field(default_factory=dict)
    attends: dict[Ref, list[Attendance]] = field(default_factory=dict)
    on: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Brought:
    """What each member brought, in order."""

    models: Mapping[str, list[Ref]]
    sites: Mapping[str, list[Ref]]
    cubes: Mapping[str, list[Ref]]
    roles: Mapping[Ref, Cube]


def read_catalogue(view: RecordView, analyses: Sequence[Analysis], maintainers: Sequence[str]) -> Catalogue:
    """Read every card; a record that is in no benchmark has one too."""
    found = _gather(analyses)
    cubes = {ref: cube for ref in iter_versions(view, "cubes") if (cube := _record(view, layout.cube_path(ref)))}
    roles = {ref: one for ref, one in cubes.items() if isinstance(one, models.Cube)}
    refs = {ref for ref, cube in roles.items() if cube.role == "model"} | set(found.stands)
    sites = set(iter_versions(view, "datasets")) | set(found.attends)
    model_versions, site_versions = _versions(refs), _versions(sites)
    model_cards = {ref: _model(view, ref, model_versions[ref.unversioned], found) for ref in sorted(refs)}
    site_cards = {ref: _site(view, ref, site_versions[ref.unversioned], found) for ref in sorted(sites)}
    brought = _Brought(_by_member(model_cards), _by_member(site_cards), _by_member(roles), roles)
    names = folds.members(view)
    members = {name: _member(view, name, analyses, found, brought, maintainer=name in maintainers) for name in names}
    return Catalogue(model_cards, site_cards, members)


def _gather(analyses: Sequence[Analysis]) -> _Found:
    found = _Found()
    for analysis in analyses:
        table = analysis.table
        rows = {model.ref: row for row, model in enumerate(table.models)}
        order = tuple(rows[standing.model.ref] for standing in analysis.standings)
        grid = Grid(analysis, {metric.id: table.values(metric.id) for metric in analysis.metrics}, order)
        for standing, row in zip(analysis.standings, order, strict=True):
            found.stands.setdefault(standing.model.ref, []).append(Stand(grid, standing, row))
        for place, column in enumerate(table.sites):
            found.attends.setdefault(column.ref, []).append(Attendance(grid, column, place))
        _count(table, found)
    return found


def _count(table: BenchmarkTable, found: _Found) -> None:
    """Count results by the member whose data, and by the member whose model, without making a cell."""
    if isinstance(table.cells, Cells):
        for column in filter(None, table.cells.columns):
            found.on[column.dataset.member] += len(column.models)
            found.of.update(model.member for model in column.models)
    else:
        there = [cell for cell in table.cells.values() if cell.result is not None]
        found.on.update(cell.dataset.member for cell in there)
        found.of.update(cell.model.member for cell in there)


def _record(view: RecordView, path: str) -> models.Record | None:
    stored = stored_at(view, path)
    return stored.record if stored else None


def _model(view: RecordView, ref: Ref, versions: Sequence[Ref], found: _Found) -> ModelCard:
    record, source, notices = _published(view, layout.cube_path(ref), models.Cube)
    title = record.title if record else str(ref)
    return ModelCard(ref, title, record, source, notices, tuple(versions), tuple(found.stands.get(ref, ())))


def _site(view: RecordView, ref: Ref, versions: Sequence[Ref], found: _Found) -> SiteCard:
    record, source, notices = _published(view, layout.dataset_path(ref), models.Dataset)
    title = record.title if record else str(ref)
    return SiteCard(ref, title, record, source, notices, tuple(versions), tuple(found.attends.get(ref, ())))


def _published(view: RecordView, path: str, kind: type[R]) -> tuple[R | None, Source | None, tuple[Notice, ...]]:
    """Read a record of a kind, who signed what lies there, and the notices about it."""
    stored = stored_at(view, path)
    record = stored.record if stored is not None and isinstance(stored.record, kind) else None
    return record, source_of(view, stored) if stored else None, notices_of(view, path)


def _versions(refs: Iterable[Ref]) -> Mapping[str, list[Ref]]:
    found: dict[str, list[Ref]] = defaultdict(list)
    for ref in sorted(refs):
        found[ref.unversioned].append(ref)
    return found


def _by_member(refs: Iterable[Ref]) -> Mapping[str, list[Ref]]:
    found: dict[str, list[Ref]] = defaultdict(list)
    for ref in refs:
        found[ref.member].append(ref)
    return found


def _member(
    view: RecordView,
    name: str,
    analyses: Sequence[Analysis],
    found: _Found,
    brought: _Brought,
    *,
    maintainer: bool,
) -> MemberCard:
    links = [link for link in chain(view, layout.member_folder(name)) if isinstance(link.record, models.Member)]
    record = links[-1].record if links else None
    member = record if isinstance(record, models.Member) else None
    tables = [analysis.table for analysis in analyses]
    return MemberCard(
        name=name,
        title=member.title if member else name,
        record=member,
        joined=links[0].record.created if links else "",
        keys=key_lines([link.record for link in links if isinstance(link.record, models.Member)]),
        sources=tuple(source_of(view, link) for link in links),
        models=tuple(brought.models.get(name, ())),
        datasets=tuple(brought.sites.get(name, ())),
        containers=tuple(
            brought.roles[ref] for ref in brought.cubes.get(name, ()) if brought.roles[ref].role != "model"
        ),
        benchmarks=tuple(table for table in tables if table.ref.member == name),
        committees=tuple(table for table in tables if table.policy and name in table.policy.committee),
        maintainer=maintainer,
        results=found.on[name],
        scored=found.of[name],
    )
