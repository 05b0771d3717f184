"""What a proposal does to the rankings, and how its results compare, behind a verdict that it never touches.

Rules kept here: the judge has spoken before anything is compared; what goes wrong here is a sentence; nothing is
compared that would be refused. Names, titles and reasons, which others may have written, are quoted by the style;
all else is our own words.

checked = with_comparison(checked)
blocks = render_comparison(checked.comparison, Style(quote=code, bold="**", heading="#### "))
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from medperf_git.errors import MedperfGitError
from medperf_git.flows.checking import Checked
from medperf_git.leaderboard import uncertainty as un
from medperf_git.leaderboard.affected import affected
from medperf_git.leaderboard.comparison import (
    DIGITS,
    FEWEST,
    MOST_RESULTS,
    OUTLYING,
    Comparison,
    MetricComparison,
    Place,
    ResultComparison,
    RobustZ,
    Twin,
    compare_results,
)
from medperf_git.leaderboard.difference import Difference, compare_rankings
from medperf_git.leaderboard.sides import Tables
from medperf_git.leaderboard.tables import CellState, Hidden
from medperf_git.leaderboard.text import fixed, listing, some, span, word
from medperf_git.policy.change import Change
from medperf_git.policy.verdict import Outcome
from medperf_git.records.layout import Kind, place_of
from medperf_git.records.names import Ref

RULE = (
    f"↑ higher is better, ↓ lower is better. An outlier is a value whose robust z is above {OUTLYING} in size: its "
    f"distance from the median, in median absolute deviations times 1.4826. With fewer than {word(FEWEST)} values "
    "nothing is said. An outlier is no fault; it is a reason to look again.\n"
)
_REASON = 200  # characters; a reason may name every site that a model lacks
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True, slots=True)
class Style:
    """How a reader's page marks what others wrote, what is bold, and a heading."""

    quote: Callable[[str], str]
    bold: str = ""
    heading: str = ""


def with_comparison(checked: Checked) -> Checked:
    """Add what the change does to the rankings, and how its results compare; as it is where it does neither.

    The verdict stays as it is, always.
    """
    change = checked.change
    paths = [path for path in change.added if _is_result(path)] if change else []
    if change is None:
        return checked
    if checked.verdict.outcome not in (Outcome.PASS, Outcome.NEEDS_PERSON):
        reason = "results are compared once nothing is wrong with them"
        return replace(checked, comparison=_none_of(paths, reason)) if paths else checked
    tables = Tables(change.before, change.after)
    ranking = _ranked(change, tables)
    if ranking is None and not paths:
        return checked
    return replace(checked, ranking=ranking, comparison=_compared(change, paths, tables) if paths else None)


def render_comparison(comparison: Comparison, style: Style) -> Iterator[str]:
    """Yield blocks of lines: a heading, one block for each result, what was left out, how to read it."""
    quote = style.quote
    if comparison.results or comparison.left:
        yield f"\n{style.heading}How it compares\n"
    for result in comparison.results:
        yield "".join(_result(result, style))
    reasons: dict[str, int] = {}
    for left in comparison.left:
        reasons[left.reason] = reasons.get(left.reason, 0) + 1
    for reason, number in reasons.items():
        yield f"\nNot compared: {some(number, 'result')} ({quote(reason)}).\n"
    if any(one.metrics and one.result.values for one in comparison.results):
        yield f"\n{RULE}"


def _is_result(path: str) -> bool:
    place = place_of(path)
    return place is not None and place.kind is Kind.RESULT


def _none_of(paths: list[str], reason: str) -> Comparison:
    return Comparison((), tuple(Hidden(path, reason) for path in sorted(paths)))


def _ranked(change: Change, tables: Tables) -> Difference | None:
    """Compare the rankings before and after; None where the change is about people only, and moves nothing."""
    refs: tuple[Ref, ...] = ()
    try:
        refs = affected(change.before, change.after, change.added)
        difference = compare_rankings(tables, refs, most_results=MOST_RESULTS)
    except MedperfGitError as problem:
        return _not_ranked(refs, f"that could not be done: {problem.message}")
    except Exception as fault:  # noqa: BLE001  (whatever it is, the verdict must be told)
        return _not_ranked(refs, f"that could not be done: {type(fault).__name__}; please report this as a bug")
    told = any(_is_shown(path) for path in change.added)
    return difference if told or difference.benchmarks or difference.left else None


def _is_shown(path: str) -> bool:
    place = place_of(path)
    return place is not None and place.kind not in (Kind.REGISTRY, Kind.MEMBER, Kind.CUBE, Kind.DATASET)


def _not_ranked(refs: Iterable[Ref], reason: str) -> Difference | None:
    left = tuple((ref, reason) for ref in refs)
    return Difference((), left=left) if left else None


def _compared(change: Change, paths: list[str], tables: Tables) -> Comparison:
    try:
        return compare_results(change.before, change.after, paths, tables)
    except MedperfGitError as problem:
        return _none_of(paths, f"that could not be done: {problem.message}")
    except Exception as fault:  # noqa: BLE001  (whatever it is, the verdict must be told)
        return _none_of(paths, f"that could not be done: {type(fault).__name__}; please report this as a bug")


