"""Comparisons as they would leave → the printed page about them: how models compare on the same cases, in groups."""

from collections.abc import Iterator

from medperf_git.flows.paper_parts import Leaving, Where, bare, count, decision, exact_bytes, model_title, recipients
from medperf_git.leaderboard.paper import Block, Facts, Grid, Section, Text
from medperf_git.records import layout
from medperf_git.records.folds import member_state
from medperf_git.records.models import Benchmark, Comparison
from medperf_git.records.view import RecordView, record_at


def comparison_sections(view: RecordView, where: Where, leaving: Leaving, one: Comparison) -> Iterator[Section]:
    """Yield what a page says of one comparison; the bytes come last, after the decision."""
    benchmark = record_at(view, layout.benchmark_path(one.benchmark.ref), Benchmark)
    state = member_state(view, one.dataset.ref.member)
    keys = state.cosigning.result if state and state.cosigning else 1
    yield Section("summary", "In short", tuple(_summary(view, leaving, one)))
    yield recipients(view, where, benchmark)
    yield decision("It is about one record that compares models with one another on the same cases.", keys=keys)
    yield Section("pairs", "Model against model", tuple(_pairs(view, one)), annex=True)
    yield exact_bytes([leaving])


def lead_of(view: RecordView, one: Comparison) -> str:
    """Say in one sentence what would leave."""
    return f"{sentence_of(view, one)}. It tells nothing of a single case."


def sentence_of(view: RecordView, one: Comparison) -> str:
    """Say a comparison in one line of plain words."""
    benchmark = record_at(view, layout.benchmark_path(one.benchmark.ref), Benchmark)
    titles = {metric.id: metric.title for metric in benchmark.metrics} if benchmark else {}
    models, metric = count(len(one.models), "model"), titles.get(one.metric, one.metric)
    return f"comparison of {models} on {one.dataset.ref} by {metric}, over the {one.n} cases that all of them have"


def _summary(view: RecordView, leaving: Leaving, one: Comparison) -> Iterator[Block]:
    yield Text(
        "For each model its mean and mean rank, for each pair how often either was better, and how the models vary "
        "together (covariances): numbers over all of the cases that they share."
    )
    rows = [
        [model_title(view, model.ref), str(model.ref), str(model.mean), str(model.mean_rank)] for model in one.models
    ]
    yield Grid("The models that are compared", ("Model", "Version", "Mean", "Mean rank"), rows, numbers_from=2)
    yield Facts([("Cases", str(one.n)), ("Program", one.client)], [("SHA-256 to be signed", bare(leaving.digest))])


def _pairs(view: RecordView, one: Comparison) -> Iterator[Block]:
    names = [model_title(view, model.ref) for model in one.models]
    yield Text(
        "Each line compares two models on the cases that both have: the mean difference (first minus second, positive "
        "where the first is better), its standard deviation, and on how many cases either was better."
    )
    rows = [
        [
            f"{names[pair.first - 1]} against {names[pair.second - 1]}",
            *map(str, (pair.n, pair.difference, pair.sd, pair.wins, pair.ties, pair.losses)),
        ]
        for pair in one.pairs
    ]
    heads = ("Models", "Cases", "Difference", "Standard deviation", "First better", "Equal", "Second better")
    yield Grid("Every pair of models", heads, rows, numbers_from=1)
