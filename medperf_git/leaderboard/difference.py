"""What a change does to the rankings: two states of a registry → who entered, left or moved, and why.

Rules kept here: both sides are analysed by the code of the pages; a benchmark in which nothing that a reader sees has
changed is none; a new version is set beside the one that it names as its predecessor. Nothing here judges.

    difference = compare_rankings(Tables(before, after), affected(before, after, paths))
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from medperf_git.leaderboard import ranking as rk
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Analysis, Score, Standing, analyse
from medperf_git.leaderboard.sides import Tables
from medperf_git.leaderboard.tables import BenchmarkTable, Cell, CellState, PolicyFacts
from medperf_git.leaderboard.text import fixed
from medperf_git.records.names import Ref

DIGITS = 12
_RANKED_BY: Mapping[str, str] = {"rule": "ranking rule", "version": "its version", "metrics": "ranking metrics"}
_POLICY: Mapping[str, str] = {
    "change": "signatures for a change",
    "events": "signatures for a decision",
    "auto_datasets": "datasets approved at once",
    "auto_models": "models approved at once",
    "min_cases": "fewest cases of a result",
    "decimals": "decimals of a value",
    "exact_n": "exact numbers of cases",
}


class Fate(StrEnum):
    """What became of a benchmark, a model or a site."""

    NEW = "new"
    GONE = "gone"
    KEPT = "kept"


class Move(StrEnum):
    """What became of a model's place."""

    ENTERED = "entered"
    LEFT = "left"
    UP = "up"
    DOWN = "down"
    RESCORED = "rescored"
    UNRANKED = "unranked"