def _result(one: ResultComparison, style: Style) -> Iterator[str]:
    result, quote = one.result, style.quote
    where = f"{quote(str(result.model))} on {quote(str(result.dataset))} in {quote(str(result.benchmark))}"
    replaced = f"; it replaces result {quote(one.replaces)}" if one.replaces else ""
    yield f"\n{style.bold}{where}{style.bold}\n\n- {_outcome(one, quote)}{replaced}.\n"
    if not result.values:
        return
    for metric in one.metrics:
        yield from _metric(metric, quote, counted=one.counted)
    yield f"- Over the sites: {_overall(one, quote)}.\n"
    if one.twins:
        yield f"- ⚠️ Equal to {_twins(one.twins, quote)}.\n"


def _twins(twins: tuple[Twin, ...], quote: Callable[[str], str]) -> str:
    """Name the models with the same values, a few at most, and say whether their containers are the same too."""
    names = listing([quote(str(twin.model)) for twin in twins])
    same = sum(twin.same_image for twin in twins)
    images = "the same image" if same == len(twins) else "different images"
    if 0 < same < len(twins):
        images = f"the same image in {same} of {len(twins)} cases"
    return (
        f"{names} at this site in every metric, to {word(DIGITS)} significant digits: the same container, or copied "
        f"numbers? The records name {images}"
    )


def _outcome(one: ResultComparison, quote: Callable[[str], str]) -> str:
    result = one.result
    match result.state:
        case CellState.FAILED:
            return f"The run failed: {quote(result.reason)}. It brings no value and takes no part in the ranking"
        case CellState.PARTIAL:
            return f"A partial run over {quote(result.cases)} cases: it counts, and is marked"
        case CellState.COMPLETE:
            return f"A complete run over {quote(result.cases)} cases"
        case _:
            return f"It is {result.state} and counts in no ranking"


def _metric(one: MetricComparison, quote: Callable[[str], str], *, counted: int) -> Iterator[str]:
    decimals = one.metric.decimals
    value = "undefined" if one.value is None else fixed(one.value, decimals)
    earlier = "" if one.earlier is None else f" (before: {fixed(one.earlier, decimals)})"
    place = _place(one.place, "at this site", quote)
    yield f"- {quote(one.metric.title)} {one.metric.arrow} {value}{earlier}: {place}.\n"
    if one.score is not None or isinstance(one.interval, un.Interval):
        yield f"  - Over the sites: {_score(one, counted)}.\n"
    for z, among in ((one.among_models, "the models at this site"), (one.among_sites, "the sites of this model")):
        yield f"  - {_outlier(z, among)}.\n"


def _score(one: MetricComparison, counted: int) -> str:
    """Say the score over the sites that count for all models, and the interval over all sites of this one."""
    decimals = one.metric.decimals
    told = (
        "" if one.score is None else f"mean {fixed(one.score, decimals)} of the {some(counted, 'site')} in the ranking"
    )
    if not isinstance(one.interval, un.Interval):
        return told
    bounds = span(fixed(one.interval.low, decimals), fixed(one.interval.high, decimals))
    sites = some(one.interval.sites, "site")
    kinds = {
        un.IntervalKind.EXACT: f"95 % interval {bounds} over its {sites} (exact site bootstrap)",
        un.IntervalKind.DRAWN: f"95 % interval {bounds} over its {sites} (site bootstrap)",
        un.IntervalKind.RANGE: f"range {bounds} over its {sites}, too few for an interval",
        un.IntervalKind.EFFECTS: f"95 % interval {bounds} over its {sites} (random effects)",
        un.IntervalKind.SINGLE: "a value at one site only, so there is no interval",
    }
    return "; ".join(filter(None, (told, kinds[one.interval.kind])))


def _outlier(z: RobustZ | un.Undefined, among: str) -> str:
    if isinstance(z, un.Undefined):
        return f"Outlier among {among}? {z.reason[:1].upper()}{z.reason[1:]}"
    told = f"robust z {fixed(z.z, 1)} among {z.values} values"
    return f"⚠️ An outlier among {among}: {told}" if z.outlying else f"No outlier among {among}: {told}"


def _overall(one: ResultComparison, quote: Callable[[str], str]) -> str:
    sites = f"by the {some(one.counted, 'site')} in the ranking"
    now = _place(one.overall, sites, quote)
    if one.overall_before == one.overall or not isinstance(one.overall, Place):
        return now
    if isinstance(one.overall_before, Place):
        return f"{now}; on main as it is: {ordinal(one.overall_before.rank)} of {one.overall_before.of}"
    return f"{now}; on main as it is: no place"


def _place(place: Place | un.Undefined, where: str, quote: Callable[[str], str]) -> str:
    if isinstance(place, un.Undefined):
        reason = place.reason if len(place.reason) <= _REASON else f"{place.reason[: _REASON - 1]}…"
        return f"no place ({quote(reason)})"
    if place.of == 1:
        return f"the only model with a value {where}"
    shared = f", shared with {place.shared}" if place.shared else ""
    return f"{ordinal(place.rank)} of {place.of} {where}{shared}"


def ordinal(number: int) -> str:
    """Write 1st, 2nd, 3rd, 4th, 11th, 21st."""
    return f"{number}{'th' if number % 100 in (11, 12, 13) else _SUFFIXES.get(number % 10, 'th')}"
