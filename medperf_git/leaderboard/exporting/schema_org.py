"""A benchmark's table as a schema.org `Dataset` in JSON-LD 1.1.

`dataset_node` is free of any commit, so that a page that embeds it keeps its bytes while nothing of it changes:

    <script type="application/ld+json">{{ document|safe }}</script>      with document = script_json(dataset_node(…))
"""

from collections.abc import Mapping, Sequence

from medperf_git.leaderboard.exporting.document import render_script_json, without_empty
from medperf_git.leaderboard.exporting.linked import Node, catalogue, metric_node, named, organisation, paper, technique
from medperf_git.leaderboard.exporting.release import Origin, Person, Release, account, evidence
from medperf_git.leaderboard.tables import BenchmarkTable

CONTEXT = "https://schema.org"


def dataset_node(
    table: BenchmarkTable, origin: Origin, people: Mapping[str, Person], *, committee: Sequence[str], created: str
) -> Node:
    """Describe a benchmark's table; nothing of the commit is in it but what the benchmark's own records say."""
    makers = [organisation(people.get(name) or Person(name, name), origin) for name in committee]
    return without_empty(
        {
            "@context": CONTEXT,
            "@type": "Dataset",
            "@id": origin.urn(f"benchmarks/{table.ref.path}"),
            "name": table.title,
            "description": table.description,
            "version": str(table.ref.version),
            "identifier": [named("benchmark", str(table.ref)), named("record", table.source.digest)],
            "url": origin.page(table.url),
            "creator": makers,
            "dateCreated": created,
            "includedInDataCatalog": catalogue(origin),
            "measurementTechnique": technique(table),
            "variableMeasured": [metric_node(metric) for metric in table.metrics],
            "creditText": f"{table.title} ({table.ref}), {origin.registry_title or origin.registry_name}",
            "citation": paper(),
            "distribution": _distribution(table, origin),
            "keywords": ["federated evaluation", "benchmark", "medical AI"],
        }
    )


def _distribution(table: BenchmarkTable, origin: Origin) -> list[Node]:
    if not origin.site_url:
        return []
    address = origin.page(table.url.replace("index.html", "table.json"))
    return [{"@type": "DataDownload", "encodingFormat": "application/json", "contentUrl": address}]


def render(release: Release) -> Mapping[str, bytes]:
    """Write the JSON-LD of a benchmark at a commit, safe to paste into a page."""
    origin, table = release.origin, release.table
    node = dataset_node(table, origin, release.people, committee=release.committee, created=release.record.created)
    node["identifier"] = [
        *node["identifier"],
        named("registry", origin.registry_id),
        named("commit", origin.commit),
    ]
    node["dateModified"] = origin.step_time
    node["abstract"] = f"As of {origin.step_time}: {account(release)}."
    node["isBasedOn"] = [
        {"@type": "CreativeWork", "@id": origin.urn(record.path), "identifier": record.digest}
        for record in evidence(release)
    ]
    node["usageInfo"] = "No licence is stated for the table; datasets and models are under the terms of their owners."
    return {f"{file_name(table)}.jsonld": render_script_json(node)}


def file_name(table: BenchmarkTable) -> str:
    """Name a benchmark version in a file name."""
    return f"{table.ref.member}-{table.ref.name}-{table.ref.version}"
