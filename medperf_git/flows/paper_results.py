"""Results as they would leave → the printed page about them: the summary first, the letters last.

What only this machine knows (what was held back, why a model failed, when the data were looked at) is said on the
page of a run; a second signer elsewhere sees the same page without it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from medperf_git.flows.paper_parts import (
    Leaving,
    Where,
    bare,
    container_facts,
    count,
    decision,
    exact_bytes,
    model_title,
    named,
    recipients,
    shown,
)
from medperf_git.leaderboard.paper import Block, Bullets, Facts, Grid, Head, Section, Text
from medperf_git.leaderboard.reading import REASONS
from medperf_git.records import layout
from medperf_git.records.digests import Digest
from medperf_git.records.folds import member_state, policy_state
from medperf_git.records.models import Benchmark, Dataset, Metric, MetricValue, Result
from medperf_git.records.view import RecordView, record_at

_MOST_COLUMNS = 3
_REDUCTIONS = {"none": "one number over all cases", "mean": "mean over the cases", "median": "median of the cases"}
_ABSENT = {"undefined": "undefined", "failed": "no value", "held-back": "held back"}
_SANDBOX = {
    "strict": (
        "The container had no network at all: no way out of the machine, no name look-up, nothing to listen on.",
        "Data and labels were mounted read-only. A model was given the data and never the labels.",
        "Its own files were read-only; it wrote to a fresh temporary folder and to one output folder, both limited.",
        (
            "It ran as an ordinary user without any privilege, with limits on memory, processors, processes, files and "
            "time, and every container was removed at its end."
        ),
        "A short probe had checked before that these limits take effect on this machine.",
    ),
    "unlimited": (
        (
            "The house chose a container engine that does not keep every limit (profile “unlimited”): this container "
            "could take more memory, processes or space on the disk than it was given."
        ),
        (
            "In all else it was as closed as the strict sandbox: no network, data and labels read-only, its own files "
            "read-only, an ordinary user without any privilege, limits on time and on what it wrote."
        ),
    ),
    "compat": (
        (
            "The house chose a wider sandbox for this container (profile “compat”): inside the container it ran as its "
            "own administrator, without any privilege outside it, and could write to its own files, up to a limit."
        ),
        "As with all others: no network, data and labels read-only, limits on memory, processes and time.",
    ),
}
_STAYS = (
    "The patients’ data, the labels, and everything that the preparation made of them.",
    "The predictions of the models for the single cases, and the values of single cases.",
    "What the containers printed (their logs), and why a model failed beyond the one word in the record.",
    "Every number that the benchmark did not declare, names of files and machines, and who sat at the machine.",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What only the machine knows on which a model ran."""

    held_back: tuple[str, ...] = ()
    explanation: str = ""
    supersedes: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One result with what is known of it here."""

    leaving: Leaving
    result: Result
    known: Known = field(default_factory=Known)

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"result-{bare(self.leaving.digest)[:12]}"


def result_sections(
    view: RecordView, where: Where, results: Sequence[Shown], *, notes: Sequence[str] = (), checks: Sequence[str] = ()
) -> Iterator[Section]:
    """Yield what a page says of results on one dataset in one benchmark; the bytes come last, after the decision."""
    first = results[0].result
    benchmark = record_at(view, layout.benchmark_path(first.benchmark.ref), Benchmark)
    dataset = record_at(view, layout.dataset_path(first.dataset.ref), Dataset)
    metrics = benchmark.metrics if benchmark else ()
    state = member_state(view, first.dataset.ref.member)
    keys = state.cosigning.result if state and state.cosigning else 1
    yield Section("summary", "In short", tuple(_summary(view, results, benchmark, notes)))
    yield recipients(view, where, benchmark)
    yield Section("held-back", "What was held back, and by which limit", tuple(_held_back(view, results, dataset)))
    yield Section("stays", "What stays here", (Bullets(_STAYS),))
    yield Section("how", "How the numbers came about", tuple(_how(view, results)))
    yield Section("checks", "What was checked", (Bullets((*checks, *_checks())),))
    yield decision(f"It is about {count(len(results), 'record')}, listed under “In short”.", keys=keys)
    one_by_one = [block for one in results for block in _one(view, one, metrics)]
    yield Section("results", "Result by result", one_by_one, annex=True)
    yield exact_bytes([one.leaving for one in results])


def lead_of(view: RecordView, results: Sequence[Shown]) -> str:
    """Say in one sentence what would leave."""
    first = results[0].result
    size = sum(len(one.leaving.data) for one in results)
    dataset = record_at(view, layout.dataset_path(first.dataset.ref), Dataset)
    what = f"“{dataset.title}” ({first.dataset.ref})" if dataset else str(first.dataset.ref)
    return (
        f"{named(view, [first.dataset.ref.member])} would publish {count(len(results), 'result')} on {what}, "
        f"over {first.cases} cases: numbers about groups of patients, {count(size, 'byte')} in all, and no data."
    )


def sentence_of(view: RecordView, result: Result) -> str:
    """Say one result in one line of plain words."""
    told = f"{model_title(view, result.model.ref)} ({result.model.ref}) on {result.dataset.ref}: {outcome_of(result)}"
    benchmark = record_at(view, layout.benchmark_path(result.benchmark.ref), Benchmark)
    titles = {metric.id: metric.title for metric in benchmark.metrics} if benchmark else {}
    values = [f"{titles.get(key, key)} {value_text(value)}" for key, value in (result.values or {}).items()]
    return "; ".join((f"result of {told}", *values))


def outcome_of(result: Result) -> str:
    """Say how a model ended."""
    if result.outcome == "failed":
        return f"failed: {REASONS.get(result.reason or '', 'no reason is given')}"
    return {"complete": "complete", "partial": "partial: not every case has a value"}[result.outcome]


def value_text(value: MetricValue, unit: str = "") -> str:
    """Return the exact value with its unit, or the word for its absence."""
    if value.value is None:
        return _ABSENT.get(value.absent or "", "no value")
    return f"{value.value} {unit}" if unit not in ("", "1") else str(value.value)


def _summary(
    view: RecordView, results: Sequence[Shown], benchmark: Benchmark | None, notes: Sequence[str]
) -> Iterator[Block]:
    ends = {word: sum(one.result.outcome == word for one in results) for word in ("complete", "partial", "failed")}
    yield Text("; ".join(f"{number} {word}" for word, number in ends.items() if number) + ".", strong=True)
    yield Text(_smallest(results))
    ranked = benchmark.ranking.metrics[:_MOST_COLUMNS] if benchmark else ()
    metrics = [metric for metric in (benchmark.metrics if benchmark else ()) if metric.id in ranked]
    rows = [
        [
            model_title(view, one.result.model.ref),
            one.result.outcome,
            *(_value_of(one.result, metric) for metric in metrics),
            bare(one.leaving.digest)[:12],
        ]
        for one in results
    ]
    heads = ["Model", "It ended", *(f"{one.title}, {one.direction} is better" for one in metrics), "SHA-256 begins"]
    caption = "Every record that would leave; all its values are under “Result by result”"
    yield Grid(caption, heads, rows, numbers_from=2, links=[one.anchor for one in results])
    if notes:
        yield Text("Not among them:")
        yield Bullets([shown(note) for note in notes])


def _smallest(results: Sequence[Shown]) -> str:
    """Say on how few patients a published value rests."""
    values = [value for one in results for value in (one.result.values or {}).values() if value.value is not None]
    numbers = [value.n for value in values if value.n is not None]
    if not values:
        return "No value would be published."
    if not numbers:
        return "Numbers of cases behind the values are not published."
    return f"The smallest group of patients that a published value rests on has {count(min(numbers), 'case')}."


def _value_of(result: Result, metric: Metric) -> str:
    value = (result.values or {}).get(metric.id)
    return value_text(value, metric.unit) if value else "–"


def _held_back(view: RecordView, results: Sequence[Shown], dataset: Dataset | None) -> Iterator[Block]:
    policy = policy_state(view, results[0].result.benchmark.ref)
    own = dataset.disclosure if dataset else None
    yield Text(
        "Of this house’s limits and the benchmark’s, the stricter one holds; the check of the record enforces it again."
    )
    yield Grid(
        "The limits", ("Limit", "This house’s own", "The benchmark’s", "Holds"), _limits(own, policy), numbers_from=1
    )
    yield Text(
        "A value is also held back when a value over almost the same cases is public: the two together would show "
        "what the few cases between them contribute."
    )
    told = _together(view, [(one, shown(sentence)) for one in results for sentence in one.known.held_back])
    absent = [
        (one, f"{key} is held back; the record says so in its place")
        for one in results
        for key, value in (one.result.values or {}).items()
        if value.absent == "held-back" and not one.known.held_back
    ]
    told += _together(view, absent)
    yield Bullets(told) if told else Text("Nothing had to be held back.")


def _together(view: RecordView, told: Iterable[tuple[Shown, str]]) -> list[str]:
    """Say each sentence once, with all the models that it is about."""
    about: dict[str, list[str]] = {}
    for one, sentence in told:
        about.setdefault(sentence, []).append(model_title(view, one.result.model.ref))
    return [f"{', '.join(models)}: {sentence}" for sentence, models in about.items()]


def _limits(own: object, policy: object) -> list[list[str]]:
    disclosure = getattr(policy, "disclosure", None)
    rows = []
    for name, title, stricter in (
        ("min_cases", "Fewest cases a value may rest on", max),
        ("decimals", "Most decimals of a value", min),
    ):
        mine, theirs = getattr(own, name, None), getattr(disclosure, name, None)
        said = [number for number in (mine, theirs) if number is not None]
        rows.append(
            [
                title,
                *("none" if one is None else str(one) for one in (mine, theirs)),
                str(stricter(said)) if said else "none",
            ]
        )
    numbers = {"exact": "exact", "bucket": "ranges only"}.get(getattr(disclosure, "n", "exact"), "exact")
    return [*rows, ["How numbers of cases are written", "none", numbers, numbers]]


def _how(view: RecordView, results: Sequence[Shown]) -> Iterator[Block]:
    first = results[0].result
    pairs = [
        container_facts(view, "Data prepared by", first.data_preparator, None),
        container_facts(view, "Values computed by", first.metrics_cube, first.images.metrics),
    ]
    yield Text("Each model ran by itself, as a container, on this house’s own machine.")
    for profile in sorted({one.result.sandbox for one in results}):
        ran = [model_title(view, one.result.model.ref) for one in results if one.result.sandbox == profile]
        yield Text(
            f"Sandbox “{profile}”, for {count(len(ran), 'model')}:"
            if len(ran) > 1
            else f"Sandbox “{profile}”, for {ran[0]}:"
        )
        yield Bullets(_SANDBOX[profile])
    engines = sorted({f"{one.result.engine.name} {one.result.engine.version}" for one in results})
    clients = sorted({one.result.client for one in results})
    yield Facts([*pairs, ("Container engine", ", ".join(engines)), ("Program", ", ".join(clients))])


def _checks() -> tuple[str, ...]:
    return (
        "Every container was started by the digest of its image, never by a name that somebody could turn elsewhere.",
        "Each record names the digests of the benchmark, the dataset, the model and both other containers.",
        "Each record has the form that the registry asks for: no free text, no file name, no host name, no case.",
        "The house vouches for the result itself (“self-attested”): nobody else saw it run.",
    )


def _one(view: RecordView, one: Shown, metrics: Sequence[Metric]) -> Iterator[Block]:
    result, known = one.result, one.known
    yield Head(f"{model_title(view, result.model.ref)} ({result.model.ref})", one.anchor)
    pairs = [("It ended", outcome_of(result)), container_facts(view, "Model", result.model, result.images.model)]
    pairs += [("Ran", f"{result.started} to {result.finished}, attempt {result.attempt}")]
    if known.before or known.after:
        said = f"before it ran: {known.before or 'not noted'}; after it: {known.after or 'not noted'}"
        pairs.append(("Data verified", said))
    pairs += [("Replaces", f"the result {known.supersedes}, which stays in the history")] if known.supersedes else []
    pairs += [("Stays here", shown(known.explanation))] if known.explanation else []
    used = result.parameters
    digests = (("model", used.model), ("metrics", used.metrics)) if used else ()
    exact = [("Image of the model", result.images.model)]
    exact += [(f"Parameters, {name}", digest) for name, digest in digests if digest]
    yield Facts(pairs, [*exact, ("SHA-256 to be signed", bare(one.leaving.digest))])
    if result.values:
        yield _values(result.values, metrics, str(one.result.model.ref))


def _values(values: Mapping[str, MetricValue], metrics: Sequence[Metric], what: str) -> Grid:
    known = {metric.id: metric for metric in metrics}
    heads = ("Metric", "Meaning", "Value", "Standard deviation", "Cases", "Failed", "Undefined")
    rows = [row for key, value in values.items() for row in _rows(key, value, known.get(key))]
    return Grid(f"Values of {what}, exactly as they would be published", heads, rows, numbers_from=2)


def _rows(key: str, value: MetricValue, metric: Metric | None) -> Iterator[list[str]]:
    """Yield the row of a value, and one more for each quantile and for pooled counts, where there are any."""
    title, unit = (metric.title, metric.unit) if metric else (key, "")
    numbers = [str(one) if one is not None else "–" for one in (value.sd, value.n, value.n_failed, value.n_undefined)]
    yield [
        f"{title} ({key})" if metric else key,
        meaning_of(metric) if metric else "–",
        value_text(value, unit),
        *numbers,
    ]
    places = (metric.quantiles if metric else None) or ()
    for number, quantile in enumerate(value.quantiles or ()):
        place = f"{places[number]}" if number < len(places) else f"number {number + 1}"
        told = "so many of the cases lie below this value"
        yield [f"{title}, quantile {place}", told, value_text(MetricValue(quantile), unit), *["–"] * 4]
    if value.counts:
        counts = ", ".join(map(str, value.counts))
        yield [f"{title}, counts", "numbers of cases or findings, to be added up over sites", counts, *["–"] * 4]


def meaning_of(metric: Metric) -> str:
    """Say what a metric's number is."""
    unit = "" if metric.unit in ("", "1") else f" {metric.unit}"
    span = f"{metric.range.min} to {metric.range.max}{unit}"
    return f"{_REDUCTIONS[metric.reduction]}, from {span}; {metric.direction} is better"


def between(looks: Sequence[tuple[str, str]], started: str, finished: str) -> tuple[str, str]:
    """Return when the data were last looked at before a model ran, and first after; empty where nobody noted it."""
    before = [time for _, time in looks if time <= started]
    after = [time for _, time in looks if time >= finished]
    return max(before, default=""), min(after, default="")


def content_check(digest: Digest, method: str) -> str:
    """Say against what the data were compared."""
    salted = " through the salt that stays here" if method == "mgds-v1-salted" else ""
    return f"Every file of the dataset was read and compared with what was registered{salted}: {digest}."
