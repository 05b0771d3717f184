"""The data files of a benchmark, as its page lists them: every file that lies beside the page, and what a line is."""

from collections.abc import Iterator

from medperf_git.leaderboard.analysis import Analysis
from medperf_git.leaderboard.exports import is_whole
from medperf_git.leaderboard.firm_data import has_effects
from medperf_git.leaderboard.section_pairs import has_pairs
from medperf_git.leaderboard.words import Context


def data_files(analysis: Analysis) -> list[Context]:
    """List the files from the folder of the page, with what each holds."""
    return [{"url": url, "text": text} for url, text in _iter_files(analysis)]


def _iter_files(analysis: Analysis) -> Iterator[tuple[str, str]]:
    table = analysis.table
    yield "ranking.csv", "one line per model and ranking metric"
    whole = "one line per model, site and metric" if is_whole(table) else "one line per site, which names its files"
    yield "results.csv", whole
    for metric in table.metrics:
        yield f"wide/{metric.id}.csv", f"{metric.title}, a line per model and a column per site"
    if has_pairs(analysis):
        yield "pairs.csv", "every pair of models, with the tests"
    if has_effects(analysis):
        yield "effects.csv", "random effects of every model"
    yield "firm.json", "how firm the order is: rules, tests, effects"
    yield "hidden.csv", "results that are not shown, with the reason"
    yield "status.csv", "who is at which stage"
    yield "table.json", "everything, or where it lies"
    yield "badge.svg", "who is first, to show elsewhere"
    yield "embed.html", "a small table, for a frame on another site"
