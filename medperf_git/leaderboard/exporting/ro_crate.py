"""A benchmark release as an RO-Crate 1.1: the records with their signatures, the tables, the citation, the checkpoint.

The checkpoint is the text of the registry's note of freshness for this commit, unsigned: the signed note that the
registry publishes starts with the same lines if it is about the same commit. https://w3id.org/ro/crate/1.1
"""

import hashlib
from collections.abc import Iterator, Mapping

from medperf_git.leaderboard.cell_files import RESULT_COLUMNS, iter_lines, iter_placed, render_json
from medperf_git.leaderboard.exporting import citation, schema_org
from medperf_git.leaderboard.exporting.document import MANIFEST, render_manifest, without_empty
from medperf_git.leaderboard.exporting.linked import Node, catalogue, metric_node, named, organisation, paper, technique
from medperf_git.leaderboard.exporting.release import Origin, Release, evidence_at, left_out
from medperf_git.leaderboard.exports import ranking_csv
from medperf_git.leaderboard.spreadsheet import render_csv
from medperf_git.records import layout
from medperf_git.records.names import Ref
from medperf_git.records.times import parse_time
from medperf_git.records.view import RecordView, bundles_of
from medperf_git.signing.note import Checkpoint, note_text

METADATA = "ro-crate-metadata.json"
CONFORMS = "https://w3id.org/ro/crate/1.1"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS = "#terms"
PUBLISHER = "#publisher"
_BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_FORMATS = {
    "yaml": "application/yaml",
    "csv": "text/csv",
    "json": "application/json",
    "cff": "text/yaml",
    "txt": "text/plain",
}


def render(release: Release) -> Mapping[str, bytes]:
    """Write the files of the crate."""
    table, view = release.table, release.view
    records = tuple(sorted(set(iter_record_paths(release))))
    files: dict[str, bytes] = {}
    for path in records:
        for name in (path, *bundles_of(view, path)):
            files[f"records/{name}"] = view.blob(name) or b""
    lines = (line for placed in iter_placed(table) for line in iter_lines(table, *placed))
    files["tables/results.csv"] = render_csv(RESULT_COLUMNS, lines)
    files["tables/ranking.csv"] = ranking_csv(release.analysis)
    files.update(citation.render(release))
    files.update(schema_org.render(release))
    files["checkpoint.txt"] = checkpoint_text(release.origin).encode()
    files[MANIFEST] = render_manifest(
        "ro-crate",
        release.origin,
        benchmark=str(table.ref),
        records=(evidence_at(view, path) for path in records),
        out=left_out(release),
    )
    files[METADATA] = render_json({"@context": CONTEXT, "@graph": _graph(release, dict(sorted(files.items())))})
    return files


def checkpoint_text(origin: Origin) -> str:
    """Write what a note of freshness says of this commit, at the time of its step."""
    return note_text(Checkpoint(origin.registry_id, origin.steps, origin.commit, parse_time(origin.step_time)))


def iter_record_paths(release: Release) -> Iterator[str]:
    """Yield the paths of every record a reader needs to check the release, superseded and withdrawn ones too."""
    view, table = release.view, release.table
    folders = [
        "registry",
        f"benchmarks/{table.ref.path}",
        *(f"{top}/{table.ref.path}" for top in ("associations", "results", "comparisons")),
        *(f"notices/{top}/{table.ref.path}" for top in ("benchmarks", "results", "comparisons")),
        *(f"members/{name}" for name in sorted(_members(release))),
    ]
    for folder in folders:
        yield from _iter_records(view, folder)
    named_paths = [layout.cube_path(ref) for ref in _cubes(release)]
    named_paths += [layout.dataset_path(site.ref) for site in table.sites]
    for path in named_paths:
        yield from (path,) if view.blob(path) is not None else ()
        yield from _iter_records(view, layout.notice_folder(path))


def _iter_records(view: RecordView, folder: str) -> Iterator[str]:
    for name in view.names(folder):
        path = f"{folder}/{name}"
        if name.endswith("/"):
            yield from _iter_records(view, path[:-1])
        elif name.endswith(".yaml") and view.blob(path) is not None:
            yield path


def _cubes(release: Release) -> set[Ref]:
    return {cube.ref for cube in release.table.cubes} | {model.ref for model in release.table.models}


def _members(release: Release) -> set[str]:
    """Name everybody who may have signed a record of the release: maintainers are among them as members."""
    return set(release.people)


def _graph(release: Release, files: Mapping[str, bytes]) -> list[Node]:
    makers = [_entity(organisation(release.person(name), release.origin)) for name in release.committee]
    return [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": CONFORMS},
        },
        _root(release, files, makers),
        *(_file(path, data) for path, data in files.items()),
        *makers,
        _publisher(release.origin),
        _entity(catalogue(release.origin)),
        _paper(),
        *(_entity({"@id": f"#metric-{metric.id}", **metric_node(metric)}) for metric in release.table.metrics),
        *_identifiers(release),
        {
            "@id": TERMS,
            "@type": "CreativeWork",
            "name": "No licence is stated",
            "description": "The records state no licence for the tables. Datasets and models are under the terms that "
            "their own records state; ask their owners.",
        },
    ]


def _root(release: Release, files: Mapping[str, bytes], makers: list[Node]) -> Node:
    table, origin = release.table, release.origin
    return without_empty(
        {
            "@id": "./",
            "@type": "Dataset",
            "name": table.title,
            "description": table.description,
            "version": str(table.ref.version),
            "datePublished": origin.step_time,
            "dateCreated": release.record.created,
            "license": {"@id": TERMS},
            "url": origin.page(table.url),
            "author": _links(makers),
            "publisher": {"@id": PUBLISHER},
            "includedInDataCatalog": {"@id": origin.urn("registry")},
            "measurementTechnique": technique(table),
            "variableMeasured": [{"@id": f"#metric-{metric.id}"} for metric in table.metrics],
            "citation": {"@id": str(paper()["@id"])},
            "identifier": _links(_identifiers(release)),
            "hasPart": [{"@id": path} for path in files],
        }
    )


def _publisher(origin: Origin) -> Node:
    """Describe those who keep the registry; its maintainers have no other name."""
    name = origin.registry_title or origin.registry_name or origin.registry_id
    return without_empty({"@id": PUBLISHER, "@type": "Organization", "name": name, "url": origin.site_url})


def _identifiers(release: Release) -> list[Node]:
    origin, table = release.origin, release.table
    told = {
        "registry": origin.registry_id,
        "commit": origin.commit,
        "benchmark": str(table.ref),
        "record": str(table.source.digest),
    }
    return [{"@id": f"#{name}", **named(name, value)} for name, value in told.items()]


def _entity(node: Node) -> Node:
    return {"@id": node["@id"], **node}


def _links(nodes: list[Node]) -> list[Node]:
    return [{"@id": node["@id"]} for node in nodes]


def _paper() -> Node:
    node = dict(paper())
    return _entity({**node, "isPartOf": node["isPartOf"]["name"]})


def _file(path: str, data: bytes) -> Node:
    kind = path.rpartition(".")[2]
    form = _BUNDLE_TYPE if path.endswith(".sigstore.json") else _FORMATS.get(kind, "application/ld+json")
    return {
        "@id": path,
        "@type": "File",
        "name": path,
        "encodingFormat": form,
        "contentSize": str(len(data)),
        "sha256": _sha256(data),
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
