"""A dataset's record as it would leave → the printed page about it."""

from collections.abc import Iterator, Sequence

from medperf_git.flows.paper_parts import (
    Leaving,
    Where,
    container_facts,
    count,
    decision,
    exact_bytes,
    named,
    recipients,
    shown,
)
from medperf_git.leaderboard.paper import Bullets, Facts, Grid, Section, Text
from medperf_git.records.folds import member_state
from medperf_git.records.models import Benchmark, Dataset
from medperf_git.records.view import RecordView

_PLAIN = (
    "The record holds the content digest: a number computed from every file, from which no file can be computed back.",
    (
        "Who has exactly the same prepared files can compute the same number, and so tell that this house holds them. "
        "For data that nobody else has, that says nothing; for a public collection it says which one."
    ),
)
_SALTED = (
    "The record holds a salted commitment: the content digest mixed with a random number that stays here.",
    (
        "Nobody can tell from it which files this house holds, not even who has the same files. Later the house can "
        "prove that it used exactly these, by showing the random number."
    ),
)
_ASKS = (
    "Where the house asks that the dataset may join “{}”, a second record does so, which is shown before it is sent: "
    "it names the dataset, the benchmark and its policy by their digests, and says nothing more about the data."
)
_STAYS = (
    "The raw data and labels, the prepared data and labels, their names and folders.",
    "Everything the preparator printed, and its report about single cases.",
)


def dataset_sections(
    view: RecordView,
    where: Where,
    leaving: Leaving,
    dataset: Dataset,
    *,
    benchmark: Benchmark | None = None,
    stays: Sequence[str] = (),
) -> Iterator[Section]:
    """Yield what a page says of a dataset before it is registered; the bytes come last, after the decision."""
    state = member_state(view, dataset.member)
    keys = state.cosigning.dataset if state and state.cosigning else 1
    asks = (Text(_ASKS.format(benchmark.title)),) if benchmark else ()
    yield Section("summary", "In short", (Facts(list(_facts(view, dataset))), *asks))
    yield Section("statistics", "What is told about the patients as a group", tuple(_statistics(dataset)))
    yield recipients(view, where, benchmark)
    salted = dataset.content.method == "mgds-v1-salted"
    words = (Bullets(_SALTED if salted else _PLAIN), Facts((), [("In the record", dataset.content.digest)]))
    yield Section(
        "content", "Which files it is about: salted" if salted else "Which files it is about: not salted", words
    )
    yield Section("stays", "What stays here", (Bullets((*_STAYS, *map(shown, stays))),))
    yield Section("limits", "Limits of this house for all results to come", tuple(_limits(dataset)))
    yield decision("It is about one record that describes a dataset; no data leave with it.", keys=keys)
    yield exact_bytes([leaving])


def lead_of(view: RecordView, dataset: Dataset) -> str:
    """Say in one sentence what would leave."""
    return (
        f"{named(view, [dataset.member])} would register the dataset “{dataset.title}”: a description of "
        f"{dataset.cases} cases as a group, no data, no labels, no single case."
    )


def sentence_of(view: RecordView, dataset: Dataset) -> str:
    """Say a dataset in one line of plain words."""
    number = len(dataset.statistics or {})
    how = "a salted commitment" if dataset.content.method == "mgds-v1-salted" else "its content digest"
    told = f"dataset {dataset.ref} of {named(view, [dataset.member])}: {dataset.cases} cases"
    return f"{told}, {count(number, 'statistic')}, {how}; no data"


def _facts(view: RecordView, dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield "Dataset", f"{dataset.title} ({dataset.ref})"
    if dataset.description:
        yield "Description", dataset.description
    yield "Cases", f"{dataset.cases}" if dataset.cases.exact is not None else f"{dataset.cases}, a range on purpose"
    yield container_facts(view, "Prepared by", dataset.preparator, None)
    acquired = dataset.acquisition
    if acquired:
        years = "–".join(dict.fromkeys(str(year) for year in (acquired.from_year, acquired.to_year) if year))
        told = (acquired.country, years, acquired.modality, acquired.equipment)
        yield "Acquired", ", ".join(one for one in told if one)
    if dataset.terms:
        yield "Terms of use", dataset.terms


def _statistics(dataset: Dataset) -> Iterator[Text | Grid]:
    if not dataset.statistics:
        yield Text("The number of cases, and no other statistic.")
        return
    rows = [[name, str(number)] for name, number in dataset.statistics.items()]
    yield Grid("Every statistic that would be published", ("Statistic", "Value"), rows, numbers_from=1)
    yield Text("Extremes, counts of few, and long decimals are refused: they could show a single patient.")


def _limits(dataset: Dataset) -> Iterator[Text | Facts]:
    own = dataset.disclosure
    if own is None:
        yield Text("None beyond those of the benchmark. Limits of one’s own can be given when the data are prepared.")
        return
    pairs = [("Fewest cases a value may rest on", own.min_cases), ("Most decimals of a value", own.decimals)]
    yield Facts([(name, str(number)) for name, number in pairs if number is not None])
    yield Text("Of these and the benchmark’s, the stricter one holds.")
