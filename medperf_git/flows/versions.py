"""What a new version of a dataset would give away beside those before it (T65, ADR 9), said before anything is sent."""

from collections.abc import Iterator
from pathlib import Path

from medperf_git.errors import EnvironmentProblem, UsageProblem
from medperf_git.flows.disclosure import limits_of, site_limits
from medperf_git.flows.naming import find
from medperf_git.flows.prepared import Prepared, prepared_for
from medperf_git.records import layout
from medperf_git.records.models import Benchmark, Dataset, SiteDisclosure
from medperf_git.records.view import RecordView, record_at, versions_of


def near_versions(view: RecordView, prepared: Prepared, *, member: str, home: Path) -> tuple[str, ...]:
    """Return a sentence for each registered version of the same name over almost the same number of cases.

    Withdrawn ones too: they were read. Where the benchmark publishes numbers of cases as ranges nothing is compared.
    """
    benchmark = find(view, Benchmark, prepared.benchmark, member=None)
    words = prepared.words
    limits = limits_of(view, benchmark.ref, SiteDisclosure(words.get("min_cases"), words.get("decimals")))
    if not limits.exact:
        return ()
    said = []
    for other in _registered(view, member, prepared.name):
        there = other.cases.exact or _cases_here(home, other)
        least = max(limits.min_cases, limits_of(view, benchmark.ref, site_limits(other)).min_cases)
        if there is None or other.content.digest == prepared.published_digest:
            continue
        if 0 < (few := abs(prepared.cases - there)) < least:
            shows = "one of them contributes" if few == 1 else f"{few} of them contribute"
            said.append(
                f"{other.ref} has {there} cases, this one {prepared.cases}; values over both would show what {shows}: "
                f"of two values one is held back until at least {least} cases differ"
            )
    return tuple(said)


def _registered(view: RecordView, member: str, name: str) -> Iterator[Dataset]:
    for ref in versions_of(view, "datasets", member=member, name=name):
        record = record_at(view, layout.dataset_path(ref), Dataset)
        if record is not None:
            yield record


def _cases_here(home: Path, dataset: Dataset) -> int | None:
    """Return the number of cases of a registered dataset that is on this machine, None where it is not."""
    try:
        return prepared_for(home, dataset).cases
    except (UsageProblem, EnvironmentProblem):
        return None
