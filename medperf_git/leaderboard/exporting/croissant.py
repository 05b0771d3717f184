"""What is public of each registered dataset as Croissant 1.0 (MLCommons), with RAI terms where the record has them.

No data is inside: the only file described is the dataset's own record. https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from medperf_git.leaderboard.cell_files import render_json
from medperf_git.leaderboard.exporting.document import MANIFEST, render_manifest, without_empty
from medperf_git.leaderboard.exporting.linked import Node, catalogue, named, organisation
from medperf_git.leaderboard.exporting.release import (
    Evidence,
    LeftOut,
    Origin,
    Person,
    cube_of,
    dataset_of,
    read_people,
)
from medperf_git.leaderboard.urls import site_url
from medperf_git.records import folds, layout
from medperf_git.records.digests import bare_hex, digest_of
from medperf_git.records.models import Cases, Cube, Dataset
from medperf_git.records.names import Ref
from medperf_git.records.view import RecordView

CROISSANT = "http://mlcommons.org/croissant/1.0"
RAI = "http://mlcommons.org/croissant/RAI/1.0"
RECORD = "dataset.yaml"
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def render(view: RecordView, origin: Origin, refs: tuple[Ref, ...], benchmark: str) -> Mapping[str, bytes]:
    """Write one folder per dataset, with its description and its record; those withdrawn or disputed are listed."""
    people = read_people(view)
    files: dict[str, bytes] = {}
    records, out = [], []
    for ref in refs:
        path, dataset = layout.dataset_path(ref), dataset_of(view, ref)
        if (reason := _why_not(view, path, dataset)) or dataset is None:
            out.append(LeftOut("marked" if dataset else "unreadable", str(ref), reason, path))
            continue
        data = view.blob(path) or b""
        records.append(Evidence(path, digest_of(data)))
        person = people.get(ref.member) or Person(ref.member, ref.member)
        preparator = cube_of(view, dataset.preparator.ref)
        folder = f"{ref.member}.{ref.name}.{ref.version}"
        files[f"{folder}/croissant.json"] = render_json(
            description(dataset, data, person, preparator=preparator, origin=origin)
        )
        files[f"{folder}/{RECORD}"] = data
    files[MANIFEST] = render_manifest("croissant", origin, benchmark=benchmark, records=records, out=out)
    return files


def _why_not(view: RecordView, path: str, dataset: Dataset | None) -> str:
    if dataset is None:
        return "its record cannot be read"
    marks = folds.marks_of(view, path)
    words = ("withdrawn" if marks.withdrawn else "", "disputed" if marks.disputed else "")
    return " and ".join(filter(None, words))


def description(dataset: Dataset, data: bytes, owner: Person, *, preparator: Cube | None, origin: Origin) -> Node:
    """Describe one dataset; `data` are the bytes of its record."""
    rai = dict(_iter_rai(dataset, preparator))
    page = origin.page(site_url(dataset.ref))
    told = f"{dataset.title}, a dataset that stays with {owner.title}: only this description and results are public."
    return without_empty(
        {
            "@context": CONTEXT,
            "@type": "sc:Dataset",
            "@id": origin.urn(f"datasets/{dataset.ref.path}"),
            "name": dataset.title,
            "description": dataset.description or told,
            "conformsTo": [CROISSANT, RAI] if rai else CROISSANT,
            "version": f"{dataset.version}.0.0",
            "alternateName": str(dataset.ref),
            "license": _terms(dataset),
            "url": page,
            "creator": _typed(organisation(owner, origin)),
            "publisher": _typed(organisation(owner, origin)),
            "datePublished": dataset.created[:10],
            "dateModified": dataset.created[:10],
            "sdDatePublished": origin.step_time,
            "isLiveDataset": False,
            "conditionsOfAccess": "The data do not leave their owner; models go there as containers.",
            "includedInDataCatalog": _typed(catalogue(origin)),
            "identifier": [
                _typed(named("record", digest_of(data))),
                _typed(named(f"content {dataset.content.method}", dataset.content.digest)),
                _typed(named("registry", origin.registry_id)),
                _typed(named("commit", origin.commit)),
            ],
            "variableMeasured": [_cases(dataset.cases), *_statistics(dataset)],
            "measurementTechnique": dataset.acquisition.modality if dataset.acquisition else None,
            "spatialCoverage": dataset.acquisition.country if dataset.acquisition else None,
            "temporalCoverage": _years(dataset),
            **rai,
            "distribution": [
                {
                    "@type": "cr:FileObject",
                    "@id": RECORD,
                    "name": RECORD,
                    "description": "The dataset's signed record; no data.",
                    "contentUrl": RECORD,
                    "encodingFormat": "application/yaml",
                    "contentSize": f"{len(data)} B",
                    "sha256": bare_hex(digest_of(data)),
                }
            ],
        }
    )


def _typed(node: Node) -> Node:
    """Write the types with the prefix that Croissant's context gives schema.org."""
    return {**node, "@type": f"sc:{node['@type']}"}


def _terms(dataset: Dataset) -> Node | None:
    if dataset.terms is None:
        return None
    return {"@type": "sc:CreativeWork", "name": "Terms of use, as its owner states them", "description": dataset.terms}


def _cases(cases: Cases) -> Node:
    if cases.exact is not None:
        return _typed(named("cases", cases.exact))
    return _typed(named("cases", None, minValue=cases.low, maxValue=cases.high))


def _statistics(dataset: Dataset) -> list[Node]:
    return [_typed(named(name, _number(value))) for name, value in sorted((dataset.statistics or {}).items())]


def _number(value: Any) -> int | float:
    return value if isinstance(value, int) else float(value)


def _years(dataset: Dataset) -> str:
    when = dataset.acquisition
    if when is None or (when.from_year is None and when.to_year is None):
        return ""
    return "/".join(".." if year is None else str(year) for year in (when.from_year, when.to_year))


def _iter_rai(dataset: Dataset, preparator: Cube | None) -> Iterator[tuple[str, Any]]:
    """Yield Croissant's terms for responsible AI, only those that the records speak of."""
    facts = dataset.acquisition
    if facts and (facts.modality or facts.equipment):
        words = (("Modality", facts.modality), ("equipment", facts.equipment))
        yield "rai:dataCollection", "; ".join(f"{name}: {text}" for name, text in words if text)
    if facts and (years := [year for year in (facts.from_year, facts.to_year) if year is not None]):
        ends = (f"{years[0]}-01-01", f"{years[-1]}-12-31")
        yield "rai:dataCollectionTimeFrame", list(ends)
    made = f"Prepared by the container {dataset.preparator.ref} ({dataset.preparator.digest})"
    yield "rai:dataPreprocessingProtocol", [f"{made}: {preparator.title}" if preparator else made]
    if dataset.disclosure and dataset.disclosure.min_cases is not None:
        few = dataset.disclosure.min_cases
        yield "rai:dataLimitations", [f"Its owner publishes no value that rests on fewer than {few} cases"]
