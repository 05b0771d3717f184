"""Every text of every record comes back equal from every format, whatever it holds (T49)."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from medperf_git.leaderboard.exporting import citation, every_eval_ever, hugging_face, ro_crate, schema_org
from medperf_git.leaderboard.exporting.document import script_json
from medperf_git.leaderboard.exporting.release import Person, Release
from medperf_git.leaderboard.spreadsheet import safe_cell
from tests.support import leaderboard_registry as lr
from tests.support.exports import CONTROL, LINES, TEXTS, exported, hostile, release_of


def load(data: bytes) -> Any:
    """Read YAML by the rules of 1.1 and of 1.2, which must agree."""
    value = yaml.safe_load(data)
    assert YAML(typ="safe", pure=True).load(data) == value
    return value


def front(data: bytes) -> Any:
    return load(data.partition(b"---\n")[2].partition(b"\n---\n")[0])


def first(files: Mapping[str, bytes], part: str) -> bytes:
    return next(data for name, data in files.items() if part in name)


def told_by_croissant(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    node = json.loads(exported("croissant", registry)["north.tumours.1/croissant.json"])
    yield "dataset", node["name"]
    yield "about-dataset", node["description"]
    yield "terms", node["license"]["description"]
    yield "member", node["creator"]["name"]
    yield "registry", node["includedInDataCatalog"]["name"]
    yield "modality", node["measurementTechnique"]
    yield "equipment", node["rai:dataCollection"].partition("; equipment: ")[2] or node["rai:dataCollection"]


def told_by_model_index(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    card = front(exported("model-index", registry)["ben.forest.1/README.md"])
    (model,) = card["model-index"]
    yield "licence", card["license_name"]
    yield "model", model["name"]
    for result in model["results"]:
        yield "benchmark", result["task"]["name"]
        yield ("benchmark" if "rule" in result["dataset"]["args"] else "dataset"), result["dataset"]["name"]
        for metric in result["metrics"]:
            yield f"metric-{metric['type']}", metric["name"]
            yield "unit", metric["args"]["unit"]


def told_by_eval_results(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    files = exported("eval-results", registry)
    tasks = load(files["ana-breast-1/eval.yaml"])
    yield "benchmark", tasks["name"]
    yield "description", tasks["description"]
    for entry in load(first(files, "/.eval_results/")):
        yield "registry", entry["source"]["name"]


def told_by_every_eval_ever(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    document = json.loads(first(exported("every-eval-ever", registry), "/ben/forest-v1/"))
    yield "benchmark", document["source_metadata"]["source_name"]
    yield "registry", document["source_metadata"]["source_organization_name"]
    yield "model", document["model_info"]["name"]
    yield "member", document["model_info"]["developer"]
    yield "licence", document["model_info"]["additional_details"]["license"]
    yield "client", document["eval_library"]["version"]
    for result in document["evaluation_results"]:
        config = result["metric_config"]
        yield "description", config["evaluation_description"]
        yield f"metric-{config['metric_id'].rpartition('.')[2]}", config["metric_name"]
        yield "unit", config["metric_unit"]
        overall = "datasets" in result["source_data"]["additional_details"]
        yield ("benchmark" if overall else "dataset"), result["source_data"]["dataset_name"]
        if not overall:
            yield "engine", result["score_details"]["details"]["engine"].partition(" ")[2]


def told_by_schema_org(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    (data,) = exported("schema-org", registry).values()
    node = json.loads(data)
    yield "benchmark", node["name"]
    yield "description", node["description"]
    yield "registry", node["includedInDataCatalog"]["name"]
    yield "member", node["creator"][0]["name"]
    for metric in node["variableMeasured"]:
        yield f"metric-{metric['propertyID']}", metric["name"]
        yield "unit", metric["unitText"]


def told_by_citation(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    cff = load(exported("citation", registry)["CITATION.cff"])
    yield "benchmark", cff["title"]
    yield "description", cff["abstract"]
    yield "member", cff["authors"][0]["name"]


def told_by_ro_crate(registry: lr.Registry) -> Iterator[tuple[str, str]]:
    files = exported("ro-crate", registry)
    graph = {node["@id"]: node for node in json.loads(files["ro-crate-metadata.json"])["@graph"]}
    yield "benchmark", graph["./"]["name"]
    yield "description", graph["./"]["description"]
    yield "registry", graph["#publisher"]["name"]
    yield "member", graph[graph["./"]["author"][0]["@id"]]["name"]
    yield "metric-auroc", graph["#metric-auroc"]["name"]
    yield "unit", graph["#metric-auroc"]["unitText"]
    for name, data in files.items():
        if name.startswith("records/"):
            assert data == registry.files[name.removeprefix("records/")]
    rows = list(csv.DictReader(io.StringIO(files["tables/ranking.csv"].decode(), newline="")))
    told = registry.text("model", "")
    assert {row["title"] for row in rows} == {str(safe_cell(told))}
    assert all(not row["title"].startswith(("=", "+", "-", "@")) for row in rows)


TOLD = {
    "croissant": told_by_croissant,
    "model-index": told_by_model_index,
    "eval-results": told_by_eval_results,
    "every-eval-ever": told_by_every_eval_ever,
    "schema-org": told_by_schema_org,
    "citation": told_by_citation,
    "ro-crate": told_by_ro_crate,
}


@pytest.mark.parametrize("name", TOLD)
def test_t49_every_text_comes_back_equal(name: str) -> None:
    for place, line in enumerate(LINES):
        registry = hostile(line, TEXTS[place % len(TEXTS)])
        found = list(TOLD[name](registry))
        assert len(found) >= 3
        assert [
            (field, text) for field, text in found if text != registry.text(field, "") and not quoted(field, text)
        ] == []


def quoted(field: str, text: str) -> bool:
    """Tell whether a text stands inside a longer sentence."""
    return field == "equipment" and text in {f"Modality: {line}; equipment: {line}" for line in LINES}


def marked(release: Release, text: str) -> Release:
    """Put a text that no record may hold where the exports would read it."""
    table = replace(
        release.table,
        title=text,
        description=text,
        models=tuple(replace(model, title=text) for model in release.table.models),
        sites=tuple(replace(site, title=text) for site in release.table.sites),
        metrics=tuple(replace(metric, title=text, unit=text) for metric in release.table.metrics),
    )
    people = {name: Person(name, text) for name in release.people}
    return replace(release, analysis=replace(release.analysis, table=table), people=people)


def test_control_characters_come_back_equal_though_no_record_can_hold_them() -> None:
    release = marked(release_of(hostile("plain")), CONTROL)
    assert load(citation.render(release)["CITATION.cff"])["title"] == CONTROL
    assert json.loads(next(iter(schema_org.render(release).values())))["name"] == CONTROL
    card = front(first(hugging_face.render_index(release), "ben.forest.1"))
    assert card["model-index"][0]["results"][0]["dataset"]["name"] == CONTROL
    assert load(first(hugging_face.render_results(release), "eval.yaml"))["name"] == CONTROL
    eee = json.loads(first(every_eval_ever.render(release), "data/"))
    assert eee["source_metadata"]["source_name"] == CONTROL
    crate = json.loads(ro_crate.render(release)["ro-crate-metadata.json"])
    assert crate["@graph"][1]["name"] == CONTROL


class Scripts(HTMLParser):
    """What stands in the script elements of a page, and which elements there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", [*LINES, *TEXTS, CONTROL], ids=str.__len__)
def test_t49_json_in_a_page_does_not_end_its_script_element(text: str) -> None:
    page = Scripts()
    page.feed(f'<script type="application/ld+json">{script_json({text: [text]})}</script><p>')
    assert page.tags == ["script", "p"]
    assert json.loads(page.text) == {text: [text]}
