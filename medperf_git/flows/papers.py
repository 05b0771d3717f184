"""Printed pages: what a run, a dataset or a proposal would publish, for those who decide and sign."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medperf_git.errors import UsageProblem
from medperf_git.flows import paper_comparisons, paper_datasets, paper_results
from medperf_git.flows.datasets import DatasetReview
from medperf_git.flows.naming import find
from medperf_git.flows.paper_parts import Leaving, Where, count, exact_bytes, recipients
from medperf_git.flows.paper_results import Known, Shown, between, content_check
from medperf_git.flows.prepared import find_prepared, registry_stem
from medperf_git.flows.reviewing import RunReview
from medperf_git.flows.workspace import Workspace
from medperf_git.leaderboard.paper import Bullets, Paper, Section, is_paper, render_paper
from medperf_git.records.folds import Status, association_state
from medperf_git.records.layout import dataset_path
from medperf_git.records.models import Benchmark, Comparison, Dataset, Result
from medperf_git.records.record import read_record
from medperf_git.records.view import RecordView, record_at
from medperf_git.runner.durable import write_durably

_EYEBROW = "For the privacy officer and the physician in charge"


def where_of(workspace: Workspace) -> Where:
    """Return where records of this workspace go."""
    return Where(workspace.url, workspace.registry_id)


def review_paper(view: RecordView, where: Where, reviews: Sequence[RunReview]) -> Paper:
    """Return the page about what runs would publish; UsageProblem when nothing would leave."""
    reviews = [review for review in reviews if review.records]
    if not reviews:
        raise UsageProblem("nothing would leave, so there is nothing to print", hint="`medperf-git review` says why")
    parts: list[tuple[str, list[Section]]] = []
    for review in reviews:
        results = [
            Shown(
                Leaving(one.draft.path, one.data),
                one.result,
                _known(review, one.held_back, one.outcome.explanation, one.supersedes, one.result),
            )
            for one in review.records
        ]
        checks = tuple(_checks(view, review))
        sections = list(paper_results.result_sections(view, where, results, notes=review.notes, checks=checks))
        parts.append((paper_results.lead_of(view, results), sections))
    title = "What would leave this house: results"
    return _joined(title, parts, [f"Run {review.run_id}" for review in reviews])


def dataset_paper(
    view: RecordView,
    where: Where,
    leaving: Leaving,
    *,
    benchmark: Benchmark | None,
    stays: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> Paper:
    """Return the page about a dataset before it is registered."""
    record = read_record(leaving.path, leaving.data).stored
    if record is None or not isinstance(record.record, Dataset):
        raise UsageProblem(f"{leaving.path} is no record of a dataset", hint="prepare it again with other options")
    sections = paper_datasets.dataset_sections(view, where, leaving, record.record, benchmark=benchmark, stays=stays)
    title = "What would leave this house: the description of a dataset"
    lead = " ".join([paper_datasets.lead_of(view, record.record), *(f"Beware: {warning}." for warning in warnings)])
    return Paper(title, _EYEBROW, lead, tuple(sections))


def proposal_paper(view: RecordView, where: Where, proposal: str, records: Mapping[str, bytes]) -> Paper:
    """Return the page about a proposal that waits for a signature; it says what its records alone say."""
    leaving = [Leaving(path, data) for path, data in sorted(records.items())]
    known = {one.path: stored.record for one in leaving if (stored := read_record(one.path, one.data).stored)}
    groups: dict[tuple[str, str], list[Shown]] = {}
    parts: list[tuple[str, list[Section]]] = []
    rest = []
    for one in leaving:
        record = known.get(one.path)
        if isinstance(record, Result):
            about = (str(record.benchmark.ref), str(record.dataset.ref))
            groups.setdefault(about, []).append(Shown(one, record))
        elif isinstance(record, Dataset):
            sections = paper_datasets.dataset_sections(view, where, one, record)
            parts.append((paper_datasets.lead_of(view, record), list(sections)))
        elif isinstance(record, Comparison):
            sections = paper_comparisons.comparison_sections(view, where, one, record)
            parts.append((paper_comparisons.lead_of(view, record), list(sections)))
        else:
            rest.append(one)
    for results in groups.values():
        sections = paper_results.result_sections(view, where, results)
        parts.append((paper_results.lead_of(view, results), list(sections)))
    if rest:
        said = Bullets([f"{one.path}, {len(one.data)} bytes" for one in rest])
        lead = f"{count(len(rest), 'further record')} would be signed with it."
        parts.append(
            (lead, [Section("others", "Further records", (said,)), recipients(view, where, None), exact_bytes(rest)])
        )
    return _joined("What is to be signed", parts, [f"Proposal {proposal}"])


def proposal_sentences(view: RecordView, records: Mapping[str, bytes]) -> Iterator[str]:
    """Say in one line each what results, comparisons and datasets of a proposal publish."""
    for path, data in sorted(records.items()):
        stored = read_record(path, data).stored
        record = stored.record if stored else None
        if isinstance(record, Result):
            yield paper_results.sentence_of(view, record)
        elif isinstance(record, Dataset):
            yield paper_datasets.sentence_of(view, record)
        elif isinstance(record, Comparison):
            yield paper_comparisons.sentence_of(view, record)


def write_dataset_page(workspace: Workspace, name: str, review: DatasetReview, out: Path) -> None:
    """Write the page about a prepared dataset before it is registered."""
    prepared = find_prepared(workspace.context.home, name, registry=registry_stem(workspace.registry_id))
    benchmark = find(workspace.view, Benchmark, prepared.benchmark, member=None).record
    leaving = Leaving(review.path, review.record)
    where = where_of(workspace)
    said = {"stays": review.stays, "warnings": review.warnings}
    write_paper(dataset_paper(workspace.view, where, leaving, benchmark=benchmark, **said), out)


def write_paper(paper: Paper, path: Path) -> None:
    """Write a page for printing, in place of an older one; refuses to write over anything else."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageProblem(f"{path} would be no web page", hint="name it .html; a browser prints it, also as PDF")
    if path.exists() and (not path.is_file() or not is_paper(path.read_bytes())):
        raise UsageProblem(f"{path} exists and is no page that was made here", hint="choose another --out")
    if not path.absolute().parent.is_dir():
        raise UsageProblem(f"there is no folder {path.absolute().parent}", hint="make it, or choose another --out")
    write_durably(path, render_paper(paper))


