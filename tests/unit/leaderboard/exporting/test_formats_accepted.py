"""Every format is accepted by its own published validator or schema, also when the records hold hostile text."""

import json
import warnings
from pathlib import Path

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from pyld import jsonld
from rocrate import rocrate

from medperf_git.leaderboard.exporting.archive import render_zip
from medperf_git.leaderboard.exporting.formats import FORMATS
from tests.support import leaderboard_registry as lr
from tests.support.exports import LINES, TEXTS, Rich, exported, hostile, run_validator, written

SHIPPED = Path(rocrate.__file__).parent / "data"  # the context of RO-Crate and the terms of schema.org
EEE_SCHEMA = Path(__file__).parent / "schemas" / "every_eval_ever.eval.schema.json"
REGISTRIES = {
    "full": lambda: Rich().filled(),
    "bare": lr.demo,
    "wide": lambda: lr.wide(4, 6),
    "hostile": lambda: hostile(LINES[1], TEXTS[0]),
    "injections": lambda: hostile("key: value # & *x !!y", "---\n- a: 1\n...\n"),
}
CFFCONVERT = "import sys; from cffconvert.cli.cli import cli; cli(['--validate', '-i', sys.argv[1]])"
ROC = """
import json, sys
from pathlib import Path
from rocrate_validator.models import Severity, URI, ValidationSettings
from rocrate_validator.services import validate
from rocrate_validator.utils import http

context = Path(sys.argv[2]).read_text(encoding="utf-8")

class Stored:  # the one address that is asked for, answered from the copy that ro-crate-py ships
    status_code, ok, text, content, links, history, from_cache = 200, True, context, context.encode(), {}, (), True
    headers = {"Content-Type": "application/ld+json"}
    url = "https://w3id.org/ro/crate/1.1/context"
    def json(self): return json.loads(context)
    def raise_for_status(self): pass

class Session:
    def get(self, url, **_):
        assert url == Stored.url, url
        return Stored()
    head = get
    def close(self): pass

http.HttpRequester.__getattr__ = lambda self, name: getattr(Session(), name)
settings = ValidationSettings(
    rocrate_uri=URI(sys.argv[1]), profile_identifier="ro-crate-1.1", requirement_severity=Severity.RECOMMENDED
)
issues = validate(settings).get_issues()
print(json.dumps(sorted({(one.severity.name, one.check.identifier, str(one.message)) for one in issues})))
"""


