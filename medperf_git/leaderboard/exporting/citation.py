"""How to cite a benchmark release: CITATION.cff 1.2.0, with the article on MedPerf as a reference."""

from collections.abc import Mapping
from typing import Any

from medperf_git.leaderboard.exporting.document import rests_on, without_empty
from medperf_git.leaderboard.exporting.linked import PAPER_DOI, PAPER_JOURNAL, PAPER_TITLE, PAPER_YEAR
from medperf_git.leaderboard.exporting.release import Person, Release, account
from medperf_git.records.quoted_yaml import render_yaml

FILE = "CITATION.cff"


def render(release: Release) -> Mapping[str, bytes]:
    """Write the citation file."""
    return {FILE: render_yaml(citation(release))}


def citation(release: Release) -> dict[str, Any]:
    """Say who is cited for what, at which commit."""
    table, origin = release.table, release.origin
    return without_empty(
        {
            "cff-version": "1.2.0",
            "message": f"Cite the benchmark with its commit, and the article. Made from {rests_on(origin)}.",
            "type": "dataset",
            "title": table.title,
            "abstract": table.description,
            "version": str(table.ref.version),
            "date-released": release.record.created[:10],
            "authors": _authors(release),
            "commit": origin.commit,
            "identifiers": _identifiers(release),
            "url": origin.page(table.url),
            "keywords": ["federated evaluation", "benchmark", "medical AI"],
            "references": [_article()],
        }
    )


def _authors(release: Release) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in release.committee:
        author = _entity(release.person(name))
        found += [] if author in found else [author]  # the format wants each author once
    return found


def _entity(person: Person) -> dict[str, Any]:
    return without_empty({"name": person.title, "country": person.country, "website": person.website})


def _identifiers(release: Release) -> list[dict[str, Any]]:
    table, origin = release.table, release.origin
    told = (
        (str(table.ref), "The benchmark version in its registry"),
        (origin.registry_id, "The registry: SHA-256 of its genesis"),
        (table.source.digest, f"SHA-256 of {table.source.path}"),
        (
            origin.urn(f"benchmarks/{table.ref.path}@{origin.commit}"),
            f"The release as of {origin.step_time}: {account(release)}",
        ),
    )
    return [{"type": "other", "value": value, "description": text} for value, text in told]


def _article() -> dict[str, Any]:
    return {
        "type": "article",
        "title": PAPER_TITLE,
        "authors": [{"family-names": "Karargyris", "given-names": "Alexandros"}, {"name": "et al."}],
        "journal": PAPER_JOURNAL,
        "year": PAPER_YEAR,
        "volume": 5,
        "start": "799",
        "end": "810",
        "doi": PAPER_DOI,
    }