def _known(review: RunReview, held_back: tuple[str, ...], explanation: str, supersedes: str, result: Result) -> Known:
    before, after = between(review.looks, result.started, result.finished)
    return Known(held_back, explanation, supersedes, before, after)


def _checks(view: RecordView, review: RunReview) -> Iterator[str]:
    dataset = record_at(view, dataset_path(review.dataset), Dataset)
    if dataset:
        yield content_check(dataset.content.digest, dataset.content.method)
    if review.looks:
        times = ", ".join(f"{time} ({moment})" for moment, time in review.looks[-6:])
        more = f"; {len(review.looks)} times in all, the latest" if len(review.looks) > 6 else ""
        yield f"The data were found unchanged{more}: {times}."
    state = association_state(view, review.benchmark, "dataset", review.dataset)
    if state.status is Status.APPROVED:
        yield "When this page was made, the benchmark’s committee approved of this dataset and of every model on it."
    elif state.status:
        yield f"When this page was made, the dataset in the benchmark was: {state.status}."


def _joined(title: str, parts: Sequence[tuple[str, Sequence[Section]]], names: Sequence[str]) -> Paper:
    """Put several subjects on one page, each with headings and places of its own."""
    eyebrow = f"{_EYEBROW} · {', '.join(names)}"
    if len(parts) == 1:
        lead, only = parts[0]
        return Paper(title, eyebrow, lead, tuple(only))
    sections = [
        replace(section, anchor=f"part-{number}-{section.anchor}", title=f"{number}. {section.title}")
        for number, (_, sections) in enumerate(parts, start=1)
        for section in sections
    ]
    lead = " ".join(f"({number}) {told}" for number, (told, _) in enumerate(parts, start=1))
    return Paper(title, eyebrow, lead, tuple(sections))
