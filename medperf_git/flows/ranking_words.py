"""What a change does to the rankings, in words, for a terminal and for the comment under a proposal.

Rules kept here: the first line answers whether any ranking changes; titles, names and reasons, which others may have
written, are quoted by the style; what is over a limit is counted, never dropped in silence.

for block in render_difference(difference, Style(quote=code, bold="**"), most=COMMENT): ...
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medperf_git.flows.comparing import Style, ordinal
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.analysis import Score
from medperf_git.leaderboard.difference import (
    BenchmarkDifference,
    CellChange,
    Coverage,
    Difference,
    Event,
    Fact,
    Fate,
    First,
    Move,
    Shift,
    Spot,
)
from medperf_git.leaderboard.text import fixed, listing, some, span, word
from medperf_git.records.names import Ref

NOTHING = "Nothing in any ranking changes"
LEGEND = (
    "In brackets: the interval over the sites, or their range where there are fewer than five. Rank without a site: "
    "the ranks when each site is left out in turn. Rank by tests: those that tests of all pairs leave open.\n"
)
_EVENTS: Mapping[Event, str] = {
    Event.NEW: "a new result",
    Event.SUPERSEDED: "a new result in place of",
    Event.WITHDRAWN: "withdrawn",
    Event.DISPUTED: "disputed",
    Event.RESTORED: "counts again",
    Event.GONE: "no longer there",
    Event.MARKED: "marked",
}
_COUNTED: tuple[tuple[Event, str], ...] = (
    (Event.NEW, "new"),
    (Event.SUPERSEDED, "superseding an earlier one"),
    (Event.WITHDRAWN, "withdrawn"),
    (Event.DISPUTED, "disputed"),
    (Event.RESTORED, "counting again"),
    (Event.GONE, "no longer there"),
    (Event.MARKED, "marked anew"),
)
_LONGEST = 160  # characters of a reason


@dataclass(frozen=True, slots=True)
class Limits:
    """How many benchmarks, and how many models, results and rules of each, are said one by one."""

    benchmarks: int
    lines: int


WHOLE = Limits(benchmarks=100_000, lines=100_000)
COMMENT = Limits(benchmarks=3, lines=6)


def render_difference(difference: Difference, style: Style, *, most: Limits = WHOLE) -> Iterator[str]:
    """Yield blocks of lines: the answer, then one block for each benchmark with something to say."""
    yield f"\n{style.heading}What this does to the ranking\n\n{_answer(difference)}\n"
    for one in difference.benchmarks[: most.benchmarks]:
        yield "".join(_benchmark(one, style, most.lines))
    if (more := len(difference.benchmarks) - most.benchmarks) > 0:
        yield f"\nAnd in {some(more, 'more benchmark')}.\n"
    if any(one.shifts for one in difference.benchmarks):
        yield f"\n{LEGEND}"
    for ref, reason in difference.left[: most.benchmarks]:
        yield f"\nNot looked at: {style.quote(str(ref))} ({style.quote(reason)}).\n"
    if (more := len(difference.left) - most.benchmarks) > 0:
        yield f"\nNor were {some(more, 'more benchmark')}.\n"


def _answer(difference: Difference) -> str:
    moved = sum(one.moves_ranking for one in difference.benchmarks)
    if not moved:
        left = f", as far as was looked: {some(len(difference.left), 'benchmark')} not" if difference.left else ""
        return f"{NOTHING}{left}."
    if len(difference.benchmarks) == 1:
        return "A ranking changes."
    return f"{some(moved, 'ranking changes', 'rankings change')}."


def _benchmark(one: BenchmarkDifference, style: Style, most: int) -> Iterator[str]:
    quote = style.quote
    yield f"\n{style.bold}{quote(str(one.ref))}{style.bold}, {quote(one.title)}\n\n"
    match one.fate:
        case Fate.NEW:
            beside = f", beside {quote(one.beside)}" if one.beside else ""
            yield f"- A new benchmark{beside}.\n"
        case Fate.GONE:
            yield "- It is no longer there.\n"
        case Fate.KEPT:
            pass
    yield from _first(one, quote)
    yield from _capped([_shift(shift, quote) for shift in one.shifts], most, "more model")
    yield from _coverage(one, quote)
    yield from _capped([_cell(change, quote) for change in one.cells], most, "more result")
    yield from _capped([_fact(fact, quote) for fact in one.facts], most, "more rule")


def _capped(lines: Sequence[str], most: int, what: str) -> Iterator[str]:
    """Yield lines, and how many more there are; one more than fits is said itself."""
    shown = lines if len(lines) <= most + 1 else lines[:most]
    yield from (f"- {line}.\n" for line in shown)
    if len(shown) < len(lines):
        yield f"- And {some(len(lines) - len(shown), what)}.\n"


def _first(one: BenchmarkDifference, quote: Callable[[str], str]) -> Iterator[str]:
    then, now = one.first
    if then.leaders != now.leaders:
        yield f"- First place: {_leaders(then, now, quote)}.\n"
    elif then.group != now.group:
        yield f"- First place stays with {_named(now.leaders, quote)}.\n"
    joined = [who for who in now.group if who[0] not in _refs(then.group)]
    left = [who for who in then.group if who[0] not in {*_refs(now.group), *_refs(now.leaders)}]
    if joined:
        yield f"- Cannot be told from first place now: {_named(joined, quote)}.\n"
    if left:
        yield f"- No longer beside first place: {_named(left, quote)}.\n"


def _leaders(then: First, now: First, quote: Callable[[str], str]) -> str:
    if not then.leaders:
        return f"{_named(now.leaders, quote)}; before there was none"
    if not now.leaders:
        return f"none any more; before {_named(then.leaders, quote)}"
    return f"{_named(now.leaders, quote)}, before {_named(then.leaders, quote)}"


def _named(who: Sequence[tuple[Ref, str]], quote: Callable[[str], str]) -> str:
    return listing([quote(title) for _, title in who])


def _refs(who: Sequence[tuple[Ref, str]]) -> set[Ref]:
    return {ref for ref, _ in who}


def _shift(shift: Shift, quote: Callable[[str], str]) -> str:
    name = f"{quote(shift.title)} ({quote(str(shift.model))})"
    then, now = shift.before, shift.after
    match shift.move:
        case Move.ENTERED:
            return f"{name} enters: {_spot(now, quote)}"
        case Move.LEFT:
            why = f" ({quote(_short(now.unranked))})" if now and now.unranked else ""
            return f"{name} leaves the ranking{why}; it was {_spot(then, quote)}"
        case Move.UNRANKED:
            return f"{name} has no place ({quote(_short(now.unranked if now else ''))})"
        case Move.UP | Move.DOWN:
            moved = f"{name} goes {shift.move.value}: {_places(then, now)}"
        case Move.RESCORED:
            moved = f"{name} stays {_place(now)}"
    return moved + "".join(f"; {figure}" for figure in _figures(then, now, quote))


def _places(then: Spot | None, now: Spot | None) -> str:
    return f"{_place(then)} → {_place(now)}"


def _place(spot: Spot | None) -> str:
    return f"{ordinal(spot.rank)} of {spot.of}" if spot and spot.rank is not None else "no place"


def _spot(spot: Spot | None, quote: Callable[[str], str]) -> str:
    scores = "".join(f"; {_score(score, quote)}" for score in spot.scores) if spot else ""
    ranks = [f"; {name} {_ranks(one)}" for name, one in _kinds_of_ranks(spot) if one] if spot else []
    return _place(spot) + "".join(ranks[:1]) + scores


def _figures(then: Spot | None, now: Spot | None, quote: Callable[[str], str]) -> Iterator[str]:
    """Yield the figures that changed: the ranks that stay possible, and each score with its interval."""
    if then is None or now is None:
        return
    for (name, was), (_, is_now) in zip(_kinds_of_ranks(then), _kinds_of_ranks(now), strict=True):
        if was != is_now:
            yield f"{name} {_ranks(was)} → {_ranks(is_now)}"
    earlier = {score.metric.id: score for score in then.scores}
    for score in now.scores:
        old = earlier.get(score.metric.id)
        was_text, text = _number(old) if old else "none", _number(score)
        name = f"{quote(score.metric.title)} {score.metric.arrow}"
        yield f"{name} {text}" if was_text == text else f"{name} {was_text} → {text}"


def _kinds_of_ranks(spot: Spot) -> tuple[tuple[str, tuple[int, int] | None], ...]:
    """Return the ranks that stay possible, the firmest kind first."""
    return ("rank by tests", spot.tested), ("rank without a site", spot.without)


def _ranks(ranks: tuple[int, int] | None) -> str:
    return span(*map(str, ranks)) if ranks else "not known"


def _score(score: Score, quote: Callable[[str], str]) -> str:
    return f"{quote(score.metric.title)} {score.metric.arrow} {_number(score)}"


def _number(score: Score) -> str:
    """Write a score, and its interval or range behind it."""
    decimals, interval = score.metric.decimals, score.interval
    if isinstance(interval, un.Undefined) or interval.kind is un.IntervalKind.SINGLE:
        return fixed(score.value, decimals)
    bounds = span(fixed(interval.low, decimals), fixed(interval.high, decimals))
    return f"{fixed(score.value, decimals)} ({bounds})"


def _coverage(one: BenchmarkDifference, quote: Callable[[str], str]) -> Iterator[str]:
    then, now = one.coverage
    if now is not None and (then is None or _rests_on(then) != _rests_on(now)):
        yield f"- It rests on {_rests_on(now)}{f', before on {_rests_on(then)}' if then else ''}.\n"
    for what, fates in (("model", one.models), ("site", one.sites)):
        for fate in (Fate.NEW, Fate.GONE):
            refs = [quote(str(ref)) for ref, became in fates.items() if became is fate]
            if refs and one.fate is Fate.KEPT:
                told = "New" if fate is Fate.NEW else "No longer there"
                yield f"- {told}: {some(len(refs), what)} ({listing(refs)}).\n"
    if len(one.cells) > 1:
        counts = [(sum(change.event is event for change in one.cells), words) for event, words in _COUNTED]
        failed = sum(change.event in (Event.NEW, Event.SUPERSEDED) and change.state == "failed" for change in one.cells)
        told = ", ".join(f"{word(number)} {words}" for number, words in counts if number)
        yield f"- Results: {told}{f'; {word(failed)} of them failed' if failed else ''}.\n"
    if one.comparisons:
        yield f"- Comparisons of models on the same cases: {some(one.comparisons, 'more', 'more')}.\n"


def _rests_on(coverage: Coverage) -> str:
    sites = f"{coverage.sites_ranked} of {some(coverage.sites, 'site')}"
    return f"{sites} and {coverage.counted} of {some(coverage.cells, 'cell')}"


def _cell(change: CellChange, quote: Callable[[str], str]) -> str:
    where = f"{quote(str(change.model))} at {quote(str(change.dataset))}"
    told = f"{_EVENTS[change.event]}{f' {quote(change.replaces)}' if change.replaces else ''}"
    state = "" if change.state == "complete" or change.event.value == change.state.value else f", {change.state}"
    reason = f" ({quote(_short(change.reason))})" if change.reason else ""
    return f"{where}: {told}{state}{reason}"


def _fact(fact: Fact, quote: Callable[[str], str]) -> str:
    return f"Changed: {fact.name}, {quote(_short(fact.before))} → {quote(_short(fact.after))}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