class Event(StrEnum):
    """What happened to the result of one model at one site."""

    NEW = "new"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    DISPUTED = "disputed"
    RESTORED = "restored"
    GONE = "gone"
    MARKED = "marked"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a model stands in one ranking of `of` models.

    `without` are its ranks when a site is left out, `tested` those that tests of all pairs leave open; None: not known.
    """

    rank: int | None
    of: int
    without: tuple[int, int] | None
    tested: tuple[int, int] | None
    scores: tuple[Score, ...]
    beside_first: bool
    unranked: str


@dataclass(frozen=True, slots=True)
class Shift:
    """One model before and after; a side without it is None."""

    model: Ref
    title: str
    move: Move
    before: Spot | None
    after: Spot | None


@dataclass(frozen=True, slots=True)
class First:
    """Who is first, and who cannot be told from first place: (reference, title) of each."""

    leaders: tuple[tuple[Ref, str], ...]
    group: tuple[tuple[Ref, str], ...]


@dataclass(frozen=True, slots=True)
class CellChange:
    """One result that came, went or counts otherwise; `result` is the 12 digits by which people call it."""

    model: Ref
    dataset: Ref
    event: Event
    state: CellState
    reason: str
    result: str
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a ranking rests on: `counted` cells of `cells`, the sites in the ranking of all, the results in all."""

    models: int
    sites: int
    sites_ranked: int
    cells: int
    counted: int
    results: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A rule, or a setting of the policy, that is another one now."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class BenchmarkDifference:
    """Everything that changed in one benchmark; `beside` is the version that a new one is set beside."""

    ref: Ref
    title: str
    fate: Fate
    beside: str
    headline: tuple[str, str]
    first: tuple[First, First]
    shifts: tuple[Shift, ...]
    coverage: tuple[Coverage | None, Coverage | None]
    models: Mapping[Ref, Fate]
    sites: Mapping[Ref, Fate]
    cells: tuple[CellChange, ...]
    facts: tuple[Fact, ...]
    comparisons: int

    @property
    def moves_ranking(self) -> bool:
        """Whether a place, a score or the group beside first place is another one."""
        return self.first[0] != self.first[1] or any(shift.move is not Move.UNRANKED for shift in self.shifts)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to say."""
        said = self.shifts or self.models or self.sites or self.cells or self.facts or self.comparisons
        return not said and self.fate is Fate.KEPT and self.first[0] == self.first[1]


@dataclass(frozen=True, slots=True)
class Difference:
    """Every benchmark with something to say, how many others were looked at, and what was not, with the reason."""

    benchmarks: tuple[BenchmarkDifference, ...]
    same: int = 0
    left: tuple[tuple[Ref, str], ...] = ()

    @property
    def moves_ranking(self) -> bool:
        """Whether any ranking changes."""
        return any(one.moves_ranking or one.fate is not Fate.KEPT for one in self.benchmarks)


def compare_rankings(tables: Tables, refs: Iterable[Ref], *, most_results: int | None = None) -> Difference:
    """Compare some benchmarks; one with more than `most_results` results is left out, with that as the reason."""
    found, left, same = [], [], 0
    for ref in refs:
        if most_results is not None and (size := tables.size(ref)) > most_results:
            left.append((ref, f"it has {size} results, and at most {most_results} are compared here"))
            continue
        before, after = tables.earlier(ref), tables.later(ref)
        if before is None and after is None:
            left.append((ref, "it cannot be read"))
            continue
        beside = _predecessor(tables, after) if before is None else None
        one = compare_tables(before, after, beside=beside, comparisons=tables.comparisons_added(ref))
        same += one.empty
        found += [] if one.empty else [one]
    return Difference(tuple(found), same, tuple(left))


def compare_tables(
    before: BenchmarkTable | None,
    after: BenchmarkTable | None,
    *,
    beside: BenchmarkTable | None = None,
    comparisons: int = 0,
) -> BenchmarkDifference:
    """Compare one benchmark before and after; a new one's rules are set `beside` those of its predecessor.

    `comparisons` is how many records of comparisons there are more. Raises ValueError when neither side is there.
    """
    known = after or before
    if known is None:
        raise ValueError("there is no benchmark on either side")
    old, new = (analyse(table) if table else None for table in (before, after))
    fate = Fate.KEPT if before and after else Fate.NEW if after else Fate.GONE
    return BenchmarkDifference(
        ref=known.ref,
        title=known.title,
        fate=fate,
        beside=str(beside.ref) if beside else "",
        headline=(old.headline if old else "", new.headline if new else ""),
        first=(_first(old), _first(new)),
        shifts=tuple(_shifts(old, new)),
        coverage=(_coverage(old), _coverage(new)),
        models=_fates(_subjects(before, "models"), _subjects(after, "models")),
        sites=_fates(_subjects(before, "sites"), _subjects(after, "sites")),
        cells=tuple(_cells(before, after)),
        facts=tuple(_facts(before or beside, after)),
        comparisons=comparisons,
    )


def _predecessor(tables: Tables, table: BenchmarkTable | None) -> BenchmarkTable | None:
    if table is None or not table.predecessor:
        return None
    return tables.later(Ref.parse(table.predecessor))


def _spots(analysis: Analysis | None) -> dict[Ref, tuple[str, Spot]]:
    if analysis is None:
        return {}
    of = sum(row.rank is not None for row in analysis.standings)
    return {row.model.ref: (row.model.title, _spot(row, of)) for row in analysis.standings}


def _spot(row: Standing, of: int) -> Spot:
    tested = None if isinstance(row.rank_interval, un.Undefined) else row.rank_interval
    return Spot(row.rank, of, row.rank_range, tested, row.scores, row.beside_first, row.unranked)


def _shifts(old: Analysis | None, new: Analysis | None) -> Iterator[Shift]:
    """Yield what moved in the order of the ranking after, then what is no longer in it."""
    before, after = _spots(old), _spots(new)
    for ref in [*after, *(ref for ref in before if ref not in after)]:
        (title, then), (named, now) = before.get(ref, ("", None)), after.get(ref, ("", None))
        if (move := _move(then, now)) is not None:
            yield Shift(ref, named or title, move, then, now)


def _move(then: Spot | None, now: Spot | None) -> Move | None:
    was, is_now = then.rank if then else None, now.rank if now else None
    if was is None and is_now is None:
        known = then is not None and now is not None and then.unranked != now.unranked
        return Move.UNRANKED if known or (now is not None and then is None) else None
    if was is None or is_now is None:
        return Move.LEFT if is_now is None else Move.ENTERED
    if was != is_now:
        return Move.UP if is_now < was else Move.DOWN
    same = then and now and _figures(then) == _figures(now) and then.beside_first == now.beside_first
    return None if same else Move.RESCORED


def _figures(spot: Spot) -> list[Any]:
    """Return the figures that a reader sees of a place, with as many decimals."""
    return [spot.without, spot.tested, *(figure for score in spot.scores for figure in _figures_of(score))]


def _figures_of(score: Score) -> tuple[str, ...]:
    ends = (score.interval.low, score.interval.high) if isinstance(score.interval, un.Interval) else ()
    return score.metric.id, *(fixed(number, score.metric.decimals) for number in (score.value, *ends))


def rounded(number: float | None) -> float | None:
    """Round as a ranking does; nothing stays nothing."""
    return None if number is None else round(number, DIGITS)


def _first(analysis: Analysis | None) -> First:
    rows = [row for row in analysis.standings if row.rank is not None] if analysis else []
    leaders = tuple((row.model.ref, row.model.title) for row in rows if row.rank == 1)
    group = tuple((row.model.ref, row.model.title) for row in rows if row.beside_first and row.rank != 1)
    return First(leaders, group)


def _coverage(analysis: Analysis | None) -> Coverage | None:
    if analysis is None:
        return None
    table, found = analysis.table, analysis.ranking
    ranked = len(found.counted.grid.sites) if isinstance(found, rk.Ranking) else 0
    counted = sum(cell.counts for cell in table.cells.values())
    return Coverage(len(table.models), len(table.sites), ranked, len(table.cells), counted, table.seen)


def _subjects(table: BenchmarkTable | None, of: str) -> list[Ref]:
    return [subject.ref for subject in getattr(table, of)] if table else []


def _fates(before: list[Ref], after: list[Ref]) -> Mapping[Ref, Fate]:
    """Return what is new and what is gone, in order."""
    new = {ref: Fate.NEW for ref in after if ref not in set(before)}
    return new | {ref: Fate.GONE for ref in before if ref not in set(after)}


def _cells(before: BenchmarkTable | None, after: BenchmarkTable | None) -> Iterator[CellChange]:
    old = before.cells if before else {}
    new = after.cells if after else {}
    for place in [*new, *(place for place in old if place not in new)]:
        if (change := _cell(old.get(place), new.get(place))) is not None:
            yield change


def _cell(then: Cell | None, now: Cell | None) -> CellChange | None:
    was, here = then.result if then else None, now.result if now else None
    if now is None or here is None:
        if then is None or was is None:
            return None
        return CellChange(then.model, then.dataset, Event.GONE, then.state, then.reason, was.source.id)
    replaces = was.source.id if was is not None and was.source.id != here.source.id else ""
    if was is None or replaces:
        event = Event.SUPERSEDED if replaces else Event.NEW
    elif then is not None and then.state is not now.state:
        events = {CellState.WITHDRAWN: Event.WITHDRAWN, CellState.DISPUTED: Event.DISPUTED}
        event = events.get(now.state, Event.RESTORED)
    elif then is not None and then.marks != now.marks:
        event = Event.MARKED
    else:
        return None
    reason = now.reason or ", ".join(now.marks)
    return CellChange(now.model, now.dataset, event, now.state, reason, here.source.id, replaces)


def _facts(before: BenchmarkTable | None, after: BenchmarkTable | None) -> Iterator[Fact]:
    if before is None or after is None:
        return
    yield from _differing(before.ranking, after.ranking, _RANKED_BY)
    if before.policy != after.policy:
        yield from _policy_facts(before.policy, after.policy)
    if before.marks != after.marks:
        yield Fact("standing", ", ".join(before.marks) or "in force", ", ".join(after.marks) or "in force")


def _policy_facts(before: PolicyFacts | None, after: PolicyFacts | None) -> Iterator[Fact]:
    if before is None or after is None:
        yield Fact("policy", "none" if before is None else "there", "none" if after is None else "there")
        return
    yield from _differing(before, after, _POLICY, but=("source",))


def _differing(before: Any, after: Any, names: Mapping[str, str], *, but: tuple[str, ...] = ()) -> Iterator[Fact]:
    """Yield the fields of two values of one dataclass that differ, by the names that people give them."""
    for one in fields(before):
        old, new = getattr(before, one.name), getattr(after, one.name)
        if one.name not in but and old != new:
            yield Fact(names.get(one.name, one.name.replace("_", " ")), _said(old), _said(new))


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"
