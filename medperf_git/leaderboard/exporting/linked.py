"""What the JSON-LD formats share: members, the registry, identifiers, metrics and the paper as schema.org things."""

from collections.abc import Mapping
from typing import Any

from medperf_git.leaderboard.exporting.document import without_empty
from medperf_git.leaderboard.exporting.release import Origin, Person
from medperf_git.leaderboard.tables import BenchmarkTable, MetricInfo

Node = dict[str, Any]
PAPER_DOI = "10.1038/s42256-023-00652-2"
PAPER_TITLE = "Federated benchmarking of medical artificial intelligence with MedPerf"
PAPER_JOURNAL = "Nature Machine Intelligence"
PAPER_YEAR = 2023


def organisation(person: Person, origin: Origin) -> Node:
    """Describe a member; whether it is a person or an organisation no record says."""
    return without_empty(
        {
            "@type": "Organization",
            "@id": origin.urn(f"members/{person.name}"),
            "name": person.title,
            "alternateName": person.name if person.name != person.title else "",
            "url": person.website,
        }
    )


def catalogue(origin: Origin) -> Node:
    """Describe the registry."""
    return without_empty(
        {
            "@type": "DataCatalog",
            "@id": origin.urn("registry"),
            "name": origin.registry_title or origin.registry_name,
            "identifier": origin.registry_id,
            "url": origin.site_url,
        }
    )


def named(name: str, value: object, **more: object) -> Node:
    """State one named value."""
    return without_empty({"@type": "PropertyValue", "name": name, "value": value, **more})


def metric_node(metric: MetricInfo) -> Node:
    """Describe a metric with its unit, range and direction."""
    return without_empty(
        {
            "@type": "PropertyValue",
            "name": metric.title,
            "propertyID": metric.id,
            "unitText": metric.unit if metric.unit != "1" else "",
            "minValue": metric.low,
            "maxValue": metric.high,
            "description": "higher is better" if metric.higher_is_better else "lower is better",
        }
    )


def technique(table: BenchmarkTable) -> str:
    """Say how the numbers come about, by the names of the records that fix it."""
    spec = table.ranking
    used = ", ".join(f"{cube.role} {cube.ref}" for cube in table.cubes)
    return (
        f"Federated evaluation: every model runs in a container at the site that holds the data ({used}); "
        f"ranked by {spec.rule} version {spec.version} of {', '.join(spec.metrics)}, "
        f"weights {spec.weights}, missing {spec.missing}"
    )


def paper() -> Mapping[str, Any]:
    """Describe the article on MedPerf, whose roles and records this follows."""
    return {
        "@type": "ScholarlyArticle",
        "@id": f"https://doi.org/{PAPER_DOI}",
        "name": PAPER_TITLE,
        "author": "Alexandros Karargyris et al.",
        "isPartOf": {"@type": "Periodical", "name": PAPER_JOURNAL},
        "datePublished": str(PAPER_YEAR),
    }