def croissant_at(path: Path):
    """Read a dataset with mlcroissant, whose libraries warn of each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant  # noqa: PLC0415 - takes a second

        return mlcroissant.Dataset(jsonld=str(path))


@pytest.fixture(params=REGISTRIES)
def registry(request: pytest.FixtureRequest) -> lr.Registry:
    return REGISTRIES[request.param]()


def test_mlcroissant_accepts_every_dataset_and_misses_only_what_no_record_says(
    registry: lr.Registry, tmp_path: Path
) -> None:
    folder = written(exported("croissant", registry), tmp_path)
    found = sorted(folder.glob("*/croissant.json"))
    assert len(found) == len(registry.sizes)
    for path in found:
        dataset = croissant_at(path)
        issues = dataset.metadata.ctx.issues
        assert not issues.errors
        missing = {"citeAs"} | (set() if isinstance(registry, Rich) else {"license"})
        assert len(issues.warnings) == len(missing)
        assert all(any(f"/{name}" in text for name in missing) for text in issues.warnings)
        document = json.loads(path.read_bytes())
        assert dataset.metadata.name == document["name"]
        assert [file.sha256 for file in dataset.metadata.distribution] == [document["distribution"][0]["sha256"]]


def test_hugging_face_reads_the_model_index_and_writes_it_again_the_same(registry: lr.Registry) -> None:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData  # noqa: PLC0415 - takes half a second

    files = exported("model-index", registry)
    cards = [data for name, data in files.items() if name.endswith("README.md")]
    assert len(cards) >= 2
    for data in cards:
        card = ModelCard(data.decode())
        assert isinstance(card.data, ModelCardData)
        assert all(isinstance(one, EvalResult) for one in card.data.eval_results)
        again = card.data.to_dict()
        parsed = yaml.safe_load(data.decode().partition("---\n")[2].partition("\n---\n")[0])
        assert again["model-index"] == parsed["model-index"]


def test_hugging_face_reads_the_eval_results_and_writes_them_again_the_same(registry: lr.Registry) -> None:
    import huggingface_hub as hub  # noqa: PLC0415 - takes half a second

    files = exported("eval-results", registry)
    found = [data for name, data in files.items() if "/.eval_results/" in name]
    assert found
    for data in found:
        parsed = yaml.safe_load(data)
        assert hub.eval_result_entries_to_yaml(hub.parse_eval_result_entries(parsed)) == parsed
        assert all(entry["dataset"]["id"] == "ana/breast" for entry in parsed)


def test_every_eval_ever_accepts_each_file_by_its_schema(registry: lr.Registry) -> None:
    schema = json.loads(EEE_SCHEMA.read_bytes())
    jsonschema.Draft7Validator.check_schema(schema)
    checked = jsonschema.Draft7Validator(schema)
    files = {name: data for name, data in exported("every-eval-ever", registry).items() if name.startswith("data/")}
    assert len(files) >= 2
    for name, data in files.items():
        document = json.loads(data)
        assert [error.message for error in checked.iter_errors(document)] == []
        assert document["schema_version"] == schema["version"]
        assert document["model_info"]["id"] == "/".join(name.split("/")[2:4])


def test_the_citation_keeps_the_schema_of_the_citation_file_format(registry: lr.Registry) -> None:
    (data,) = exported("citation", registry).values()
    schema = get_builtin_schema("vendor.citation-file-format")
    checked = jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    assert [error.message for error in checked.iter_errors(yaml.safe_load(data))] == []


@pytest.mark.parametrize("kind", ["bare", "hostile"])
def test_cffconvert_and_the_validator_of_ro_crate_accept_the_release(kind: str, tmp_path: Path) -> None:
    registry = REGISTRIES[kind]()
    folder = written(exported("ro-crate", registry), tmp_path / "crate")
    said = run_validator(CFFCONVERT, folder / "CITATION.cff")
    if said is None:
        pytest.skip("scripts/ensure-validators.sh could not have cffconvert and roc-validator")
    assert "valid according to schema version 1.2.0" in said.stdout, said.stderr
    told = run_validator(ROC, folder, SHIPPED / "ro-crate.jsonld")
    assert told is not None
    assert told.returncode == 0, told.stderr[-3000:]
    issues = json.loads(told.stdout.splitlines()[-1])
    url = [["RECOMMENDED", "ro-crate-1.1_31.2", "The organization SHOULD have a URL."]]
    assert issues == ([] if isinstance(registry, Rich) else url)  # a web address is the member's to give


def test_ro_crate_py_opens_the_folder_and_the_archive_and_finds_every_file(
    registry: lr.Registry, tmp_path: Path
) -> None:
    files = exported("ro-crate", registry)
    archive = tmp_path / "crate.zip"
    archive.write_bytes(render_zip(files))
    for place in (written(files, tmp_path / "crate"), archive):
        crate = rocrate.ROCrate(place)
        assert {entity.id for entity in crate.data_entities} == set(files) - {"ro-crate-metadata.json"}
        assert crate.root_dataset["license"]["name"] == "No licence is stated"


def test_the_validators_refuse_what_is_broken(tmp_path: Path) -> None:
    registry = Rich().filled()
    croissant = json.loads(exported("croissant", registry)["north.tumours.1/croissant.json"])
    del croissant["distribution"][0]["contentUrl"]
    broken = tmp_path / "croissant.json"
    broken.write_text(json.dumps(croissant), encoding="utf-8")
    with pytest.raises(Exception, match="contentUrl"):
        croissant_at(broken)
    citation = yaml.safe_load(exported("citation", registry)["CITATION.cff"])
    checked = jsonschema.Draft7Validator(get_builtin_schema("vendor.citation-file-format"))
    assert list(checked.iter_errors({**citation, "date-released": "yesterday"}))
    eee = next(data for name, data in exported("every-eval-ever", registry).items() if name.startswith("data/"))
    document = json.loads(eee)
    del document["evaluation_results"][0]["metric_config"]["max_score"]
    assert list(jsonschema.Draft7Validator(json.loads(EEE_SCHEMA.read_bytes())).iter_errors(document))
    node = json.loads(next(iter(exported("schema-org", registry).values())))
    terms = Vocabulary()
    assert [fault for one in terms.expanded({**node, "unitText": "x"}) for fault in terms.faults(one)]
    files = dict(exported("ro-crate", registry))
    crate = json.loads(files["ro-crate-metadata.json"])
    del crate["@graph"][1]["datePublished"]
    files["ro-crate-metadata.json"] = json.dumps(crate).encode()
    told = run_validator(ROC, written(files, tmp_path / "crate"), SHIPPED / "ro-crate.jsonld")
    assert told is None or "REQUIRED" in {severity for severity, _, _ in json.loads(told.stdout.splitlines()[-1])}


@pytest.mark.parametrize("name", ["schema-org", "ro-crate"])
def test_every_type_and_property_is_one_of_schema_org_for_what_it_stands_on(registry: lr.Registry, name: str) -> None:
    files = exported(name, registry)
    path = "ro-crate-metadata.json" if name == "ro-crate" else next(iter(files))
    terms = Vocabulary()
    nodes = list(terms.expanded(json.loads(files[path])))
    assert len(nodes) > 10
    assert [fault for node in nodes for fault in terms.faults(node)] == []


class Vocabulary:
    """The terms of schema.org as ro-crate-py ships them, and a stored context: nothing is fetched."""

    BASE = "http://schema.org/"
    OTHER = frozenset({"http://purl.org/dc/terms/conformsTo"})

    def __init__(self) -> None:
        self.data = SHIPPED
        graph = json.loads((self.data / "schema.jsonld").read_bytes())["@graph"]
        self.terms = {node["@id"].removeprefix("schema:"): node for node in graph}

    def load(self, url: str, _options: object) -> dict[str, object]:
        """Answer for the two contexts that the exports name."""
        if url.startswith("https://w3id.org/ro/crate/1.1/"):
            document = json.loads((self.data / "ro-crate.jsonld").read_bytes())
        else:
            assert url == "https://schema.org"
            links = {name: {"@type": "@id"} for name in ("url", "contentUrl")}
            document = {"@context": {"@vocab": self.BASE, **links}}
        return {"contextUrl": None, "documentUrl": url, "document": document}

    def expanded(self, document):
        """Yield every node of the document in expanded form."""
        expanded = jsonld.expand(document, {"documentLoader": self.load, "base": "https://example.org/crate/"})
        yield from self._nodes(expanded)

    def _nodes(self, value):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                if "@type" in one and "@value" not in one:
                    yield one
                for key, inner in one.items():
                    if not key.startswith("@"):
                        yield from self._nodes(inner)

    def faults(self, node):
        """Name the types and properties of a node that schema.org does not have there."""
        types = [name.removeprefix(self.BASE) for name in node["@type"]]
        yield from (f"type {name}" for name in types if name not in self.terms)
        above = set().union(*(self._ancestors(name) for name in types))
        for key in node.keys() - self.OTHER:
            if key.startswith("@"):
                continue
            name = key.removeprefix(self.BASE)
            domains = {
                one["@id"].removeprefix("schema:") for one in listed(self.terms.get(name), "schema:domainIncludes")
            }
            if not domains & above:
                yield f"{name} on {types}"

    def _ancestors(self, name):
        found, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            found.add(one)
            parents = listed(self.terms.get(one), "rdfs:subClassOf")
            waiting += [parent["@id"].removeprefix("schema:") for parent in parents]
        return found


def listed(node, key):
    value = (node or {}).get(key, [])
    return value if isinstance(value, list) else [value]


def test_every_format_has_a_test_here() -> None:
    words = Path(__file__).read_text(encoding="utf-8")
    assert [one.name for one in FORMATS if f'"{one.name}"' not in words] == []
